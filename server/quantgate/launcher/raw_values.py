"""Values of a config that are not meant as commands and yet decide which programs run on this machine.

nemo_evaluator 0.2.8 renders a harness's command from the config again and again, until no Jinja mark is left, and gives it to a
shell. The harnesses' templates (NEL 0.2.6, all_tasks_irs.yaml) put nearly every value into it without quotes. NEL's local
executor does the same with extra_docker_args and the server's command, on a line that runs on this machine. It and the Slurm
executor write nearly every other value of execution and deployment into a script that runs outside of the containers: on this
machine, or in the job as the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ORDINARY = re.compile(r"[\w@%+=:,./?~-]*")
_WITH_SPACES = re.compile(r"[\w@%+=:,./?~ -]*")
_JINJA = re.compile(r"\{[{%#]")
_EVALUATOR = ("nemo_evaluator_config", "config")
"""The evaluator's part of a section; NEL reads the second name where the first is missing."""
_ADAPTER = ("adapter_config", "global_adapter_config")
_ON_A_LINE = "part of `docker run` on this machine"
_ARGUMENTS = "args"
"""A key of this name holds several arguments of the harness, with spaces between them."""
_QUOTED = ".params.extra.custom_config"
"""Written as JSON between single quotes (simple_evals): only a Jinja mark gets out of it."""
_HARMLESS_OPTIONS = re.compile(
    r"(?:\s*(?:--network[= ][\w-]+|--gpus[= ](?:all|\d+|'?\"?device=[\d,]+\"?'?)|--shm-size[= ]\w+)(?=\s|$))*\s*"
)
_IN_QUOTES = re.compile(r"""'[^']*'|"(?:[^"\\$`]|\\.|\$(?![({]))*"|\\.""", re.DOTALL)
_ENDS_A_COMMAND = re.compile(r"""[;&|<>()`'"\n]|\$[({]""")
_OTHER_QUOTES = re.compile(r"""\$['"]|(?:^|\s)#""")
"""Bash reads the quotes after these in another way than `_IN_QUOTES`."""


@dataclass(frozen=True)
class RawValue:
    """One such value.

    Attributes:
        place: Its path in the config.
        text: The value.
        becomes: What it is used as.
    """

    place: str
    text: str
    becomes: str


def of_process(config: Mapping[str, Any]) -> Iterator[RawValue]:
    """The values that a process run would bring into a shell or a Python interpreter of this machine.

    Args:
        config: The composed config, as plain mappings and lists.
    """
    yield from _texts("target", config.get("target"))
    evaluation = config.get("evaluation")
    if not isinstance(evaluation, Mapping):
        return
    tasks = evaluation.get("tasks")
    places = [("evaluation", evaluation)]
    places += [(f"evaluation.tasks[{n}]", task) for n, task in enumerate(tasks if isinstance(tasks, list) else [])]
    for place, section in places:
        for key in _EVALUATOR:
            if isinstance(section, Mapping):
                yield from _texts(f"{place}.{key}", section.get(key))


def _texts(place: str, value: Any) -> Iterator[RawValue]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            at = f"{place}.{key}"
            if key in _ADAPTER:
                # No template takes anything from it, and a system prompt may have any character.
                yield from _imports(at, inner)
                continue
            if not _ORDINARY.fullmatch(str(key)):
                yield RawValue(place, str(key), "key, part of the harness's command line")
            yield from _texts(at, inner)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _texts(f"{place}[{number}]", inner)
    elif isinstance(value, str) and not _is_one_word(place, value):
        yield RawValue(place, value, "part of the harness's command line")


def _is_one_word(place: str, text: str) -> bool:
    if _QUOTED in place:
        return not _JINJA.search(text)
    ordinary = _WITH_SPACES if place.rpartition(".")[2] == _ARGUMENTS else _ORDINARY
    return bool(ordinary.fullmatch(text))


def _imports(place: str, adapter: Any) -> Iterator[RawValue]:
    discovery = adapter.get("discovery") if isinstance(adapter, Mapping) else None
    if discovery and not (isinstance(discovery, Mapping) and not any(discovery.values())):
        yield RawValue(f"{place}.discovery", json.dumps(discovery, default=str), "Python code that the adapter imports")


_LINE_OF_SCRIPT = "part of the job's script, which runs on the cluster as you, outside of the containers"
_FILE_IN_CONTAINER = frozenset({"command", "base_command", "extra_args", "pre_cmd", "env_vars"})
"""Keys of a deployment that NEL brings into its container as a file, in base64; of the variables see `secret_values`."""
_HEADER = frozenset(
    {"walltime", "account", "partition", "cpu_partition", "subproject", "gres", "gpus_per_node", "ntasks_per_node"}
)
"""Keys of execution that stand in `#SBATCH` lines only: to a shell these are comments, up to the end of the line."""
_OF_A_TASK = ("name", "container", "dataset_dir", "dataset_mount_path")
_ORDINARY_WORD = re.compile(r"(?:[\w@%+=:,./?~-][\w@%+=:,./?~#-]*)?")
_READ_IN_QUOTES = re.compile(r'["$`\\\n]')
"""NEL's local executor puts the output directory between double quotes."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ONE_LINE = re.compile(r"[^\r\n]*")


def of_slurm(config: Mapping[str, Any]) -> Iterator[RawValue]:
    """What a Slurm run would bring into the script of its jobs, besides what is written there as a command.

    Args:
        config: The composed config, as plain mappings and lists.
    """
    execution = config.get("execution")
    own = dict(execution) if isinstance(execution, Mapping) else {}
    # It is made readable before it is written (`slurm_start.prepare`), and stands in quotes.
    own.pop("sbatch_comment", None)
    own.pop("output_dir", None)  # gates.questions.hosts takes plain paths only
    flags = own.pop("sbatch_extra_flags", None)
    for name, value in flags.items() if isinstance(flags, Mapping) else ():
        if not _ORDINARY.fullmatch(str(name)) or not _ONE_LINE.fullmatch(str(value)):
            yield RawValue("execution.sbatch_extra_flags", f"{name}: {value}", _LINE_OF_SCRIPT)
    for key in sorted(_HEADER & own.keys()):
        if not _ONE_LINE.fullmatch(str(own.pop(key))):
            yield RawValue(f"execution.{key}", str((execution or {})[key]), _LINE_OF_SCRIPT)
    auto_export = own.get("auto_export")
    if isinstance(auto_export, Mapping) and auto_export.get("launcher_install_cmd"):
        place = "execution.auto_export.launcher_install_cmd"
        yield RawValue(place, str(auto_export["launcher_install_cmd"]), "a command of the export's container")
        own["auto_export"] = {k: v for k, v in auto_export.items() if k != "launcher_install_cmd"}
    yield from _on_lines({**config, "execution": own}, _LINE_OF_SCRIPT)


def _on_lines(config: Mapping[str, Any], becomes: str) -> Iterator[RawValue]:
    """The values of a run in containers that a shell would take for more than one word, or that begin like an option."""
    deployments = config.get("auxiliary_deployments")
    servers = [("deployment", config.get("deployment"))]
    servers += [(f"auxiliary_deployments.{n}", v) for n, v in _items(deployments)]
    execution = dict(_items(config.get("execution")))
    for group, variables in _items(execution.pop("env_vars", None)):
        yield from _variables(f"execution.env_vars.{group}", variables, becomes)
    yield from _words("execution", execution, becomes)
    yield from (RawValue("auxiliary_deployments", n, becomes) for n, _ in _items(deployments) if not _is_word(n))
    for place, server in servers:
        yield from _words(place, {k: v for k, v in _items(server) if k not in _FILE_IN_CONTAINER}, becomes)
        command = str(dict(_items(server)).get("command") or "")
        # NEL encodes the command of the model's own server, and that of an auxiliary one only for several instances.
        if place != "deployment" and command and not _stays_in_its_container(command):
            yield RawValue(f"{place}.command", command, becomes)
    evaluation = config.get("evaluation")
    tasks = evaluation.get("tasks") if isinstance(evaluation, Mapping) else None
    for number, task in enumerate(tasks if isinstance(tasks, list) else []):
        chosen = {k: v for k, v in _items(task) if k in _OF_A_TASK}
        yield from _words(f"evaluation.tasks[{number}]", chosen, becomes)
        servers.append((f"evaluation.tasks[{number}]", task))
    for place, section in [*servers, ("", config), ("evaluation", evaluation), ("export", config.get("export"))]:
        yield from _variables(f"{place}.env_vars".lstrip("."), dict(_items(section)).get("env_vars"), becomes)


def _variables(place: str, variables: Any, becomes: str) -> Iterator[RawValue]:
    """Names that are none: NEL writes `export NAME="${NAME}"`, and takes the second one from `runtime:NAME`."""
    for name, declared in _items(variables):
        taken = str(declared).removeprefix("runtime:") if str(declared).startswith("runtime:") else "x"
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(taken):
            yield RawValue(f"{place}.{name}", f"{name}: {declared}", f"variable, {becomes}")


def _items(value: Any) -> list[tuple[str, Any]]:
    return [(str(k), v) for k, v in value.items()] if isinstance(value, Mapping) else []


def _words(place: str, value: Any, becomes: str) -> Iterator[RawValue]:
    if isinstance(value, Mapping):
        for key, inner in _items(value):
            if not _is_word(key):
                yield RawValue(place, key, f"key, {becomes}")
            yield from _words(f"{place}.{key}", inner, becomes)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _words(f"{place}[{number}]", inner, becomes)
    elif isinstance(value, str) and not _is_word(value):
        yield RawValue(place, value, becomes)


def _is_word(text: str) -> bool:
    return bool(_ORDINARY_WORD.fullmatch(text)) and not text.startswith("-")


def of_local(config: Mapping[str, Any]) -> Iterator[RawValue]:
    """What a local run would bring into the lines that start its containers on this machine.

    Options for the network, GPUs and shared memory pass, and so does a server's command that stays inside its container.

    Args:
        config: The composed config, as plain mappings and lists.
    """
    execution = config.get("execution")
    given = execution.get("extra_docker_args") if isinstance(execution, Mapping) else None
    if given and not (isinstance(given, str) and _HARMLESS_OPTIONS.fullmatch(given)):
        yield RawValue("execution.extra_docker_args", str(given), _ON_A_LINE)
    deployment = config.get("deployment")
    command = deployment.get("command") if isinstance(deployment, Mapping) else None
    if command and not _stays_in_its_container(str(command)):
        yield RawValue("deployment.command", str(command), _ON_A_LINE)
    others = {k: v for k, v in _items(execution) if k not in ("extra_docker_args", "output_dir")}
    place = str(execution.get("output_dir") or "") if isinstance(execution, Mapping) else ""
    if _READ_IN_QUOTES.search(place):
        yield RawValue("execution.output_dir", place, _ON_A_LINE)
    yield from _on_lines({**config, "execution": others}, _ON_A_LINE)


def _stays_in_its_container(command: str) -> bool:
    """Whether a shell of this machine takes the command for words and nothing else."""
    return not _OTHER_QUOTES.search(command) and not _ENDS_A_COMMAND.search(_IN_QUOTES.sub("", command.strip()))
