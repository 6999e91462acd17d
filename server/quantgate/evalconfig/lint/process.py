"""Rules about the process executor, which runs harnesses without containers on this machine."""

from __future__ import annotations

from collections.abc import Iterable

from ... import credentials
from ...checkpoint.source import expanded
from ...launcher import harnesses
from ...launcher.shell import is_shell_safe
from .environment import variables_of
from .rule import Hit, Rule, Subject, as_mapping

OWN = "quantgate's process executor (launcher/process_executor.py)"


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
            explains=("deployment", "target"),  # what a deployment lacks, and an endpoint that is right without one
        )


def unsafe_output_path(subject: Subject) -> Iterable[Hit]:
    """An output directory that a shell would take apart: it stands unquoted in commands, here and on the cluster."""
    value = subject.at("execution", "output_dir")
    executor = subject.composed.executor
    if not isinstance(value, str) or value == "???" or "<" in value or "???" in value:
        return
    shown = value if executor == "slurm" else str(expanded(value).absolute())
    if executor in ("process", "slurm"):
        unsafe = not is_shell_safe(shown.removeprefix("~"))
    else:
        unsafe = any(character in shown for character in '"`$\\\n:')
    if unsafe:
        yield Hit(
            "execution.output_dir", f"The output directory {shown[:80]!r} has characters that a shell takes apart"
        )


def not_for_processes(subject: Subject) -> Iterable[Hit]:
    """What the process executor refuses, or leaves out without containers."""
    if subject.composed.executor != "process":
        return
    for key in ("launcher_install_cmd", "export_mounts", "export_image"):
        if subject.at("execution", "auto_export", key):
            path = f"execution.auto_export.{key}"
            message = f"{path} is for the export job on a cluster; a process run exports in quantgate's own environment"
            yield Hit(path, message, f"edit_config(unset=['{path}'])", "warning")
    for name, value in as_mapping(subject.at("auxiliary_deployments")).items():
        if as_mapping(value).get("type", "none") != "none":
            message = f"The process executor deploys nothing, and auxiliary_deployments.{name} is a server"
            yield Hit(f"auxiliary_deployments.{name}", message, "serve that model yourself and give its URL")
    for path, name, _ in variables_of(subject):
        if credentials.steers_programs(name) and not path.startswith(("deployment.", "export.")):
            message = f"A process run does not take {name} from a config: it steers which programs run"
            yield Hit(path, message, f"edit_config(unset=['{path}'])")
    for key in ("mounts", "extra_docker_args"):
        if subject.at("execution", key):
            message = f"execution.{key} is for containers, and the process executor has none"
            yield Hit(f"execution.{key}", message, f"edit_config(unset=['execution.{key}'])", "warning")


NO_SERVER_RULES = (
    Rule(
        "P02",
        "error",
        "Process executor with a deployment",
        "use `deployment: none` with target.api_endpoint, or execution.type local or slurm",
        OWN,
        process_with_deployment,
    ),
)
RULES = (
    Rule(
        "P04",
        "error",
        "Output path unsafe in a shell",
        "use a path of letters, digits and _ - . / only",
        "quantgate's process executor; NEL 0.2.6 executors/slurm/executor.py (mkdir, sbatch and srun lines)",
        unsafe_output_path,
    ),
    Rule(
        "P01",
        "error",
        "Process executor with a container-only harness",
        "use a container engine or another harness",
        "quantgate's process executor (launcher/harnesses.yaml)",
        harness_without_wheel,
    ),
    Rule(
        "P15", "error", "Not for the process executor", "remove it, or use a container engine", OWN, not_for_processes
    ),
)
