"""Rules about the values of a server's flags, and about words of its command that belong to none. The table is flag_values.yaml."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..command_flags import canonical, whole_number
from .effective import Serving, serving
from .rule import Hit, Rule, Subject
from .serving_flags import flag_names

_TABLE = Path(__file__).with_name("flag_values.yaml")
_SPEC = re.compile(r"(?P<kind>whole|number|length) (?P<low>\d+)(?P<open><)?\.\.(?P<high>\d*)(?P<words>(?: \S+)*)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")
_NO_DASH = re.compile(r"[\u2010-\u2015\u2212]")
_NO_QUOTE = re.compile(r"[\u2018-\u201f\u00ab\u00bb]")
_KINDS = {"whole": "a whole number", "number": "a number", "length": "a whole number, such as 32768 or 32k"}


class Values(BaseModel):
    """What one program takes: numbers by their bounds, and words of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    numbers: dict[str, str]
    words: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Bounds:
    """What a number must be; `words` stand for a choice of the program."""

    kind: str
    low: float
    high: float | None
    above: bool
    words: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Bounds:
        """Read an entry of the table.

        Raises:
            ValueError: It is none.
        """
        match = _SPEC.fullmatch(text)
        if match is None:
            raise ValueError(f"flag_values.yaml: {text!r} is no kind of value")
        high = float(match["high"]) if match["high"] else None
        return cls(match["kind"], float(match["low"]), high, bool(match["open"]), tuple(match["words"].split()))

    def why_not(self, value: str) -> str:
        """Why a value is refused; empty when it is taken."""
        if value in self.words:
            return ""
        number = self._number(value)
        wanted = _KINDS[self.kind]
        if number is None:
            return f"wants {wanted}"
        too_low = number <= self.low if self.above else number < self.low
        if too_low or (self.high is not None and number > self.high):
            least = f"above {self.low:g}" if self.above else f"of at least {self.low:g}"
            return f"wants {wanted} {least}" + (f" and at most {self.high:g}" if self.high is not None else "")
        return ""

    def _number(self, value: str) -> float | None:
        if self.kind == "length":
            return whole_number(value)
        if not _NUMBER.fullmatch(value) or (self.kind == "whole" and not value.isdecimal()):
            return None
        return float(value)


@cache
def flag_values() -> dict[str, Values]:
    """flag_values.yaml by framework, read once."""
    import yaml

    rows = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {name: Values.model_validate(row) for name, row in rows.items()}


def refused_value(subject: Subject) -> Iterable[Hit]:
    """A value that the program does not take for its flag: it ends before it serves."""
    server = serving(subject)
    table = flag_values().get(server.framework) if server is not None else None
    if server is None or table is None:
        return
    for written, value in server.command.flags:
        name = canonical(written)
        if "$" in value or value == "=":
            continue  # only the shell knows; P35 has the other
        if name in table.numbers:
            why = Bounds.parse(table.numbers[name]).why_not(value)
            if why:
                given = f"{value[:40]!r}" if value else "nothing"
                message = f"{written[:60]} has {given}, and {server.framework} {why}"
                yield Hit(server.place(written), message, f"correct {written[:60]}", cause=f"P34{name}")
        elif name in table.words and value not in table.words[name]:
            yield _unknown_word(server, written, value, table.words[name])


def _unknown_word(server: Serving, written: str, value: str, words: tuple[str, ...]) -> Hit:
    near = difflib.get_close_matches(value, words, n=3, cutoff=0.5)
    fix = f"did you mean {', '.join(near)}?" if near else f"take one of {', '.join(words[:8])}"
    message = f"{server.framework} knows no {value[:40]!r} for {written[:60]}"
    return Hit(server.place(written), message, fix, "warning", cause=f"P34{canonical(written)}")


def stray_word(subject: Subject) -> Iterable[Hit]:
    """A value behind a switch, a flag with one dash or with a character that only looks like one, and `= value`."""
    server = serving(subject)
    if server is None:
        return
    for before, word in server.command.strays:
        if _NO_DASH.match(word) or _NO_QUOTE.search(word):
            message = f"{word[:60]!r} has a dash or a quote of a text editor, which the shell takes for a letter"
            yield Hit(server.place(before), message, "type it anew with - and '", cause=f"P35{word}")
        elif word == "=":
            message = f"There are spaces around the = behind {before[:60]}"
            yield Hit(server.place(before), message, "write --flag value or --flag=value", cause="P35=")
        elif before and word.lower() in ("true", "false", "1", "0", "yes", "no", "on", "off"):
            message = f"{before[:60]} takes no value, and {word!r} stands behind it: the server does not start"
            fix = (
                f"write {before[:60]} alone" if word.lower() in ("true", "1", "yes", "on") else f"remove {before[:60]}"
            )
            yield Hit(server.place(before), message, fix, cause=f"P35{before}")
    names = flag_names()[server.framework].names if server.framework in flag_names() else frozenset()
    for written, value in server.command.flags:
        if not written.startswith("--") and f"-{written}".replace("_", "-") in names and canonical(written) == written:
            message = f"{written[:60]} has one dash: {server.framework} takes it for something else"
            yield Hit(server.place(written), message, f"write -{written[:60]}", cause=f"P35{written}")
        elif value == "=" or _NO_QUOTE.search(value):
            message = f"The value of {written[:60]} is {value[:40]!r}"
            fix = "write --flag value or --flag=value" if value == "=" else "type its quotes anew"
            yield Hit(server.place(written), message, fix, cause=f"P35{written}")


RULES = (
    Rule(
        "P34",
        "error",
        "Value that the server refuses",
        "correct the value",
        "vLLM 0.33.0 engine/arg_utils.py, config/; SGLang 0.5.23 srt/arg_groups/fields",
        refused_value,
    ),
    Rule(
        "P35",
        "error",
        "Word that belongs to no flag",
        "correct the command",
        "Python's argparse, which vLLM 0.33.0 and SGLang 0.5.23 read their flags with (unrecognized arguments)",
        stray_word,
    ),
)
