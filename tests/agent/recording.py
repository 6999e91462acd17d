"""A trial kept among the repository's transcripts: without this machine's paths, times, ports and ids, with its grade."""

from __future__ import annotations

import json
import re
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import ending, grading, scenario, transcript
from .world import Built

TRANSCRIPTS = Path(__file__).parent / "transcripts"
ROOT = Path(__file__).parents[2]
MAX_CHARACTERS = 1200
"""Longest text inside a kept answer; configs are kept whole, since facts look into them."""
MOMENT = "2000-01-01T00:00:00+00:00"

_MOMENTS = re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?")
_DATES = re.compile(r"\b20[12]\d-\d\d-\d\d\b")
_STAMPS = re.compile(r"\b20\d{6}[_-]\d{6}\b")
_IDS = re.compile(r"(?<![\w.])(?=[0-9]*[a-f])[0-9a-f]{8,64}(?![\w])")
_PORTS = re.compile(r"\b((?:127\.0\.0\.1|localhost|\[::1\]):)(\d{4,5})\b")
_TEMPORARY = re.compile(re.escape(tempfile.gettempdir()) + r"/[\w.-]+")
_PIDS = re.compile(r"(?i)\b(pid[ =:]+)\d+")


class Scrubber:
    """Replaces what is of one machine and one moment, the same value always by the same word.

    Args:
        paths: Directories with the names that stand for them, the longest first.
        secrets: The world's made-up secrets.
    """

    def __init__(self, paths: Sequence[tuple[str, str]], secrets: Sequence[str] = ()) -> None:
        words = {secret: f"made-up-secret-{number}" for number, secret in enumerate(secrets, 1)}
        self._words = words | dict(sorted(paths, key=lambda p: -len(p[0])))
        self._machine = re.compile(rf"\b{re.escape(socket.gethostname())}\b")
        self._places: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._ports: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text without what is of this machine."""
        for found, word in self._words.items():
            text = text.replace(found, word)
        text = _TEMPORARY.sub(lambda found: self._places.setdefault(found[0], f"/place{len(self._places) + 1}"), text)
        text = _STAMPS.sub("20000101_000000", _DATES.sub("2000-01-01", _MOMENTS.sub(MOMENT, text)))
        text = _PIDS.sub(r"\g<1>1", _IDS.sub(self._id, text))
        text = self._machine.sub("machine", _PORTS.sub(self._port, text))
        for port, word in self._ports.items():
            text = re.sub(rf"\b{port}\b", word, text)
        return text

    def _id(self, found: re.Match[str]) -> str:
        length = len(found[0])
        # It begins with a letter, so that scrubbing it again is seen by a test.
        return self._ids.setdefault(found[0], "f" + f"{len(self._ids) + 1:0{length - 1}d}")

    def _port(self, found: re.Match[str]) -> str:
        return found[1] + self._ports.setdefault(found[2], str(8000 + len(self._ports)))

    def value(self, value: Any, longest: int = 0) -> Any:
        """`text` on every string and key inside a value; strings over `longest` characters are cut (0: none is)."""
        if isinstance(value, str):
            clean = self.text(value)
            cut = len(clean) - longest
            return clean if not longest or cut <= 0 else clean[:longest] + f"… ({cut} characters were left out here)"
        if isinstance(value, dict):
            return {self.text(str(k)): self.value(v, longest) for k, v in value.items()}
        if isinstance(value, list):
            return [self.value(v, longest) for v in value]
        return value


def scrubber(directory: Path, secrets: Sequence[str]) -> Scrubber:
    """A scrubber of a trial's directory on this machine."""
    from tests.conftest import SHARED_CACHE

    places = [(directory, "/trial"), (directory.resolve(), "/trial"), (ROOT, "/quantgate"), (SHARED_CACHE, "/cache")]
    if len(Path.home().parts) > 1:
        places.append((Path.home(), "/home/user"))
    return Scrubber([(str(path), word) for path, word in places], secrets)


def scrubbed(entries: Sequence[dict[str, Any]], clean: Scrubber) -> list[dict[str, Any]]:
    """The entries as they are kept."""
    kept = []
    for entry in entries:
        # The opening holds the placeholders: they are scrubbed as what they stand for is.
        whole = {"config_text", "configs", "facts", "secrets", "arguments", "text", "question", "skill"}
        kept.append({k: clean.value(v, 0 if k in whole else MAX_CHARACTERS) for k, v in entry.items()})
    return kept


def summary(judged: grading.Grade) -> dict[str, Any]:
    """A transcript's last line: the grade that it must have whenever it is graded again."""
    return {
        "kind": "grade",
        "passed": judged.passed,
        "failed": judged.failed,
        "calls": judged.calls,
        "refusals": judged.refusals,
        "questions": judged.questions,
        "documents": judged.documents,
        "read_tokens": judged.tokens,
        "minutes": judged.minutes,
    }


def write(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Write a transcript file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(e, ensure_ascii=False) + "\n" for e in entries), encoding="utf-8")


def record(directory: Path, name: str, *, by: str, folder: Path = TRANSCRIPTS) -> Path:
    """Keep a trial's transcript with its grade.

    Args:
        directory: The trial's directory.
        name: The file's name, without suffix.
        by: Who played.
        folder: Where transcripts are kept.

    Returns:
        The file.

    Raises:
        ValueError: What was left out of the transcript changed its grade.
    """
    entries = ending.entries(directory)
    world = Built.load(directory)
    kept = scrubbed(entries, scrubber(directory, world.secrets))
    kept[0] = {"kind": "opening", "by": by} | kept[0]
    rubric = scenario.load(world.scenario)
    before = grading.grade(transcript.parse(entries), rubric)
    after = grading.grade(transcript.parse(kept), rubric)
    if before.failed != after.failed:
        raise ValueError(f"graded {before.failed} as it was and {after.failed} as it would be kept")
    path = folder / f"{name}.jsonl"
    write(path, [*kept, summary(after)])
    return path


def regrade(folder: Path = TRANSCRIPTS) -> None:
    """Grade every kept transcript again, by the rubric of today."""
    for path in sorted(folder.glob("*.jsonl")):
        entries = [e for e in transcript.lines_of(path) if e["kind"] != "grade"]
        judged = grading.grade(transcript.parse(entries), scenario.load(entries[0]["scenario"]))
        write(path, [*entries, summary(judged)])
        print(f"{path.stem}: " + ("passed" if judged.passed else f"fails on {', '.join(judged.failed)}"))
