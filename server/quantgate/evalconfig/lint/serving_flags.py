"""The rule about misspelt flags of a serving program. The names are in serving_flags.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..command_flags import canonical, flag_table
from .effective import serving
from .rule import Hit, Rule, Subject

_TABLE = Path(__file__).with_name("serving_flags.yaml")
_SHORTEST = 6
_NEAR = 0.9
_OPPOSITE = ("--enable-", "--disable-", "--no-")
_MOST = 5


class Program(BaseModel):
    """The flags of one program, and where they are known from."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    names: frozenset[str]


@cache
def flag_names() -> dict[str, Program]:
    """serving_flags.yaml by framework, read once."""
    import yaml

    rows = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {name: Program.model_validate(row) for name, row in rows.items()}


def misspelt_flag(subject: Subject) -> Iterable[Hit]:
    """A flag that the program does not have and that is nearly one it has: the server refuses to start."""
    server = serving(subject)
    if server is None or server.framework not in flag_names():
        return
    found = 0
    for written, _ in server.command.flags:
        near = nearest(server.framework, written)
        if near and found < _MOST:
            found += 1
            message = f"{server.framework} has no flag {written[:60]}: an unknown flag keeps the server from starting"
            yield Hit(server.place(written), message, f"did you mean {near}?", cause=f"P30.{found}")


def nearest(framework: str, written: str) -> str:
    """The flag that was probably meant; empty for one that is known (to either program), abbreviated, or like no other."""
    name, names = canonical(written), flag_names()[framework].names
    everywhere = frozenset().union(*(row.names for row in flag_names().values()))
    if not written.startswith("--") or "." in written or len(name) > 80 or _is_known(name, everywhere):
        return ""
    compact = {known.replace("-", ""): known for known in sorted(names)}
    key = name.replace("-", "")
    if len(key) < _SHORTEST:
        return ""
    for match in difflib.get_close_matches(key, compact, n=3, cutoff=_NEAR):
        words, theirs = set(name.split("-")), set(compact[match].split("-"))
        # One with a word more or less is another flag, and so is the opposite.
        if match == key or (_prefix(compact[match]) == _prefix(name) and not (words <= theirs or theirs <= words)):
            return compact[match]
    return ""


def _is_known(name: str, names: frozenset[str]) -> bool:
    positive = "--" + name.removeprefix("--no-") if name.startswith("--no-") else name
    same = {canonical(known) for known in names} | flag_table().switches.names | flag_table().several_values.names
    paired = name.replace("--disable-", "--enable-", 1)
    # argparse takes the beginning of a flag for the flag.
    return bool({name, positive, paired} & same) or any(known.startswith(name) for known in names)


def _prefix(name: str) -> str:
    return next((prefix for prefix in _OPPOSITE if name.startswith(prefix)), "")


RULES = (
    Rule(
        "P30",
        "warning",
        "Misspelt flag of the server",
        "correct it",
        "vLLM 0.33.0 engine/arg_utils.py and entrypoints/common/cli_args.py; SGLang 0.5.23 srt/arg_groups/fields",
        misspelt_flag,
    ),
)
