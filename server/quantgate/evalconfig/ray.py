"""One instance over several nodes: NEL's deployment `vllm_ray`, which starts Ray around `deployment.base_command`.

Source: NEL 0.2.6, configs/deployment/vllm_ray.yaml. Its `command` is the script with Ray in it, so a serving command of
the user's belongs into `base_command`; the script adds `--distributed-executor-backend` behind it.
"""

from __future__ import annotations

import re

from ..errors import BadInput, ConfigError
from . import choices, packaged, paths, surgery
from .block_text import entry_at, replace_text
from .command_flags import ServingCommand
from .document import ConfigDocument
from .serving_sizes import RAY

_BACKEND = "--distributed-executor-backend"
_IMAGE = re.compile(r"vllm-openai:v?(?P<major>\d{1,4})\.(?P<minor>\d{1,4})")
_LAST_WITH_RAY = (0, 18)
"""vLLM's own images from 0.19 on come without Ray (kubernetes-sigs/lws issue 835; vLLM 0.33.0 requirements/cuda.txt)."""


def uses_ray(document: ConfigDocument) -> bool:
    """Whether the file takes NEL's deployment `vllm_ray`."""
    return packaged.group(document, "deployment") == RAY


def use_ray(document: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The config with `vllm_ray`, and its own serving command where Ray's script takes it from.

    Raises:
        BadInput: A deployment other than vLLM, or a command that Ray's script cannot hold.
        ConfigError: The file cannot be edited there.
    """
    deployment = packaged.group(document, "deployment")
    if deployment not in ("vllm", RAY):
        raise BadInput(
            f"Several nodes for one instance need Ray, which NEL has for vLLM only, not for {deployment}",
            where=f"{document.path}: defaults",
            fix="use haproxy:N (one instance a node), or a config with the deployment vllm",
        )
    own = paths.dig(document.plain, "deployment", "command")
    if isinstance(own, str) and "${deployment.base_command}" not in own:
        document = _as_base_command(document, own, notes)
    if deployment != RAY:
        document = _with_group(document, RAY)
        notes.append("the deployment is now vllm_ray: NEL starts Ray on the instance's nodes, and vLLM on the first")
    _note_of_the_image(document, notes)
    return document


def leave_ray(document: ConfigDocument, notes: list[str]) -> ConfigDocument:
    """The config with `vllm` where it had `vllm_ray`; one node needs no Ray.

    Raises:
        ConfigError: The file cannot be edited there.
    """
    if not uses_ray(document):
        return document
    if paths.dig(document.plain, "deployment", "distributed_executor_backend") is not None:
        document = surgery.unset(document, "deployment.distributed_executor_backend")
    section = paths.dig(document.plain, "deployment")
    if paths.has(section, "base_command") and not paths.has(section, "command"):
        document = _renamed(document, "base_command", "command")
    notes.append("the deployment is now vllm: one node for each instance needs no Ray")
    return _with_group(document, "vllm")


def _as_base_command(document: ConfigDocument, own: str, notes: list[str]) -> ConfigDocument:
    where = f"{document.path}:{document.line_of('deployment.command')}"
    command = ServingCommand.parse(own)
    if command.program[:2] != ("vllm", "serve") or command.tail.strip():
        raise BadInput(
            "deployment.command cannot be put into NEL's Ray script: it must end with the arguments of `vllm serve`",
            where=where,
            fix="write it as one `vllm serve …` command, without anything behind it",
        )
    if paths.dig(document.plain, "deployment", "base_command") is not None:
        raise BadInput(
            "The config has both deployment.command and deployment.base_command, and Ray's script takes the latter",
            where=where,
            fix="unset the one that is not meant",
        )
    if command.has(_BACKEND):
        notes.append(f"{_BACKEND} was taken out of the command: NEL's Ray script adds it")
        command = command.remove(_BACKEND)
    # A line break at the end would part the command from what the script adds behind it.
    document = replace_text(document, "deployment.command", command.text.rstrip())
    notes.append("deployment.command is now deployment.base_command: with vllm_ray, `command` is NEL's Ray script")
    return _renamed(document, "command", "base_command")


def _renamed(document: ConfigDocument, old: str, new: str) -> ConfigDocument:
    """The config with one key of `deployment` named otherwise; its value stays as it is written."""
    entry = entry_at(document, ("deployment", old))
    expected = {new if key == old else key: value for key, value in document.plain["deployment"].items()}
    if entry is not None:
        start, end = int(entry[0].start_mark.index), int(entry[0].end_mark.index)
        edited = document.with_text(document.text[:start] + new + document.text[end:])
        if edited.plain == {**document.plain, "deployment": expected}:
            return edited
    raise ConfigError(
        f"deployment.{old} cannot be renamed to {new} there",
        where=f"{document.path}:{document.line_of(f'deployment.{old}')}",
        fix="rename it by hand",
    )


def _with_group(document: ConfigDocument, group: str) -> ConfigDocument:
    for place, section, _ in choices.groups(document):
        if section == "deployment":
            return surgery.set_value(document, paths.join(place), group)
    raise ConfigError(
        "The config's defaults name no deployment",
        where=f"{document.path}:{document.line_of('defaults')}",
        fix=f"write `- deployment: {group}` into defaults",
    )


def _note_of_the_image(document: ConfigDocument, notes: list[str]) -> None:
    image = str(packaged.value(document, "deployment", "image") or "")
    found = _IMAGE.search(image)
    if found and (int(found["major"]), int(found["minor"])) <= _LAST_WITH_RAY:
        return
    if "ray" not in str(paths.dig(document.plain, "deployment", "pre_cmd") or ""):
        notes.append(
            f"is Ray in the image {image[:100]}? vLLM's own images from 0.19 on have none: then set deployment.pre_cmd to "
            "install a pinned ray (the launch wants NEMO_EVALUATOR_TRUST_PRE_CMD=1), or take an image with it"
        )
