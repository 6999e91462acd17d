"""What was really run: which model, which checkpoint, with which parameters, on how much of the set."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...runs.opening import open_file
from ...runs.rundir import TaskDir
from ...runs.sanitise import one_line
from ...runs.scanning.scan import ScanReport
from ..expectation import Expectation
from ..launch_record import LaunchRecord
from ..results_yml import number
from ..run_config import RunConfig
from .check import SAME_SCORE, Check, not_shown
from .logs import loaded_models

OWN_CHECK = frozenset({"limit_samples"})
"""Compared by `limit_as_declared`."""
NO_EFFECT = frozenset({"parallelism", "request_timeout", "max_retries"})
"""Parameters that change how long a run takes, and not what it measures."""
MOST_NAMED = 6
_SCRIPTS = ("run.sub", "run.sh")
_SCRIPT_BYTES = 4 << 20
_MOUNT = re.compile(r"(?:^|[\s,'\"=])([^\s,'\":]+):/checkpoint(?::\w+)?(?=[\s,'\"\\]|$)", re.MULTILINE)
_OWN_LIMIT = re.compile(
    r"(?:--|\+{1,2})(?:limit|max[-_]samples|num[-_](?:tasks|examples)|first[-_]n)[= ]+\d[\d.]{0,12}"
)
CHECKPOINT = "/checkpoint"
"""Where NEL's executors (0.2.6) mount the checkpoint that they serve."""


def limit_as_declared(config: RunConfig | None, problem: str, expectation: Expectation, record: LaunchRecord) -> Check:
    """The run was limited as its record says, and a full run not at all."""
    name = "limit_as_declared"
    if config is None:
        return Check(name, False, one_line(problem, 300), "incomplete")
    declared, used = expectation.limit, config.limit
    if record.kind == "full":
        declared = None
    same = (declared is None) == (used is None) and (
        declared is None or used is None or math.isclose(declared, used, abs_tol=SAME_SCORE)
    )
    words = ["no limit" if n is None else f"{n:g}" for n in (used, declared)]
    if not same:
        detail = f"limit_samples: {words[0]} in run_config.yml, {words[1]} declared"
        return Check(name, False, detail, "invalid")
    own = [found for path, value in _leaves(config.params) if (found := _own_limit(path, value))]
    if own:
        return Check(
            name, False, one_line(f"the harness is given a limit of its own: {', '.join(own)}", 300), "nothing"
        )
    return Check(name, True, f"limit_samples: {words[0]}", "invalid")


def model(config: RunConfig | None, record: LaunchRecord) -> Check:
    """The model that was asked for is the one of the config, and one that the endpoint had."""
    name = "model"
    if config is None or not config.model_id:
        return Check(name, False, "run_config.yml names no model", "incomplete")
    asked = f"{config.model_id} at {config.url}"
    if record.model_id and record.model_id != config.model_id:
        return Check(name, False, one_line(f"{asked}; the config names {record.model_id}", 300), "invalid")
    if record.served and config.model_id not in record.served:
        listed = ", ".join(record.served[:MOST_NAMED])
        return Check(name, False, one_line(f"{asked}; {record.served_at} listed {listed}", 300), "invalid")
    return Check(name, True, one_line(asked, 300), "incomplete")


def parameters(task: TaskDir, config: RunConfig | None, record: LaunchRecord) -> Check:
    """The run used the parameters of its config, asked the type of endpoint that it names, and had its adapter's settings.

    A parameter that neither the config nor the launcher's catalogue has is told: another version of the container may have it.
    """
    name = "parameters"
    if config is None:
        return not_shown(name, "run_config.yml cannot be read")
    planned = record.params.get(task.directory)
    if planned is None:
        return not_shown(name, one_line(record.unknown or "the record of the launch has no such task", 300))
    endpoint = record.endpoint.get(task.directory, {})
    asked_of = {**config.adapter, "type": config.endpoint_type}
    found = [*_differences(planned, config.params), *_differences(endpoint, asked_of)]
    told = [f"{key}: {used} was used, {asked} in the config" for key, asked, used in found[:MOST_NAMED]]
    harmless = all(key in NO_EFFECT for key, _, _ in found)
    defaults = record.defaults.get(task.directory)
    extra = [] if defaults is None else list(_extra(config.params, planned, defaults))
    told += [
        f"{key}: {used} was used, and neither the config nor the catalogue has it" for key, used in extra[:MOST_NAMED]
    ]
    if told:
        return Check(name, False, one_line("; ".join(told), 400), "nothing" if harmless else "invalid")
    count = sum(1 for _ in _leaves(planned)) + sum(1 for _ in _leaves(endpoint))
    return Check(name, True, f"the {count} of the config, by run_config.yml", "invalid")


def checkpoint(task: TaskDir, report: ScanReport, record: LaunchRecord) -> Check:
    """It is shown which checkpoint was served: by the server's log, or the mount of its container; the record is told beside it.

    A name that an endpoint lists is its own word; the weights behind it are then not shown.
    """
    name = "checkpoint"
    loaded, mounted = loaded_models(report), _mounted(task)
    places = {one.model: one.place for one in reversed(loaded)}
    evidence = [f"{place}: the server loaded {model}" for model, place in places.items()]
    evidence += [f"{script} mounts {path} as {CHECKPOINT}" for script, path in mounted.items()]
    if record.checkpoint:
        identity = f" (identity {record.identity[:12]} at the launch)" if record.identity else ""
        evidence.append(f"the config {'deploys' if record.deployed else 'declares'} {record.checkpoint}{identity}")
    if record.served:
        evidence.append(f"{record.served_at} listed {', '.join(record.served[:MOST_NAMED])} at the launch")
    told = one_line("; ".join(evidence), 500)
    if len({one.model for one in loaded if one.by_start}) > 1:
        return Check(name, False, one_line(f"the server loaded different checkpoints: {told}", 500), "invalid")
    configured = record.checkpoint.rstrip("/") if record.deployed else ""
    others = [path for path in mounted.values() if configured.startswith("/") and path.rstrip("/") != configured]
    if others:
        return Check(name, False, one_line(f"it is not the one of the config: {told}", 500), "invalid")
    if loaded or mounted:
        return Check(name, True, told, "invalid")
    said = told or "no log of a server, no mount of a checkpoint and no list of models is at hand"
    return not_shown(name, f"which weights answered; {said}" if told else said)


def served(task: TaskDir, report: ScanReport) -> tuple[str, ...]:
    """The checkpoints behind a task, by the servers' logs and the containers' mounts, each once.

    A path inside of a container is no name: what is mounted there tells.
    """
    names = [one.model for one in loaded_models(report)] + [path.rstrip("/") for path in _mounted(task).values()]
    return tuple(dict.fromkeys(n for n in names if n and n != CHECKPOINT and not n.startswith(f"{CHECKPOINT}/")))


def _own_limit(path: tuple[str, ...], value: Any) -> str:
    """A limit of samples that a harness gets past `limit_samples`; empty where there is none."""
    if path[-1] == "downsampling_ratio":
        share = number(value)
        return f"{'.'.join(path)}={share:g}" if share is not None and 0 < share < 1 else ""
    match = _OWN_LIMIT.search(value) if isinstance(value, str) else None
    return f"{'.'.join(path)} has {match[0]}" if match else ""


def _mounted(task: TaskDir) -> dict[str, str]:
    """What NEL's scripts of a task mount as the checkpoint, by the script's name."""
    found: dict[str, str] = {}
    for script in _SCRIPTS:
        text = _read(task.path / script)
        # A script for all tasks of an invocation, and one of several servers, mount more than one.
        paths = set(_MOUNT.findall(text))
        if len(paths) == 1:
            found[script] = paths.pop()
    return found


def _read(path: Path) -> str:
    try:
        with open_file(path) as file:
            return file.read(_SCRIPT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _differences(planned: Mapping[str, Any], used: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Parameters of the config that run_config.yml has otherwise: name, value in the config, value that was used."""
    for path, value in _leaves(planned):
        if path[0] in OWN_CHECK or (isinstance(value, str) and ("${" in value or value == "???")):
            continue
        found = _at(used, path)
        if not _same(value, found):
            yield ".".join(path), _shown(value), _shown(found)


def _extra(
    used: Mapping[str, Any], planned: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Parameters that were used, and that neither the config names nor the catalogue has: name and value."""
    for path, value in _leaves(used):
        if path[0] in OWN_CHECK | NO_EFFECT or _at(planned, path) is not None:
            continue
        if not _same(_at(defaults, path), value):
            yield ".".join(path), _shown(value)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(child, (*path, str(key)))
    elif path:
        yield path, value


def _same(one: Any, other: Any) -> bool:
    """Equal values, whatever YAML made of them: 1e-5 is text to some readers, and an empty value is none."""
    if one is None or other is None:
        return one in (None, "", [], {}) and other in (None, "", [], {})
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    first, second = number(one), number(other)
    if first is not None and second is not None:
        return math.isclose(first, second, rel_tol=1e-12, abs_tol=1e-12)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return str(one).strip() == str(other).strip()


def _shown(value: Any) -> str:
    return one_line(str(value), 80)
