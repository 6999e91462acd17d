"""Rules about how and where the config runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ...launcher import harnesses
from ...launcher.shell import is_shell_safe
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
            yield Hit(path, f"{path} is read as the number {value}", 'quote it: "04:00:00"')
        elif not _WALLTIME.fullmatch(value):
            yield Hit(path, f"{path} is {value[:40]!r}, which is no time limit", 'write "HH:MM:SS" or "D-HH:MM:SS"')


def nodes_and_instances(subject: Subject) -> Iterable[Hit]:
    """Nodes that do not divide evenly among the instances."""
    nodes, instances = subject.at("execution", "num_nodes"), subject.at("execution", "num_instances")
    if isinstance(nodes, int) and isinstance(instances, int) and (instances < 1 or nodes % instances):
        yield Hit("execution.num_instances", f"num_nodes {nodes} is not divisible by num_instances {instances}")


def relative_output(subject: Subject) -> Iterable[Hit]:
    """An output_dir that depends on where the launcher starts, or on the cluster does not exist."""
    value = subject.at("execution", "output_dir")
    if not isinstance(value, str) or value == "???" or "<" in value or PurePosixPath(value).is_absolute():
        return
    path = "execution.output_dir"
    if subject.composed.executor == "slurm":
        yield Hit(path, f"output_dir {value[:80]!r} is relative: the jobs' directories would not exist on the cluster")
    else:
        yield Hit(
            path, f"output_dir {value[:80]!r} is relative: it depends on where the server was started", severity="note"
        )


def unknown_executor(subject: Subject) -> Iterable[Hit]:
    """An `execution.type` that neither NEL nor quantgate has."""
    if subject.composed.executor not in EXECUTORS:
        given = subject.composed.executor[:40]
        yield Hit("execution.type", f"There is no executor {given!r}", f"use one of {', '.join(EXECUTORS)}")


def harness_without_wheel(subject: Subject) -> Iterable[Hit]:
    """A task of the process executor whose harness comes only as a container."""
    if subject.composed.executor != "process":
        return
    for index, task in subject.catalogue_tasks.items():
        if harnesses.wheel_for(task.harness) is None:
            yield Hit(
                f"evaluation.tasks[{index}].name",
                f"The process executor cannot run {task.id}: the harness {task.harness} has no wheel, "
                f"only the container {task.container}",
                "set execution.type=local with a container engine, or take a task of a harness with a wheel: "
                + ", ".join(sorted(harnesses.table())),
            )
    for entry in subject.tasks:
        if entry.raw.get("container"):
            yield Hit(
                f"evaluation.tasks[{entry.index}].container",
                "The process executor runs no containers, and this task names one",
                "set execution.type=local with a container engine, or remove `container`",
            )


def process_with_deployment(subject: Subject) -> Iterable[Hit]:
    """The process executor serves no models."""
    if subject.composed.executor == "process" and subject.composed.deployment != "none":
        yield Hit(
            "deployment",
            f"The process executor cannot serve a model, and the config deploys one ({subject.composed.deployment})",
        )


def process_output_path(subject: Subject) -> Iterable[Hit]:
    """An output directory that a shell would take apart: NEL and the harnesses put it unquoted into their commands."""
    value = subject.at("execution", "output_dir")
    if subject.composed.executor != "process" or not isinstance(value, str) or value == "???":
        return
    absolute = str(Path(value).expanduser().absolute())
    if not is_shell_safe(absolute):
        yield Hit(
            "execution.output_dir", f"The output directory {absolute[:80]!r} has characters that a shell takes apart"
        )


RULES = (
    Rule(
        "P04",
        "error",
        "Output path unsafe in a shell",
        "use a path of letters, digits and _ - . / only",
        "quantgate's process executor",
        process_output_path,
    ),
    Rule("P03", "error", "Unknown executor", "correct execution.type", FACTS, unknown_executor),
    Rule(
        "P02",
        "error",
        "Process executor with a deployment",
        "use `deployment: none` with target.api_endpoint, or execution.type local or slurm",
        "quantgate's process executor",
        process_with_deployment,
    ),
    Rule(
        "P01",
        "error",
        "Process executor with a container-only harness",
        "use a container engine or another harness",
        "quantgate's process executor (launcher/harnesses.yaml)",
        harness_without_wheel,
    ),
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
