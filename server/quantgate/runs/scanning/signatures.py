"""The table of failure signatures (signatures.yaml), read once and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ..scanner.lines import FLAGS, judge

TABLE = Path(__file__).with_name("signatures.yaml")
TRACEBACK = "python_traceback"
"""The class whose samples are a traceback's last frame and message; it has no pattern of its own."""

Severity = Literal["fatal", "suspect"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"[a-z0-9_]+")
    pattern: str = Field(min_length=3)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        re.compile(value)
        return value


class _SignatureRow(_Row):
    severity: Severity
    anchors: list[str] = Field(min_length=1)
    meaning: str
    fix: str

    @field_validator("anchors")
    @classmethod
    def _lower(cls, value: list[str]) -> list[str]:
        if any(a != a.lower() or len(a) < 2 for a in value):
            raise ValueError("anchors are literals of two or more characters in lower case")
        return value


class _BenignRow(_Row):
    scope: Literal["line", "phrase"] = "line"


class _FactRow(_Row):
    anchors: list[str] = Field(min_length=1)
    start: bool = False
    model: str = ""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    signatures: list[_SignatureRow]
    benign: list[_BenignRow]
    facts: list[_FactRow]


@dataclass(frozen=True)
class Signature:
    """One class of failure.

    Attributes:
        name: What the class is called.
        severity: "fatal" breaks a run; "suspect" may have.
        anchors: Lower-case literals; a line without any of them is not looked at.
        pattern: What the line must match.
        meaning: What it says about the run.
        fix: What to do.
    """

    name: str
    severity: Severity
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[str]
    meaning: str
    fix: str


@dataclass(frozen=True)
class Benign:
    """What looks like a failure and is none: whole lines, or phrases that the rest of their line may outweigh."""

    name: str
    pattern: re.Pattern[str]
    phrase: bool


@dataclass(frozen=True)
class Fact:
    """What a line says that is no failure.

    Attributes:
        name: What it is called.
        anchors: Lower-case literals; a line without any of them is not looked at.
        pattern: What the line must match.
        start: Whether each such line is one start of a server.
        model: Finds the checkpoint that the server names, as its only group; None where the line names none.
    """

    name: str
    anchors: tuple[bytes, ...]
    pattern: re.Pattern[str]
    start: bool
    model: re.Pattern[str] | None


@dataclass(frozen=True)
class SignatureTable:
    """All lists, in the order of the file: the first signatures tell the most."""

    signatures: tuple[Signature, ...]
    benign: tuple[Benign, ...]
    facts: tuple[Fact, ...] = ()

    def judge(self, line: str) -> tuple[list[Signature], str]:
        """The signatures of one decoded line, and the benign pattern that took a match away (empty when none did)."""
        folded = line.lower().encode("utf-8", "replace")
        among = [s for s in self.signatures if any(a in folded for a in s.anchors)]
        return judge(line, among, self.benign)


@lru_cache(maxsize=1)
def load_signatures() -> SignatureTable:
    """The shipped table."""
    from ruamel.yaml import YAML

    table = _Table.model_validate(YAML(typ="safe", pure=False).load(TABLE.read_text("utf-8")))
    return SignatureTable(
        tuple(
            Signature(
                r.name,
                r.severity,
                tuple(a.encode() for a in r.anchors),
                re.compile(r.pattern, FLAGS),
                r.meaning,
                r.fix,
            )
            for r in table.signatures
        ),
        tuple(Benign(r.name, re.compile(r.pattern, FLAGS), r.scope == "phrase") for r in table.benign),
        tuple(
            Fact(
                r.name,
                tuple(a.encode() for a in r.anchors),
                re.compile(r.pattern, FLAGS),
                r.start,
                re.compile(r.model) if r.model else None,
            )
            for r in table.facts
        ),
    )
