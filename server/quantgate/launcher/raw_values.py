"""Values of a config that are not meant as commands and yet decide which programs run on this machine.

nemo_evaluator 0.2.8 renders a harness's command from the config again and again, until no Jinja mark is left, and gives it to a
shell. The harnesses' templates (NEL 0.2.6, all_tasks_irs.yaml) put nearly every value into it without quotes. NEL's local
executor does the same with extra_docker_args and the server's command, on a line that runs on this machine.
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


def _stays_in_its_container(command: str) -> bool:
    """Whether a shell of this machine takes the command for words and nothing else."""
    return not _OTHER_QUOTES.search(command) and not _ENDS_A_COMMAND.search(_IN_QUOTES.sub("", command.strip()))
