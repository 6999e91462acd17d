"""Rules about flags that a serving program does not take, and flags that stand twice. The table is foreign_flags.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...errors import BadInput
from .. import paths
from ..command_flags import ALONE, ServingCommand, canonical, flag_table
from ..programs import table
from .effective import COMMAND, EXTRA_ARGS, Serving, serving
from .rule import Hit, Rule, Subject

_TABLE = Path(__file__).with_name("foreign_flags.yaml")
_REQUESTS = "requests"
"""Makes a command of `extra_args`, which are flags without one."""
_AUTO_TOOLS, _TOOL_PARSER = "--enable-auto-tool-choice", "--tool-call-parser"
_EACH_COUNTS = frozenset({"--middleware"})
"""Flags that are given once for each value (vLLM 0.33.0 entrypoints/common/cli_args.py)."""


class Foreign(BaseModel):
    """Flags that a program does not take, by what to use instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    instead: dict[str, str]


@cache
def foreign_flags() -> dict[str, Foreign]:
    """foreign_flags.yaml by framework, read once."""
    import yaml

    rows = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {name: Foreign.model_validate(row) for name, row in rows.items()}


def foreign_flag(subject: Subject) -> Iterable[Hit]:
    """A flag of the other program, or a parameter of the requests: the server refuses to start."""
    server = serving(subject)
    own = foreign_flags().get(server.framework) if server is not None else None
    if server is None or own is None:
        return
    requests = foreign_flags()[_REQUESTS].instead
    for written in dict.fromkeys(name for name, _ in server.command.flags):
        name = written.replace("_", "-")
        if name in own.instead:
            instead = own.instead[name]
            message = f"{server.framework} has no flag {written[:60]}, and does not start with it"
            fix = f"{server.framework} calls it {instead}" if instead else f"leave it out: {server.drop(written)}"
        elif name in requests:
            message = f"{written[:60]} is a parameter of the requests: {server.framework} does not start with it"
            fix = f"{server.drop(written)}, and set {requests[name]}"
        else:
            continue
        yield Hit(_holder(server, written), message, fix, cause=f"P32{name}")


def _holder(server: Serving, written: str) -> str:
    return EXTRA_ARGS if written in server.extra and written not in server.written else COMMAND


def flag_twice(subject: Subject) -> Iterable[Hit]:
    """A flag that one text has twice with two values, or that contradicts the field which NEL's command takes."""
    server = serving(subject)
    if server is None:
        return
    where = COMMAND if server.own else EXTRA_ARGS
    several = flag_table().several_values.names
    given: dict[str, list[str]] = {}
    for name, value in server.command.flags if server.own else _flags_of(server.extra):
        # A name with a dot sets one key of a larger setting.
        if "." not in name and canonical(name) not in several | _EACH_COUNTS:
            given.setdefault(canonical(name), []).append(value)
    for name, values in given.items():
        if len(dict.fromkeys(values)) > 1:
            shown = ", ".join(f"{name} {value[:40]}".strip() for value in values[:3])
            yield Hit(where, f"{where} has {shown}: the last one counts", f"keep one {name}", cause=f"P33{name}")
    for field, flag in () if server.own else table().fields.flags.items():
        own, other = paths.dig(subject.written, "deployment", field), given.get(canonical(flag), [""])[-1]
        if own is not None and other and str(own) != other:
            message = f"deployment.{field} is {own}, and {EXTRA_ARGS} has {flag} {other[:40]}: the last one counts"
            yield Hit(EXTRA_ARGS, message, f"keep one: edit_config(unset=['deployment.{field}'])", cause=f"P33{field}")


def parser_left_out(subject: Subject) -> Iterable[Hit]:
    """Tool calls switched on without a parser (vLLM ends), or a parser that nothing switches on."""
    server = serving(subject)
    if server is None or server.framework != "vllm":
        return
    auto, parser = server.has(_AUTO_TOOLS), server.has(_TOOL_PARSER)
    # T05 says it where a benchmark needs the calls.
    if auto == parser or any(entry.harness == "tau2_bench" for entry in subject.catalogue_tasks.values()):
        return
    if auto:
        message = f"{_AUTO_TOOLS} without {_TOOL_PARSER}: vLLM refuses to start"
        fix = f"add {_TOOL_PARSER} as read_model_config names it, or {server.drop(_AUTO_TOOLS)}"
        yield Hit(server.place(_AUTO_TOOLS), message, fix, cause="P39")
    else:
        message = f"{_TOOL_PARSER} has no effect without {_AUTO_TOOLS}"
        yield Hit(server.place(_TOOL_PARSER), message, server.add(_AUTO_TOOLS), "note", cause="P39")


def _flags_of(extra: str) -> tuple[tuple[str, str], ...]:
    try:
        return ServingCommand.parse(ALONE + extra).flags
    except BadInput:  # an open quote: another rule has it
        return ()


RULES = (
    Rule(
        "P32",
        "error",
        "Flag of another program",
        "use this program's own flag",
        "vLLM 0.33.0 engine/arg_utils.py; SGLang 0.5.23 srt/arg_groups/fields",
        foreign_flag,
    ),
    Rule(
        "P33",
        "warning",
        "Flag given twice",
        "keep one",
        "Python's argparse, which vLLM 0.33.0 and SGLang 0.5.23 read their flags with: the last one counts",
        flag_twice,
    ),
    Rule(
        "P39",
        "error",
        "Tool calls without their parser",
        "give both flags, or none",
        "vLLM 0.33.0 entrypoints/common/cli_args.py (validate_parsed_serve_args)",
        parser_left_out,
    ),
)
