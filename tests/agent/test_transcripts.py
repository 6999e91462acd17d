"""Kept transcripts keep the checker honest: good ones pass, and each bad one fails on the very fact that it breaks."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from . import grading, scenario, spoiled, table, transcript
from .recording import TRANSCRIPTS, Scrubber, summary

FILES = sorted(TRANSCRIPTS.glob("*.jsonl"))
BAD = [path for path in FILES if path.stem.startswith(spoiled.PREFIX)]
GOOD = [path for path in FILES if path not in BAD]


def _graded(path: Path) -> grading.Grade:
    read = transcript.load(path)
    return grading.grade(read, scenario.load(read.opening["scenario"]))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_kept_transcript_has_the_grade_that_stands_in_it(path: Path) -> None:
    kept = transcript.lines_of(path)[-1]
    assert kept["kind"] == "grade", "a transcript ends with its grade"
    assert summary(_graded(path)) == kept, "python -m tests.agent.trial regrade"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_kept_transcript_says_first_who_played(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith('{"kind": "opening", "by": "')


@pytest.mark.parametrize("path", [p for p in GOOD if p.stem.startswith("scripted_")], ids=lambda p: p.stem)
def test_the_scripted_agents_transcripts_pass(path: Path) -> None:
    assert _graded(path).failed == []


def test_every_wrong_turn_has_its_transcript() -> None:
    assert {path.stem.removeprefix(spoiled.PREFIX) for path in BAD} == set(spoiled.SPOILED)


@pytest.mark.parametrize("name", spoiled.SPOILED)
def test_a_wrong_turn_fails_on_the_fact_that_it_breaks(name: str) -> None:
    judged = _graded(TRANSCRIPTS / f"{spoiled.PREFIX}{name}.jsonl")
    assert not judged.passed
    assert set(spoiled.SPOILED[name].must_fail) <= set(judged.failed)


@pytest.mark.parametrize("name", spoiled.SPOILED)
def test_a_bad_transcript_is_its_good_one_but_for_the_turn(name: str) -> None:
    kept = transcript.lines_of(TRANSCRIPTS / f"{spoiled.PREFIX}{name}.jsonl")[:-1]
    assert spoiled.entries(name) == kept, "python -m tests.agent.spoiled"


@pytest.mark.parametrize("path", GOOD, ids=lambda p: p.stem)
def test_the_beginning_of_a_good_transcript_does_not_pass(path: Path) -> None:
    entries = [e for e in transcript.lines_of(path) if e["kind"] not in {"grade", "end"}]
    read = transcript.parse(entries[: len(entries) // 2])
    assert not grading.grade(read, scenario.load(read.opening["scenario"])).passed


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_no_transcript_holds_a_path_time_or_secret_of_a_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for pattern in (r"/tmp/", r"/root/", r"/home/(?!user|[\w-]*/?\.)\w+/\.cache", r"\b20[12]\d-\d\d-\d\d", "MadeUpFor"):
        found = re.search(pattern, text)
        assert found is None, text[max(0, found.start() - 60) : found.end() + 60] if found else ""
    name = socket.gethostname()
    assert len(name) < 5 or not re.search(rf"\b{re.escape(name)}\b", text)


def test_scrubbing_gives_the_same_value_the_same_word_everywhere() -> None:
    clean = Scrubber([("/data/run/trial", "/trial"), ("/data", "/elsewhere")], ["pA55word-of-theirs"])
    entry = {
        "/data/run/trial/e.yaml": "http://127.0.0.1:43121/v1 of 2026-11-21T10:00:00Z with pA55word-of-theirs",
        "id": "a1b2c3d4e5f60718",
        "again": ["run a1b2c3d4e5f60718 (port 43121, pid 4711)", "ffffffff00000000"],
    }
    assert clean.value(entry) == {
        "/trial/e.yaml": "http://127.0.0.1:8000/v1 of 2000-01-01T00:00:00+00:00 with made-up-secret-1",
        "id": "f000000000000001",
        "again": ["run f000000000000001 (port 8000, pid 1)", "f000000000000002"],
    }
    assert clean.value("x" * 50, 10) == "x" * 10 + "… (40 characters were left out here)"


def test_the_table_of_trials_is_that_of_the_kept_grades() -> None:
    assert table.current() == table.made(), "python -m tests.agent.table"


def test_a_trials_minutes_are_those_of_its_commands_and_not_of_a_world_that_waited() -> None:
    opening = {"kind": "opening", "at": 0, "tokens": 100}
    first = {"kind": "read", "file": "evaluation/SKILL.md", "exit": 0, "tokens": 5000, "at": 601.0, "seconds": 1.0}
    last = {"kind": "tell", "text": "Done.", "tokens": 0, "at": 720.0, "seconds": 0.2}
    read = transcript.parse([opening, first, last, {"kind": "end", "configs": {}, "runs": []}])
    assert (read.seconds, read.tokens, read.documents) == (120.0, 5100, ("evaluation/SKILL.md",))
