"""Rules about loading a checkpoint: how long it takes, how long is waited, and what commands before it bring along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from .. import paths
from ..paths import Segment
from . import model_names
from .effective import inspected, serving
from .rule import Hit, Rule, Subject

LARGE = 100 * 10**9
"""Bytes of weights from which loading by one thread is worth a warning: an assumption of quantgate."""
SECONDS_TO_START = 60
BYTES_PER_SECOND = 10**9
"""What a shared file system may give at best: an assumption on the optimistic side, so that a finding is no guess."""
_FEWEST_BYTES = 0.5
_NAMED_SIZE = 7 * 10**9
"""Parameters in a name from which a short wait is worth a warning: a smaller model may start from a warm cache."""
_LOADER = "--model-loader-extra-config"
_PLAIN_FORMATS = ("auto", "safetensors", "hf")
_WGET = re.compile(r"(?:^|[\s;&|(`])wget\s")
_INSTALLS_WGET = re.compile(r"\b(?:apt|apt-get|apk|yum|dnf|microdnf)\b[^;&|\n]*\binstall\b[^;&|\n]*\bwget\b")
_PIP = re.compile(r"(?:^|[\s;&|(`/])pip3?\s+install\b[^;&|\n]*")
_NO_CACHE = ("--no-cache-dir", "PIP_NO_CACHE_DIR")


def one_thread(subject: Subject) -> Iterable[Hit]:
    """A large checkpoint that vLLM loads with one thread."""
    server, model = serving(subject), inspected(subject)
    if server is None or model is None or server.framework != "vllm" or model.record.weights_bytes < LARGE:
        return
    given = server.get(_LOADER)
    if (server.get("--load-format") or "auto") not in _PLAIN_FORMATS or (given is not None and _threads(given)):
        return
    value = '\'{"enable_multithread_load": true, "num_threads": 128}\''
    fix = f"write {_LOADER} {value}" if given is not None else server.add(_LOADER, value)
    yield Hit(
        server.place(_LOADER),
        f"{model.record.weights_bytes / 1e9:.0f} GB of weights are loaded by one thread: that takes tens of minutes",
        fix,
        cause="D30",
    )


def _threads(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return "$" in text
    return isinstance(value, dict) and value.get("enable_multithread_load") is True


def short_wait(subject: Subject) -> Iterable[Hit]:
    """A readiness timeout within which the weights cannot be read."""
    server, model = serving(subject), inspected(subject)
    timeout = subject.at("execution", "endpoint_readiness_timeout")
    if server is None or not isinstance(timeout, int) or isinstance(timeout, bool):
        return
    if model is None:
        yield from _short_by_name(subject, timeout)
        return
    needed = SECONDS_TO_START + model.record.weights_bytes // BYTES_PER_SECOND
    if timeout < needed and model.record.weights_bytes:
        wanted = max(1800, -(-needed * 3 // 600) * 600)
        yield Hit(
            "execution.endpoint_readiness_timeout",
            f"{timeout} s are given to load {model.record.weights_bytes / 1e9:.0f} GB: at 1 GB/s (assumed) and "
            f"{SECONDS_TO_START} s to start it takes {needed} s",
            f"edit_config(set=['execution.endpoint_readiness_timeout={wanted}'])",
            cause="D31",
        )


def _short_by_name(subject: Subject, timeout: int) -> Iterator[Hit]:
    name = model_names.unread(subject)
    parameters = model_names.least_parameters(name)
    needed = SECONDS_TO_START + int(parameters * _FEWEST_BYTES) // BYTES_PER_SECOND
    if parameters >= _NAMED_SIZE and timeout < needed:
        wanted = max(1800, -(-needed * 3 // 600) * 600)
        yield Hit(
            "execution.endpoint_readiness_timeout",
            f"{timeout} s are given to load {name[:80]!r}: even in 4 bits, at 1 GB/s (assumed) and {SECONDS_TO_START} s to "
            f"start, it takes {needed} s",
            f"edit_config(set=['execution.endpoint_readiness_timeout={wanted}'])",
            cause="D31",
        )


def commands_before(subject: Subject) -> Iterable[Hit]:
    """`wget`, which most images lack, and pip that fills the container's disk with its cache."""
    for place in _pre_commands(subject):
        text = subject.at(*place)
        if not isinstance(text, str):
            continue
        path = paths.join(place)
        if _WGET.search(text) and not _INSTALLS_WGET.search(text):
            yield Hit(path, f"{path} calls wget, which serving and harness images often lack", cause="D33.wget")
        if any(not any(mark in found.group() for mark in _NO_CACHE) for found in _PIP.finditer(text)) and (
            "PIP_NO_CACHE_DIR" not in text
        ):
            yield Hit(
                path,
                f"{path} runs pip install without --no-cache-dir: its cache goes to a home that may be full or shared",
                "add --no-cache-dir",
                cause="D33.pip",
            )


def _pre_commands(subject: Subject) -> Iterator[tuple[Segment, ...]]:
    if subject.composed.deployment != "none":
        yield ("deployment", "pre_cmd")
    yield ("evaluation", "pre_cmd")
    for task in subject.tasks:
        yield ("evaluation", "tasks", task.index, "pre_cmd")


RULES = (
    Rule(
        "D31",
        "warning",
        "Too little time to load",
        "wait longer",
        "NEL 0.2.6 common/helpers.py (resolve_endpoint_readiness_timeout); the speed is quantgate's assumption",
        short_wait,
        needs=("checkpoint",),
    ),
    Rule(
        "D30",
        "warning",
        "Large checkpoint loaded by one thread",
        f"add {_LOADER}",
        "vLLM 0.33.0 model_executor/model_loader/default_loader.py (enable_multithread_load is off by default)",
        one_thread,
        needs=("checkpoint",),
    ),
    Rule(
        "D33",
        "warning",
        "wget, or pip with a cache, before the server",
        "use curl, or python -c with urllib",
        "quantgate lint rules: what teams wrote down after failures",
        commands_before,
    ),
)
