"""A scenario: the user's opening line, the world, what the user answers, and the rubric."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SCENARIOS = Path(__file__).parent / "scenarios"

_KEYS = {"title", "opening", "world", "user", "rubric"}


@dataclass(frozen=True)
class Reply:
    """What the user says to a question that matches.

    Attributes:
        when: Regular expression on the question, in any case.
        say: The answer.
        writes: Files that the user makes then, by path below the user's directory.
    """

    when: str
    say: str
    writes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row of the rubric: a fact of `facts.py` with its arguments, and why it matters."""

    id: str
    fact: str
    because: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Scenario:
    """A scenario file."""

    name: str
    title: str
    opening: str
    builder: str
    options: dict[str, Any]
    replies: tuple[Reply, ...]
    otherwise: str
    rubric: tuple[Row, ...]

    def reply(self, question: str) -> tuple[str, dict[str, str]]:
        """What the user answers, and the files that the user makes with it; placeholders are not filled in."""
        found = [r for r in self.replies if re.search(r.when, question, re.IGNORECASE | re.DOTALL)]
        if not found:
            return self.otherwise, {}
        said = list(dict.fromkeys(r.say.strip() for r in found))
        return "\n".join(said), {path: text for r in found for path, text in r.writes.items()}


def names() -> list[str]:
    """The scenarios' names."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def load(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        ValueError: The file is not as it must be; the message says where.
        FileNotFoundError: There is none.
    """
    path = SCENARIOS / f"{name}.yaml"
    return read(name, yaml.safe_load(path.read_text(encoding="utf-8")))


def read(name: str, raw: dict[str, Any]) -> Scenario:
    """A scenario from what its file holds.

    Raises:
        ValueError: It is not as it must be.
    """
    if set(raw) != _KEYS:
        raise ValueError(f"{name}: the keys are {sorted(_KEYS)}, not {sorted(raw)}")
    world = dict(raw["world"])
    replies = tuple(Reply(a["when"], a["say"], a.get("writes", {})) for a in raw["user"].get("answers") or [])
    for reply in replies:
        _compiled(name, reply.when)
    rubric = tuple(_row(name, dict(r)) for r in raw["rubric"])
    twice = {r.id for r in rubric if sum(o.id == r.id for o in rubric) > 1}
    if twice:
        raise ValueError(f"{name}: these rows have the same id: {sorted(twice)}")
    return Scenario(
        name=name,
        title=raw["title"],
        opening=raw["opening"].strip(),
        builder=world.pop("builder"),
        options=world,
        replies=replies,
        otherwise=raw["user"]["otherwise"].strip(),
        rubric=rubric,
    )


def _row(name: str, raw: dict[str, Any]) -> Row:
    missing = {"id", "fact", "because"} - set(raw)
    if missing:
        raise ValueError(f"{name}: a row of the rubric lacks {sorted(missing)}: {raw}")
    return Row(raw.pop("id"), raw.pop("fact"), raw.pop("because"), raw)


def _compiled(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name}: {pattern!r} is no regular expression: {error}") from None


def filled(text: str, facts: Mapping[str, str], *, regex: bool = False) -> str:
    """The text with its placeholders filled in; braces around other words stay.

    Args:
        text: Any text of a scenario.
        facts: What the placeholders stand for.
        regex: The text is a regular expression: the values are taken literally in it.
    """
    for key, value in facts.items():
        text = text.replace("{" + key + "}", re.escape(value) if regex else value)
    return text


def filled_value(value: Any, facts: Mapping[str, str]) -> Any:
    """`filled` as a regular expression, on every string inside a row's arguments."""
    if isinstance(value, str):
        return filled(value, facts, regex=True)
    if isinstance(value, dict):
        return {k: filled_value(v, facts) for k, v in value.items()}
    if isinstance(value, list):
        return [filled_value(v, facts) for v in value]
    return value
