"""What the documents name exists: tools with their arguments, commands with their flags, rules, recipes, paths and skills."""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.skill_paths import dead_ends, documents

from quantgate import cli, eval_command
from quantgate.benchmarks.recipes import load_recipes
from quantgate.evalconfig.lint.engine import RULES
from quantgate.runs.scanning.signatures import load_signatures
from quantgate.server.resources.documents import SHELVES
from quantgate.tools import TOOLS
from quantgate.tools.calling import result_model
from quantgate.tools.spec import ToolSpec

ROOT = Path(__file__).resolve().parents[2]
SKILL = ROOT / "SKILL.md"
AGENT_DOCUMENTS = [
    SKILL,
    *sorted((ROOT / "skills").glob("*/*.md")),
    *sorted((ROOT / "references").glob("*.md")),
    *sorted((ROOT / "recipes" / "tasks").glob("*.md")),
]
DOCUMENTS = [*AGENT_DOCUMENTS, ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_CALL = re.compile(r"[a-z_]+\([^…]*\)", re.DOTALL)
_SHELL_CALL = re.compile(r"quantgate call (\w+) '(\{[^…']*\})'")
_COMMAND = re.compile(r"quantgate ([a-z-]+)((?: [^`|#\n]*)?)")
_RULE = re.compile(r"\b[CDLPST]\d{2}\b")
"""The letters of the rules of check_config, each with two digits."""


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _calls(document: Path) -> Iterator[str]:
    """Calls of tools in a document: in the running text, and in blocks without a language."""
    text = document.read_text(encoding="utf-8")
    for language, block in _FENCE.findall(text):
        if not language:
            yield from (line.strip() for line in block.splitlines() if _CALL.fullmatch(line.strip()))
    yield from (span for span in _INLINE.findall(_FENCE.sub("", text)) if _CALL.fullmatch(span))


def _tool(name: str) -> ToolSpec:
    found = {spec.name: spec for spec in TOOLS}
    assert name in found, f"there is no tool {name}"
    return found[name]


def _bind(name: str, given: dict[str, object], text: str) -> None:
    signature = inspect.signature(_tool(name).function)
    assert set(given) <= set(signature.parameters), text
    signature.bind(**given)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_every_call_in_a_document_fits_the_signature_of_an_existing_tool(document: Path) -> None:
    for text in _calls(document):
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call), text
        assert not call.args, f"{text}: arguments are named"
        given = {
            keyword.arg or "**": json.loads(ast.get_source_segment(text, keyword.value) or "")
            for keyword in call.keywords
        }
        _bind(ast.unparse(call.func), given, text)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_every_call_in_a_shell_has_arguments_that_its_tool_takes(document: Path) -> None:
    for name, arguments in _SHELL_CALL.findall(document.read_text(encoding="utf-8")):
        if name != "TOOL":
            _bind(name, json.loads(arguments), f"quantgate call {name} {arguments}")


def test_the_skills_have_calls_to_check() -> None:
    assert len(list(_calls(SKILL))) > 15
    for name in ("launching-evals", "monitor", "compare-results", "accessing-mlflow", "nemotron-eval", "common"):
        assert list(_calls(ROOT / "skills" / name / "SKILL.md")), name


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.name)
def test_the_skill_shows_a_call_of_every_tool(spec: ToolSpec) -> None:
    assert any(call.startswith(f"{spec.name}(") for call in _calls(SKILL))


@pytest.mark.parametrize("document", AGENT_DOCUMENTS, ids=_named)
def test_every_rule_that_a_document_names_exists(document: Path) -> None:
    named = set(_RULE.findall(document.read_text(encoding="utf-8")))
    assert named <= {rule.id for rule in RULES}


def _flags() -> dict[str, set[str]]:
    """The options of each command of the command line."""
    parser = cli._parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    found = {name: set(sub._option_string_actions) for name, sub in commands.choices.items()}
    return {**found, "eval": set(eval_command._parser()._option_string_actions)}


@pytest.mark.parametrize("document", AGENT_DOCUMENTS, ids=_named)
def test_every_command_that_a_document_names_exists_with_its_flags(document: Path) -> None:
    commands = _flags()
    for span in _INLINE.findall(document.read_text(encoding="utf-8")):
        for name, rest in _COMMAND.findall(span) if span.startswith("quantgate ") else []:
            assert name in commands, span
            assert set(re.findall(r"(?<=\s)--?[a-z][\w-]*", rest)) <= commands[name], span


def _fields(schema: Any) -> set[str]:
    """Every name of a field in a schema, however deep."""
    if isinstance(schema, list):
        return {name for part in schema for name in _fields(part)}
    if not isinstance(schema, dict):
        return set()
    own = set(schema.get("properties", {}))
    return own.union(*(_fields(part) for part in schema.values()))


@pytest.mark.parametrize("document", [d for d in AGENT_DOCUMENTS if "recipes" not in d.parts], ids=_named)
def test_every_list_of_a_result_that_a_document_names_is_a_field_of_some_result(document: Path) -> None:
    fields = set().union(*(_fields(result_model(spec).model_json_schema()) for spec in TOOLS))
    text = _FENCE.sub("", document.read_text(encoding="utf-8"))
    named = {span for span in _INLINE.findall(text) if re.fullmatch(r"(?:[a-z_]+\.)?[a-z_]+(?:\[\]|\{\})", span)}
    named |= {
        span for span in _INLINE.findall(text) if re.fullmatch(r"(?:gate|fit|serving|estimate|score)\.[a-z_]+", span)
    }
    assert {part for span in named for part in re.findall(r"[a-z_]+", span)} <= fields


def test_the_classes_of_failure_in_the_skill_on_debugging_are_those_of_the_log_scan() -> None:
    text = (ROOT / "skills" / "launching-evals" / "SKILL.md").read_text(encoding="utf-8")
    table = text.split("| class |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in _INLINE.findall(row.split("|")[1])}
    known = {signature.name for signature in load_signatures().signatures}
    assert len(named) > 10
    assert named <= known


def test_the_skill_names_every_recipe_and_no_other() -> None:
    text = SKILL.read_text(encoding="utf-8")
    listed = re.search(r"Recipes: ((?:`\w+`[,.\s]+)+)", text)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed.group(1))) == set(load_recipes())


@pytest.mark.parametrize("document", AGENT_DOCUMENTS, ids=_named)
def test_every_kind_of_resource_that_a_document_names_is_offered(document: Path) -> None:
    named = set(re.findall(r"quantgate://(\w+)/", document.read_text(encoding="utf-8")))
    assert named <= {shelf.plural for shelf in SHELVES}


def test_every_path_and_skill_that_the_skills_name_is_there() -> None:
    assert dead_ends(ROOT / "skills") == []


def test_every_path_and_skill_that_the_skills_name_is_there_after_installing(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("quantgate")), "install-skill", "--no-server", "--client"]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(documents(tmp_path)) == len(documents(ROOT / "skills"))
    assert dead_ends(tmp_path) == []


def test_a_path_that_leads_nowhere_would_be_found(tmp_path: Path) -> None:
    folder = tmp_path / "evaluation"
    folder.mkdir()
    (folder / "SKILL.md").write_text("See `references/none.md`, `set.md` of the `common` skill and [x](y.md).\n")
    assert dead_ends(tmp_path) == [
        "evaluation/SKILL.md: evaluation/y.md",
        "evaluation/SKILL.md: evaluation/references/none.md",
        "evaluation/SKILL.md: common/set.md",
        "evaluation/SKILL.md: common/SKILL.md",
    ]
