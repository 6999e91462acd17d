"""The flags of a serving command such as `vllm serve …`: read, set and removed in its text, which else stays as it is.

The text is that of `deployment.command`: often folded YAML, with OmegaConf's `${...}` in it, `--flag=value` beside
`--flag value`, and JSON in quotes. It is never expanded and never run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from ..errors import BadInput
from . import command_words
from .command_quoting import quoted
from .command_words import WHERE, Word

_TABLE = Path(__file__).resolve().parent / "command_flags.yaml"
_FLAG = re.compile(r"-{1,2}[A-Za-z][\w.+\-]*")
_CONTINUED = re.compile(r"\\\n(?P<indent>[ \t]*)-[^\n]*\Z")
"""The last line of arguments, where a line that ends in a backslash stands before it."""
_NUMBER = re.compile(r"-\d+(\.\d+)?")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_SCALED = re.compile(r"(\d+(?:\.\d+)?)([kKmMgGtT]?)")
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
ALONE = "vllm serve /checkpoint "
"""Makes a command of `deployment.extra_args`, which are flags without one."""
_WRAPPERS = ("bash", "sh", "exec", "env")
_EXTRA = ("extra_args}", "base_command}")
"""The end of an interpolation that stands for further arguments, and is never a value itself."""


class _Named(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    names: frozenset[str]


class _Spellings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    groups: tuple[tuple[str, ...], ...]


class FlagTable(BaseModel):
    """command_flags.yaml: what the spelling of a flag does not tell."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    switches: _Named
    several_values: _Named
    spellings: _Spellings


@cache
def flag_table() -> FlagTable:
    """The table of switches, flags with several values, and other spellings."""
    import yaml

    return FlagTable.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))


@cache
def _first_spellings() -> dict[str, str]:
    return {other: group[0] for group in flag_table().spellings.groups for other in group}


def canonical(flag: str) -> str:
    """The one name of a flag: with dashes, and the long form where another is known (`-tp`, `--tp_size`)."""
    name = flag.replace("_", "-")
    return _first_spellings().get(name, name)


@dataclass(frozen=True)
class _Entry:
    """One flag in the text: its word, the words of its value, and whether the two are joined by `=`."""

    word: Word
    name: str
    value: str
    values: tuple[Word, ...] = ()
    joined: bool = False

    @property
    def end(self) -> int:
        return self.values[-1].end if self.values else self.word.end


@dataclass(frozen=True)
class ServingCommand:
    """A command that serves a model. `parse` makes one; `set` and `remove` make another.

    Attributes:
        text: The whole command, byte for byte.
        program: The words that start the server, such as ("vllm", "serve"); empty when none was recognised, and then
            there are no flags either.
        model: The model it serves, as written; empty when it is not named.
        strays: Words that are neither flag nor value nor the model, each with the flag before it (empty: none).
        flags: Each flag as written with its value, "" for a switch, in the order of the text.
    """

    text: str
    program: tuple[str, ...]
    model: str
    flags: tuple[tuple[str, str], ...]
    strays: tuple[tuple[str, str], ...]
    _entries: tuple[_Entry, ...]
    _last: int
    """Where the arguments end in the text."""

    @classmethod
    def parse(cls, text: str) -> ServingCommand:
        """Read a command.

        Raises:
            BadInput: An open quote or bracket, a NUL, or a text over 100,000 characters.
        """
        words, program = _serving_words(command_words.segments(text))
        entries, loose = _entries(words[len(program) :])
        named = next((entry.value for entry in entries if canonical(entry.name) == "--model"), "")
        words_alone = [(before, word.value) for before, word in loose if not word.value.endswith(_EXTRA)]
        model = named or next((word for _, word in words_alone), "")
        return cls(
            text=text,
            program=program,
            model=model,
            flags=tuple((entry.name, entry.value) for entry in entries),
            strays=tuple(words_alone if named else words_alone[1:]),
            _entries=entries,
            _last=words[-1].end if words else len(text),
        )

    @property
    def tail(self) -> str:
        """What stands behind the last argument: white space, a pipe, a redirection, further commands."""
        return self.text[self._last :]

    def get(self, flag: str) -> str | None:
        """A flag's value without its quotes; "" for a switch, None when it is not there. The last one wins."""
        entry = self._find(flag)
        return None if entry is None else entry.value

    def has(self, flag: str) -> bool:
        """Whether the flag is there, in any spelling that means the same."""
        return self._find(flag) is not None

    def set(self, flag: str, value: str = "") -> ServingCommand:
        """The command with a flag set: replaced where it stands, else added behind the last argument.

        Args:
            flag: With its dashes, such as "--max-model-len".
            value: Plain text, JSON, or one word in quotes of its own; `${a.b}` refers to the config. Empty: a switch.

        Raises:
            BadInput: No flag, no serving command to add it to, or a value that a shell or argparse would take apart.
        """
        if not _FLAG.fullmatch(flag):
            raise BadInput(f"{flag[:60]!r} is no flag", where=WHERE, fix="write it as --name")
        if not self.program:
            raise BadInput(
                f"{flag} cannot be added: there is no serving command in {self.text[:80]!r}",
                where=WHERE,
                fix="write the command as `vllm serve /checkpoint …`",
            )
        several = canonical(flag) in flag_table().several_values.names
        word = quoted(flag, value, several=several) if value else ""
        entry = self._find(flag)
        if entry is None:
            added = self._before_another() + (f"{flag} {word}" if word else flag)
            return self.parse(self.text[: self._last] + added + self.text[self._last :])
        single = self._without([other for other in self._same(flag) if other is not entry])
        entry = single._find(flag)
        assert entry is not None
        return self.parse(
            single.text[: entry.word.start] + _written(entry, word, single.text) + single.text[entry.end :]
        )

    def _before_another(self) -> str:
        """What parts a new flag from the last argument: a continued line where the arguments stand on such lines."""
        last = _CONTINUED.search(self.text[: self._last])
        return f" \\\n{last['indent']}" if last else " "

    def remove(self, flag: str) -> ServingCommand:
        """The command without a flag and its value; the same command when it is not there."""
        return self._without(self._same(flag))

    def _find(self, flag: str) -> _Entry | None:
        return next(iter(reversed(self._same(flag))), None)

    def _same(self, flag: str) -> list[_Entry]:
        wanted = canonical(flag)
        return [entry for entry in self._entries if canonical(entry.name) == wanted]

    def _without(self, entries: list[_Entry]) -> ServingCommand:
        text = self.text
        for entry in sorted(entries, key=lambda entry: entry.word.start, reverse=True):
            text = _cut(text, entry.word.start, entry.end)
        return self.parse(text) if entries else self


def _cut(text: str, start: int, end: int) -> str:
    """The text without a span and the white space before it, line continuations included."""
    before = text[:start]
    while True:
        shorter = before.rstrip().removesuffix("\\") if before.rstrip(" \t").endswith("\n") else before.rstrip(" \t")
        if shorter == before:
            break
        before = shorter
    return before + text[end:]


def _serving_words(commands: tuple[tuple[Word, ...], ...]) -> tuple[tuple[Word, ...], tuple[str, ...]]:
    """The words of the command that serves, from the program on, and the program."""
    for words in commands:
        for at in range(len(words)):
            if program := _program([word.value for word in words[at : at + 3]]):
                return words[at:], program
    if len(commands) == 1:
        words = commands[0]
        while words and _ASSIGNED.match(words[0].value):
            words = words[1:]
        if words and "$" not in words[0].value and PurePosixPath(words[0].value).name not in _WRAPPERS:
            return words, (words[0].value,)
    return (), ()


def _program(values: list[str]) -> tuple[str, ...]:
    """The program that these words start with, when it is one that serves models."""
    name = PurePosixPath(values[0]).name
    if name in ("vllm", "sglang", "trtllm-serve") and values[1:2] == ["serve"]:
        return tuple(values[:2])
    modules = ("vllm.entrypoints.openai.api_server", "sglang.launch_server")
    if name.startswith("python") and values[1:2] == ["-m"] and values[2:3] and values[2] in modules:
        return tuple(values[:3])
    return (values[0],) if name == "trtllm-serve" else ()


def _entries(words: tuple[Word, ...]) -> tuple[tuple[_Entry, ...], list[tuple[str, Word]]]:
    """The flags among the arguments, and the words that belong to none, each with the flag that stands right before it."""
    found: list[_Entry] = []
    loose: list[tuple[str, Word]] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        name, joined, value = word.value.partition("=")
        if not _FLAG.fullmatch(name):
            behind = at > 1 and found and found[-1].word is words[at - 2]
            loose.append((found[-1].name if behind else "", word))
            continue
        values: list[Word] = []
        if not joined and not is_switch(name):
            most = len(words) if canonical(name) in flag_table().several_values.names else 1
            while at < len(words) and len(values) < most and _is_value(words[at].value):
                values.append(words[at])
                at += 1
            value = " ".join(word.value for word in values)
        found.append(_Entry(word, name, value, tuple(values), bool(joined)))
    return tuple(found), loose


def is_switch(name: str) -> bool:
    """Whether a flag is known to take no value."""
    wanted = canonical(name)
    return wanted in flag_table().switches.names or wanted.startswith("--no-")


def _is_value(text: str) -> bool:
    if text.startswith("${") and text.endswith(_EXTRA):
        return False
    return not _FLAG.match(text) or bool(_NUMBER.fullmatch(text))


def _written(entry: _Entry, word: str, text: str) -> str:
    """An entry with another value, in the way it was written."""
    name = text[entry.word.start : entry.word.end]
    if entry.joined:
        name = name[: name.index("=")]
        return f"{name}={word}" if word else name
    return f"{name} {word}" if word else name


def whole_number(text: str) -> int | None:
    """`8`, `32k` (1000) or `32K` (1024) as vLLM 0.33.0 reads them (utils/argparse_utils.py); None for anything else."""
    match = _SCALED.fullmatch(text.strip())
    if match is None:
        return None
    number, unit = match.groups()
    value = float(number) * (_BINARY.get(unit) or _FACTORS[unit.lower()])
    return int(value) if value.is_integer() and value < 1e15 else None
