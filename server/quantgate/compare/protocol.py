"""How a task was run, as flat named values of what its own directory records; `comparability` compares two of these.

Sources: artifacts/run_config.yml (parameters, adapter, endpoint), artifacts/metadata.yaml (NEL's composed config and versions),
run.sh, run.sub and logs/stdout.log (the container or the wheel), and the task versions in lm-evaluation-harness' own results.
All of it is text that others wrote: read up to a bound, compared, and never run.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..evalconfig.command_flags import ServingCommand, canonical
from ..launcher import harness_env, harnesses
from ..results.results_yml import load_yaml, mapping_at
from ..runs.rundir import TaskDir
from ..system.files import open_plain

MAX_YAML_BYTES = 5 << 20
MAX_SCRIPT_BYTES = 4 << 20
MAX_VERSIONS_BYTES = 64 << 20
MOST_VALUES = 2000
MAX_VALUE = 100_000
_EXACT = 1e15
"""Whole numbers below this are exact in floating point."""
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,3})?", re.ASCII)
_SLURM_CLIENT = re.compile(r"^srun .*?--container-image (\S+) .*--output \S*/client-\S+", re.MULTILINE)
"""The evaluation's own step of NEL's run.sub (0.2.6); the server's and the export's steps write other logs."""
_DOCKER_CLIENT = re.compile(r"^[ \t]*(\S+)[ \t]*\\\n[ \t]*bash -c '", re.MULTILINE)
"""The evaluation's image in NEL's run.sh (0.2.6)."""
_ENVIRONMENT = re.compile(r"harness environment (\S+)")
"""What the process runner writes into a task's stdout.log."""
_KEY = re.compile(r"[\w.\-]+?-py\d+\.\d+-[0-9a-f]{10}")
_NAMES_SOMETHING = re.compile(r"(?:version|revision|commit|hash|sha|tag|digest|id|name|date)$", re.IGNORECASE)
"""The end of a parameter's name whose value names something, so that "1.10" is not the number 1.1."""
FLAGS, COMMAND = "deployment.flags.", "deployment.command"
_INSERTED = re.compile(r"\$\(|`|\$[A-Za-z_{]")
"""What a shell puts something in place of: arguments that nobody sees here."""


@dataclass(frozen=True)
class Protocol:
    """How one task was run.

    Attributes:
        values: By a dotted name whose first part is the document: "params.temperature", "deployment.flags.--kv-cache-dtype".
        documents: The first parts of names that could be read; a name that is missing below one of these is not set.
        config: NEL's composed config; empty where it was not kept.
        versions: Of the launcher's parts, by NEL's own record.
        command: The launcher's command line, by the same.
        unread: The beginnings of names below which something is set that could not be read.
        asked: URL and name of the model that was asked; empty where run_config.yml does not tell.
    """

    values: Mapping[str, str]
    documents: frozenset[str]
    config: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    unread: tuple[str, ...] = ()
    asked: tuple[str, str] = ("", "")

    def shows(self, name: str) -> bool:
        """Whether this side tells what a named value is; one that is then missing is not set."""
        return name.partition(".")[0] in self.documents and not name.startswith(self.unread)


def read_protocol(task: TaskDir, harness: str) -> Protocol:
    """What a task's directory says of how it was run; nothing that cannot be read is an error.

    Args:
        task: From a `RunDir`.
        harness: As in NEL's catalogue; empty when not known.
    """
    values: dict[str, str] = {}
    used, metadata = _yaml(task.artifacts / "run_config.yml"), _yaml(task.artifacts / "metadata.yaml")
    config = mapping_at(metadata, "launcher_resolved_config")
    versions = {str(k)[:80]: str(v)[:80] for k, v in mapping_at(metadata, "versioning").items()}
    if used:
        values |= dict(_flat("params", mapping_at(used, "config", "params")))
        values |= dict(_flat("adapter", _interceptors(mapping_at(used, "target", "api_endpoint", "adapter_config"))))
        values |= _named("endpoint.type", mapping_at(used, "target", "api_endpoint").get("type"))
        values |= _named("harness.name", used.get("framework_name"))
        values |= _named("harness.task", mapping_at(used, "config").get("type"))
    unread = False
    if config:
        deployed, unread = _deployment(mapping_at(config, "deployment"))
        values |= deployed
    values |= _named("launcher.version", versions.get("nemo_evaluator_launcher"))
    values |= _named("evaluator.version", versions.get("nemo_evaluator"))
    values |= _named("build.commit", versions.get("git-hash"))
    values |= _named("container.image", container(task, harness))
    values |= dict(_flat("version", _task_versions(task.artifacts)))
    documents = {name.partition(".")[0] for name in values}
    documents |= {"params", "adapter"} if used else set()
    documents |= {"deployment"} if config else set()
    endpoint = mapping_at(used, "target", "api_endpoint")
    return Protocol(
        values,
        frozenset(documents),
        config,
        versions,
        str(mapping_at(metadata).get("launcher_command") or ""),
        unread=(FLAGS,) if unread else (),
        asked=(canonical_text(endpoint.get("url")).rstrip("/"), canonical_text(endpoint.get("model_id"))),
    )


def container(task: TaskDir, harness: str) -> str:
    """What the harness ran from: the image of the evaluation's container, or the wheel of a process run; empty when not shown."""
    for name, pattern in (("run.sub", _SLURM_CLIENT), ("run.sh", _DOCKER_CLIENT)):
        if found := pattern.findall(_text(task.path / name)):
            return str(found[-1]).strip("'\"")
    environments = _ENVIRONMENT.findall(_text(task.logs / "stdout.log"))
    if not environments:
        return ""
    # The directory is called by the environment's key and the number of its installation.
    name, wheel = Path(environments[-1]).name, harnesses.wheel_for(harness)
    if wheel is not None and name.startswith(harness_env.key(wheel)):
        return ", ".join(wheel.requirements)
    key = _KEY.match(name)
    return key[0] if key else ""


def canonical_text(value: Any, *, numeric: bool = False) -> str:
    """A value of a YAML file in one spelling: 0 and 0.0 are the same number; empty for none.

    Args:
        value: As YAML gave it.
        numeric: Whether text that reads as a number is one: "1e-5" is text to YAML, and a number to a harness.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)[:MAX_VALUE]
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
    if value is None:
        return ""
    text = str(value)[:MAX_VALUE].strip()
    if not numeric or not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    return canonical_text(number) if math.isfinite(number) and abs(number) < _EXACT else text


def _named(name: str, value: Any) -> dict[str, str]:
    text = canonical_text(value) if not isinstance(value, Mapping | list) else ""
    return {name: text} if text else {}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """The leaves below a name; what is null or empty is not set. Of the parameters, text that reads as a number is one."""
    left = MOST_VALUES
    stack: list[tuple[str, Any]] = [(prefix, value)]
    while stack and left > 0:
        name, item = stack.pop()
        if isinstance(item, Mapping):
            stack += [(f"{name}.{key}"[:400], child) for key, child in item.items()]
        elif isinstance(item, list):
            stack += [(f"{name}.{number}", child) for number, child in enumerate(item)]
        elif text := canonical_text(
            item, numeric=prefix == "params" and not _NAMES_SOMETHING.search(name.rpartition(".")[2])
        ):
            left -= 1
            yield name, text


def _interceptors(adapter: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the interceptors that are on, by their names; and the adapter's own."""
    found: dict[str, Any] = {k: v for k, v in adapter.items() if not isinstance(v, list | Mapping)}
    given = adapter.get("interceptors")
    for row in given if isinstance(given, list) else []:
        if isinstance(row, Mapping) and row.get("enabled") is not False and row.get("name"):
            found[str(row["name"])] = {"enabled": True, **mapping_at(row, "config")}
    return found


def _deployment(section: Mapping[str, Any]) -> tuple[dict[str, str], bool]:
    """The deployment's fields, its command and the flags in it, each in its first spelling; and whether flags could not be read."""
    told = {k: v for k, v in section.items() if k not in ("command", "env_vars", "endpoints", "extra_args")}
    values = dict(_flat("deployment", told))
    unread = False
    for key in ("command", "extra_args"):
        text = section.get(key)
        if not isinstance(text, str) or not text.strip():
            continue
        values[COMMAND] = " ".join([values.get(COMMAND, ""), *text.split()]).strip()[:MAX_VALUE]
        try:
            # Arguments alone are no command: with a program before them they are read as one.
            command = ServingCommand.parse(text if key == "command" else f"vllm serve {text}")
        except BadInput:
            unread = True
            continue
        # A script in quotes has no program here, and what a shell puts in is not in the text.
        unread = unread or not command.program or any(_INSERTED.search(word) for _, word in command.strays)
        for flag, value in command.flags:
            values[f"{FLAGS}{canonical(flag)}"] = canonical_text(value) or "set"
    return values, unread


def _task_versions(artifacts: Path) -> dict[str, Any]:
    """The versions of its tasks, as lm-evaluation-harness writes them into results_<date>.json."""
    newest = ""
    for path in sorted(artifacts.glob("*/results_*.json"))[-1:]:
        newest = _text(path, MAX_VERSIONS_BYTES)
    if not newest:
        return {}
    import json

    try:
        data = json.loads(newest)
    except (ValueError, RecursionError):
        return {}
    return dict(mapping_at(data, "versions"))


def configured(task: TaskDir) -> str:
    """The catalogue's id of a task by its run_config.yml (`ifbench.ifbench`); empty where that does not tell."""
    used = _yaml(task.artifacts / "run_config.yml")
    harness = _named("", used.get("framework_name")).get("", "")
    kind = _named("", mapping_at(used, "config").get("type")).get("", "")
    return f"{harness}.{kind}" if harness and kind else ""


def _yaml(path: Path) -> Mapping[str, Any]:
    """A file that PyYAML wrote, read as PyYAML reads it: to YAML 1.2, the commit 12e45678 is a number."""
    import yaml

    try:
        data = load_yaml(path, MAX_YAML_BYTES)
    except BadInput:
        return {}
    # With tags of somebody's own, what was read above stays: it leaves them out.
    with contextlib.suppress(yaml.YAMLError, ValueError, RecursionError):
        data = yaml.load(_text(path, MAX_YAML_BYTES), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return mapping_at(data)


def _text(path: Path, most: int = MAX_SCRIPT_BYTES) -> str:
    try:
        with open_plain(path) as file:
            return file.read(most).decode("utf-8", "replace")
    except OSError:
        return ""
