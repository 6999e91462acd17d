"""The sizes of a deployment (TP, PP, DP) and its other serving flags, wherever the config keeps them.

A config that has a command of its own has them there; else `deployment.tensor_parallel_size` and the like hold them, and
other flags stand in `deployment.extra_args`. With `vllm_ray` the command is `deployment.base_command`, because
`deployment.command` is NEL's script that starts Ray around it (NEL 0.2.6, configs/deployment/vllm_ray.yaml).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import packaged, paths, surgery
from .block_text import replace_text
from .command_flags import ALONE, ServingCommand
from .document import ConfigDocument

RAY = "vllm_ray"
FRAMEWORKS = {"vllm": "vllm", RAY: "vllm", "sglang": "sglang", "trtllm": "trtllm"}
"""Deployments whose sizes are known, and the framework that serves there."""

TENSOR, PIPELINE, DATA = "tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"
_FLAGS = {
    "vllm": {TENSOR: "--tensor-parallel-size", PIPELINE: "--pipeline-parallel-size", DATA: "--data-parallel-size"},
    "sglang": {TENSOR: "--tp-size", PIPELINE: "--pp-size", DATA: "--dp-size"},
    "trtllm": {TENSOR: "--tp_size", PIPELINE: "--pp_size"},
}
_REFERENCE = re.compile(r"\$\{deployment\.(\w+)\}")


@dataclass(frozen=True)
class Sizes:
    """GPUs of one server: `tensor` x `pipeline` for each of its `data` replicas."""

    tensor: int
    pipeline: int
    data: int

    @property
    def gpus(self) -> int:
        """GPUs of the whole server."""
        return self.tensor * self.pipeline * self.data


def framework(document: ConfigDocument) -> str:
    """ "vllm", "sglang" or "trtllm"; empty for a deployment whose sizes are not known."""
    return FRAMEWORKS.get(packaged.group(document, "deployment"), "")


def command_key(document: ConfigDocument) -> str:
    """The key of `deployment` that holds the serving command."""
    return "base_command" if packaged.group(document, "deployment") == RAY else "command"


def command_path(document: ConfigDocument) -> str:
    """Where the file has a serving command of its own with flags that can be read; empty when it has none."""
    key = command_key(document)
    text = paths.dig(document.plain, "deployment", key)
    return f"deployment.{key}" if isinstance(text, str) and ServingCommand.parse(text).program else ""


def is_own_script(document: ConfigDocument) -> bool:
    """Whether the file has a command whose flags cannot be told: a script, or one that NEL's Ray script gives way to."""
    own = paths.dig(document.plain, "deployment", "command")
    if not isinstance(own, str) or "${deployment.base_command}" in own:
        return False
    return not command_path(document) or packaged.group(document, "deployment") == RAY


def get_flag(document: ConfigDocument, flag: str) -> str | None:
    """A serving flag's value: of the command, else of `extra_args`; None when it is in neither."""
    path = command_path(document)
    if path:
        return ServingCommand.parse(_text(document, path)).get(flag)
    return ServingCommand.parse(ALONE + _text(document, "deployment.extra_args")).get(flag)


def set_flag(document: ConfigDocument, flag: str, value: str) -> ConfigDocument:
    """The config with a serving flag set, in the command or in `extra_args`.

    Raises:
        BadInput: A value that a shell would take apart.
    """
    path = command_path(document)
    if path:
        return replace_text(document, path, ServingCommand.parse(_text(document, path)).set(flag, value).text)
    extra = ServingCommand.parse(ALONE + _text(document, "deployment.extra_args")).set(flag, value).text
    return replace_text(document, "deployment.extra_args", extra.removeprefix(ALONE).strip())


def read(document: ConfigDocument) -> Sizes:
    """The sizes as the config has them now; 1 where neither file nor defaults say a number."""
    return Sizes(*(_read_one(document, name) for name in (TENSOR, PIPELINE, DATA)))


def write(document: ConfigDocument, sizes: Sizes) -> ConfigDocument:
    """The config with other sizes; one that is 1 and was not written stays unwritten."""
    for name, size in zip((TENSOR, PIPELINE, DATA), (sizes.tensor, sizes.pipeline, sizes.data), strict=True):
        if _read_one(document, name) != size or (name == TENSOR and not _is_written(document, name)):
            document = _write_one(document, name, size)
    return document


def _flag(document: ConfigDocument, name: str) -> str:
    return _FLAGS.get(framework(document), {}).get(name, "")


def _is_written(document: ConfigDocument, name: str) -> bool:
    flag = _flag(document, name)
    if command_path(document):
        return bool(flag) and get_flag(document, flag) is not None
    return paths.dig(document.plain, "deployment", name) is not None


def _read_one(document: ConfigDocument, name: str) -> int:
    flag = _flag(document, name)
    given = get_flag(document, flag) if flag else None
    reference = _REFERENCE.fullmatch(given or "")
    if given is None or reference:
        if command_path(document) and not reference:
            return 1
        return _whole(packaged.value(document, "deployment", reference[1] if reference else name))
    return _whole(given)


def _write_one(document: ConfigDocument, name: str, size: int) -> ConfigDocument:
    flag = _flag(document, name)
    if not flag:
        return document
    given = get_flag(document, flag)
    reference = _REFERENCE.fullmatch(given or "")
    if reference:
        return surgery.set_value(document, f"deployment.{reference[1]}", size)
    if command_path(document) or given is not None:
        return set_flag(document, flag, str(size))
    return surgery.set_value(document, f"deployment.{name}", size)


def _whole(value: object) -> int:
    if isinstance(value, bool):
        return 1
    if isinstance(value, int) and value > 0:
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 6 and int(value) else 1


def _text(document: ConfigDocument, path: str) -> str:
    value = paths.dig(document.plain, *paths.parse(path))
    return value if isinstance(value, str) and value != "???" else ""
