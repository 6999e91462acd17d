"""Rules about how and where the config runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from .rule import Hit, Rule, Subject
from .structure import FACTS

EXECUTORS = ("local", "slurm", "process", "lepton")
_WALLTIME = re.compile(r"(?:\d+-)?\d{1,3}:[0-5]?\d:[0-5]?\d")


def walltime(subject: Subject) -> Iterable[Hit]:
    """A walltime that YAML reads as a number, or that sbatch would refuse."""
    if subject.composed.executor != "slurm":
        return
    for key in ("walltime", "max_walltime"):
        value = subject.at("execution", key)
        if value is None or value == "???":
            continue
        path = f"execution.{key}"
        if not isinstance(value, str):
            yield Hit(path, f"{path} is read as the number {value}", f'quote it: "{_as_clock(value)}"')
        elif not _WALLTIME.fullmatch(value) or not any(digit in value for digit in "123456789"):
            yield Hit(path, f"{path} is {value[:40]!r}, which is no time limit", 'write "HH:MM:SS" or "D-HH:MM:SS"')
    one, all_of_them = (walltime_seconds(subject.at("execution", key)) for key in ("walltime", "max_walltime"))
    if one and all_of_them and all_of_them < one:
        message = "max_walltime, the limit of the whole chain of jobs, is below walltime, that of one job"
        yield Hit("execution.max_walltime", message, "raise it, or set it to null for no limit")


def _as_clock(value: object) -> str:
    """The time that was meant: YAML 1.1 reads `12:00:00` as 43200, base 60."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 100 * 86400:
        return "04:00:00"
    return f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d}"


def walltime_seconds(value: object) -> int:
    """Seconds of a time limit; 0 when it is none."""
    if not isinstance(value, str) or not _WALLTIME.fullmatch(value):
        return 0
    days, _, clock = value.rpartition("-")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return ((int(days or 0) * 24 + hours) * 60 + minutes) * 60 + seconds


def nodes_and_instances(subject: Subject) -> Iterable[Hit]:
    """Nodes that do not divide evenly among the instances."""
    nodes, instances = subject.at("execution", "num_nodes"), subject.at("execution", "num_instances")
    if isinstance(nodes, int) and isinstance(instances, int) and instances > 0 and nodes % instances:
        yield Hit("execution.num_instances", f"num_nodes {nodes} is not divisible by num_instances {instances}")


def relative_output(subject: Subject) -> Iterable[Hit]:
    """An output_dir that depends on where the launcher starts, or on the cluster does not exist."""
    value = subject.at("execution", "output_dir")
    if not isinstance(value, str) or value == "???" or "<" in value or PurePosixPath(value).is_absolute():
        return
    path = "execution.output_dir"
    if value.startswith("~") and subject.composed.executor != "slurm":
        message = f"output_dir {value[:80]!r}: plain NEL does not expand the ~ and makes a directory of that name"
        yield Hit(path, message, severity="warning")
    elif subject.composed.executor == "slurm":
        yield Hit(path, f"output_dir {value[:80]!r} is relative: the jobs' directories would not exist on the cluster")
    else:
        yield Hit(
            path, f"output_dir {value[:80]!r} is relative: it depends on where the server was started", severity="note"
        )


def unknown_executor(subject: Subject) -> Iterable[Hit]:
    """An `execution.type` that neither NEL nor quantgate has."""
    if subject.composed.executor not in EXECUTORS:
        given = subject.composed.executor[:40]
        if given:  # without a type there is no group of defaults either, and P14 says so
            yield Hit("execution.type", f"There is no executor {given!r}", f"use one of {', '.join(EXECUTORS)}")


RULES = (
    Rule("P03", "error", "Unknown executor", "correct execution.type", FACTS, unknown_executor),
    Rule("C12", "error", "Walltime that is none", 'quote it as "HH:MM:SS"', FACTS, walltime),
    Rule(
        "C23",
        "error",
        "Nodes not divisible by instances",
        "make num_nodes a multiple of num_instances",
        FACTS,
        nodes_and_instances,
    ),
    Rule(
        "S06",
        "error",
        "Relative output_dir",
        "give an absolute path on a file system that the nodes share",
        FACTS,
        relative_output,
    ),
)
