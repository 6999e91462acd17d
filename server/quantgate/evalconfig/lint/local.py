"""Rules about NEL's local executor, which runs containers with Docker on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...system import machine
from .. import paths
from .environment import groups
from .rule import Hit, Rule, Subject, as_mapping
from .serving_text import shell_breaks
from .structure import FACTS

LOCAL = "NeMo Evaluator Launcher 0.2.6 executors/local/executor.py and run.template.sh"
_TELEMETRY = (
    "NEMO_EVALUATOR_TELEMETRY_LEVEL",
    "NEMO_EVALUATOR_TELEMETRY_SESSION_ID",
    "NEMO_EVALUATOR_TELEMETRY_ENDPOINT",
)
_ARM_WORDS = ("gb200", "gb300", "gh200", "gb10", "grace", "aarch64", "arm64")


def server_command(subject: Subject) -> Iterable[Hit]:
    """deployment.pre_cmd, which the local executor does not run."""
    if subject.composed.executor == "local" and subject.at("deployment", "pre_cmd"):
        yield Hit("deployment.pre_cmd", "The local executor ignores deployment.pre_cmd")


def client_mounts(subject: Subject) -> Iterable[Hit]:
    """Mounts for the evaluation, which the local executor does not make."""
    if subject.composed.executor != "local":
        return
    for key in ("evaluation", "auxiliary"):
        if subject.at("execution", "mounts", key):
            yield Hit(f"execution.mounts.{key}", f"The local executor ignores execution.mounts.{key}")


def no_variable(subject: Subject) -> Iterable[Hit]:
    """No environment variable at all, on which NEL itself stops."""
    if subject.composed.executor != "local" or any(os.environ.get(name) for name in _TELEMETRY):
        return
    if any(as_mapping(subject.at(*place)) for place in groups(subject)):
        return
    if subject.tasks and not subject.at("target", "api_endpoint", "api_key_name"):
        message = "The config has no environment variable: plain `nel` stops on it; quantgate's dry_run and run do not"
        yield Hit("evaluation", message)


def parallel_mode(subject: Subject) -> Iterable[Hit]:
    """Parallel tasks that would each deploy the model on the same GPUs, or a mode that is none."""
    mode = subject.at("execution", "mode")
    if subject.composed.executor != "local" or mode is None or mode in ("sequential", "???"):
        return
    if mode != "parallel":
        yield Hit("execution.mode", f"There is no mode {str(mode)[:40]!r}", "use sequential or parallel")
    elif subject.composed.deployment != "none":
        yield Hit("execution.mode", "NEL refuses mode parallel when it deploys the model itself")


def other_architecture(subject: Subject) -> Iterable[Hit]:
    """A harness whose container is for amd64 only, on an arm64 machine."""
    if subject.composed.executor == "process":
        return
    where = _arm(subject)
    for index, entry in subject.catalogue_tasks.items() if where else ():
        if entry.arch == "amd" and not subject.tasks[index].raw.get("container"):
            message = f"The container of {entry.id} is for amd64 only, and {where} is arm64"
            yield Hit(f"evaluation.tasks[{index}].name", message, cause="S16")


def _arm(subject: Subject) -> str:
    if subject.composed.executor == "local":
        return "this machine" if machine.processor() == "arm64" else ""
    asked = [subject.at("execution", key) for key in ("gres", "partition")]
    asked.append(as_mapping(subject.at("execution", "sbatch_extra_flags")).get("constraint"))
    named = [str(value) for value in asked if any(word in str(value).lower() for word in _ARM_WORDS)]
    return f"the node ({named[0][:40]})" if named else ""


def command_on_the_host(subject: Subject) -> Iterable[Hit]:
    """A server command with line breaks or `;`, `&&`, `|` outside quotes: what follows runs on this machine.

    The local executor writes the command as it stands behind `docker run … image` in a script of its own.
    """
    if subject.composed.executor != "local" or subject.composed.deployment == "none":
        return
    for key in ("command", "image", "port"):
        value = subject.at("deployment", key)
        found = shell_breaks(value) if isinstance(value, str) else ""
        if found:
            path = paths.join(("deployment", key))
            message = f"{path} has {found} outside quotes: what follows runs on this machine, not in the container"
            yield Hit(path, message, cause="P16")
            return


RULES = (
    Rule("S10", "error", "Local executor with deployment.pre_cmd", "put it into the command", FACTS, server_command),
    Rule(
        "S11",
        "error",
        "Local executor with mounts for the evaluation",
        "use the task's dataset_dir, or execution.extra_docker_args",
        FACTS,
        client_mounts,
    ),
    Rule(
        "S12",
        "note",
        "Local executor without any variable",
        "for plain `nel`: edit_config(set=['evaluation.env_vars.DUMMY_API_KEY=lit:dummy'])",
        FACTS,
        no_variable,
    ),
    Rule("S13", "error", "Parallel mode with a deployment", "use mode sequential", FACTS, parallel_mode),
    Rule(
        "S16",
        "error",
        "Container for another architecture",
        "run it on an amd64 machine, or take the benchmark from another harness",
        "NeMo Evaluator Launcher 0.2.6 resources/all_tasks_irs.yaml (arch)",
        other_architecture,
    ),
    Rule(
        "P16",
        "error",
        "Server command that leaves its container",
        "write one command, or wrap it: bash -c '...'",
        LOCAL,
        command_on_the_host,
    ),
)
