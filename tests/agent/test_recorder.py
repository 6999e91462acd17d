"""The agent's commands do what they say and leave one line each; nothing of the caller reaches the tools."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from . import given, recorder, scenario, world
from .transcript import lines_of

SCENARIO = {
    "title": "t",
    "opening": "o",
    "world": {"builder": "b"},
    "user": {
        "answers": [{"when": "where", "say": "At {place}.", "writes": {"card/README.md": "# {place}"}}],
        "otherwise": "I do not know.",
    },
    "rubric": [],
}


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trial whose world has nothing in it but the user's directory."""
    for part in (world.PRIVATE, "bin", "work", "home"):
        (tmp_path / part).mkdir()
    given.copy_skill(tmp_path / "skill")
    given.copy_programs(tmp_path, "mmlu_pro_endpoint")
    given.write_commands(tmp_path)
    monkeypatch.setattr(scenario, "load", lambda name: scenario.read(name, SCENARIO))
    facts = {"place": "/data/model"}
    env = world.base_env(tmp_path)
    world.Built("mmlu_pro_endpoint", time.time(), env, facts, [], [], [], str(tmp_path / "work")).save(tmp_path)
    recorder.append(tmp_path, {"kind": "opening", "facts": facts})
    return tmp_path


def _last(directory: Path) -> dict[str, Any]:
    return lines_of(directory / "transcript.jsonl")[-1]


def _run(directory: Path, *words: str) -> int:
    return recorder.main([str(directory), *words])


def test_a_question_is_answered_from_the_scenario_and_what_the_user_writes_is_written(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(directory, "ask", "Where is it?") == 0
    assert capsys.readouterr().out == "At /data/model.\n"
    assert (directory / "work" / "card" / "README.md").read_text() == "# /data/model"
    line = _last(directory)
    assert (line["kind"], line["question"], line["answer"]) == ("ask", "Where is it?", "At /data/model.")
    assert line["tokens"] > 0
    _run(directory, "ask", "Which", "colour?")
    assert (_last(directory)["question"], _last(directory)["answer"]) == ("Which colour?", "I do not know.")


def test_a_message_is_kept_in_full(directory: Path) -> None:
    assert _run(directory, "tell", "The run is valid.\nScore 0.61 ± 0.02.") == 0
    assert _last(directory)["text"] == "The run is valid.\nScore 0.61 ± 0.02."


@pytest.mark.parametrize(
    "name",
    [
        "evaluation/SKILL.md",
        "SKILL.md",
        "references/slurm.md",
        "../evaluation/references/slurm.md",
        "../common/SKILL.md",
        "skills/common/SKILL.md",
        "recipes/tasks/mmlu_pro.md",
        "recipes/examples/ifbench_process.yaml",
    ],
)
def test_a_document_is_found_as_other_documents_name_it(
    directory: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(directory, "read", name) == 0
    shown = capsys.readouterr().out
    line = _last(directory)
    assert shown.rstrip("\n") == (directory / "skill" / line["file"]).read_text(encoding="utf-8").rstrip("\n")
    assert line["tokens"] == pytest.approx(recorder.count(shown), abs=2)
    assert (directory / "skill" / line["file"]).name == Path(name).name


@pytest.mark.parametrize(
    "name", ["../transcript.jsonl", "../.trial/world.json", "/etc/passwd", "../../etc/passwd", "nothing.md", "recipes"]
)
def test_nothing_but_the_documents_can_be_read(directory: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(directory, "read", name) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "is no document of the skill" in captured.err
    assert _last(directory)["exit"] == 1


def test_a_call_runs_the_real_tool_in_the_worlds_environment_and_keeps_the_config(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = directory / "work" / "eval.yaml"
    config.write_text("execution: {type: process}\n", encoding="utf-8")
    monkeypatch.chdir(directory / "work")
    monkeypatch.setenv("QUANTGATE_HOME", "/nonexistent/home-of-the-caller")
    assert _run(directory, "quantgate", "call", "check_config", json.dumps({"config": "eval.yaml"})) == 0
    line = _last(directory)
    assert (line["tool"], line["exit"], line["arguments"]) == ("check_config", 0, {"config": "eval.yaml"})
    assert line["answer"]["ok"] is False
    assert line["tokens"] > 50
    assert (line["config"], line["config_text"]) == (str(config), "execution: {type: process}\n")
    _run(directory, "quantgate", "call", "check_config", json.dumps({"config": "eval.yaml"}))
    assert "config_text" not in _last(directory)


def test_a_refusal_is_kept_with_its_words(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(directory, "quantgate", "call", "dry_run", '{"file": "x"}') == 1
    line = _last(directory)
    assert line["exit"] == 1
    assert "config" in line["error"]
    assert "answer" not in line
    assert line["error"] in capsys.readouterr().err


@pytest.mark.parametrize("words", [["serve"], ["eval", "x.yaml"], ["demo"], []])
def test_other_commands_are_not_to_be_had(
    directory: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(directory, "quantgate", *words) == 2
    assert "only" in capsys.readouterr().err
    assert (_last(directory)["kind"], _last(directory)["exit"]) == ("other", 2)


def test_the_command_stands_alone_in_a_shell_and_a_closed_pipe_is_no_error(directory: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", "bin/read evaluation/SKILL.md | head -1; bin/quantgate tools"],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "---"
    assert "dry_run" in done.stdout
    assert done.stderr == ""
    assert [line["kind"] for line in lines_of(directory / "transcript.jsonl")] == ["opening", "read", "other"]


def test_the_form_of_the_skill_changes_with_any_document(directory: Path) -> None:
    before = given.form(directory / "skill")
    assert given.form(directory / "skill") == before
    with (directory / "skill" / "common" / "SKILL.md").open("a", encoding="utf-8") as file:
        file.write("One sentence more.\n")
    assert given.form(directory / "skill") != before


def test_a_trial_runs_its_own_copies_and_holds_no_rubric(directory: Path) -> None:
    programs = directory / world.PROGRAMS
    version = programs / "quantgate" / "__init__.py"
    version.write_text(version.read_text(encoding="utf-8") + '\n__version__ = "of this trial"\n', encoding="utf-8")
    done = subprocess.run(
        [directory / "bin" / "quantgate", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "of this trial" in done.stdout
    (played,) = (programs / "tests" / "agent" / "scenarios").glob("*.yaml")
    assert "rubric: []" in played.read_text(encoding="utf-8")
