"""Which model a config evaluates: served from a checkpoint or a handle, or declared behind an endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from ..checkpoint.inspection import Inspection, inspect_model
from ..errors import BadInput, CheckpointError
from . import choices, sampling, served_program, serving_command, serving_sizes, surgery
from .command_flags import canonical
from .document import ConfigDocument

_HANDLE = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*", re.ASCII)
_REMOTE = re.compile(r"[\w.@\-]+:(?P<path>/[^\n]*)", re.ASCII)
_PATH = re.compile(r"[^\s;&|<>()$`\\*?\"'#{}:,]+")
"""A path that NEL can write into a mount and a shell script as it stands."""
_OF_A_MODEL = (
    "--tool-call-parser",
    "--reasoning-parser",
    "--enable-expert-parallel",
    "--quantization",
    "--kv-cache-dtype",
    "--chat-template",
    "--hf-overrides",
    "--tokenizer",
    "--tokenizer-mode",
    "--trust-remote-code",
)
"""Flags that one model wants and another may not bear."""
_BY_HANDLE = frozenset({"vllm", "vllm_ray", "sglang"})
_BY_PATH = frozenset({*_BY_HANDLE, "trtllm", "generic"})


@dataclass(frozen=True)
class Model:
    """A model as it was named: its absolute path or its handle, the other one empty.

    Attributes:
        found: What it is; None when its files are not on this machine.
        replaced: The other model that the config served before; empty when there was none.
    """

    path: str
    handle: str
    found: Inspection | None
    replaced: str = ""


def use(document: ConfigDocument, name: str, notes: list[str]) -> tuple[ConfigDocument, Model]:
    """The config with this model; `serve` then gives its server the flags.

    With `deployment: none` the checkpoint behind the endpoint is declared in `quantgate.checkpoint`. Otherwise
    checkpoint_path or hf_model_handle is set and the other becomes null.

    Args:
        document: Not changed.
        name: A checkpoint directory, a `.gguf` file, a hub handle, or `host:/path` for Slurm.
        notes: Gets what a person should know.

    Raises:
        BadInput: The model does not exist, or the deployment cannot serve it.
    """
    name = name.strip()
    deployment = choices.deployment(document)
    if any(ord(character) < 32 for character in name):
        raise BadInput("The model's name has a line break", where="model", fix="give a path or a handle on one line")
    model = _locate(document, name, notes)
    path, handle = model.path, model.handle
    if deployment == "none":
        return surgery.set_value(document, "quantgate.checkpoint", path or handle), model
    _require_servable(deployment, path, handle)
    model = replace(model, replaced=_other(document, path, handle))
    document = surgery.set_value(document, "deployment.checkpoint_path", path or None)
    if deployment in _BY_HANDLE:
        document = surgery.set_value(document, "deployment.hf_model_handle", handle or None)
    served = document.get("deployment.served_model_name")
    if served is None or served == "???":
        served = handle or path.rstrip("/").rpartition("/")[2]
        document = surgery.set_value(document, "deployment.served_model_name", served)
        notes.append(f"deployment.served_model_name was open and is now {served!r}")
    elif model.replaced and served != (name := handle or path.rstrip("/").rpartition("/")[2]):
        notes.append(
            f"deployment.served_model_name is still {str(served)[:100]!r}, from before {model.replaced[:200]} was replaced; "
            f"it names the results: set=['deployment.served_model_name={name}']"
        )
    return served_program.serves_model(document, handle=handle, notes=notes), model


def _require_servable(deployment: str, path: str, handle: str) -> None:
    if deployment not in _BY_PATH:
        raise BadInput(
            f"The deployment {deployment} brings its own model",
            where="model",
            fix="set deployment.image, or use vllm, sglang, trtllm or generic",
        )
    if handle and deployment not in _BY_HANDLE:
        raise BadInput(
            f"The deployment {deployment} serves a checkpoint directory, not a hub handle",
            where=f"model {handle}",
            fix="download the model and give its directory",
        )
    if path and not _PATH.fullmatch(path):
        raise BadInput(
            f"The path {path[:200]!r} has characters that a mount or a shell takes apart",
            where="model",
            fix="link the checkpoint under a path of letters, digits and ._-/, and give that",
        )


def serve(document: ConfigDocument, model: Model, notes: list[str]) -> ConfigDocument:
    """The config whose server has the flags that this model needs.

    Args:
        document: As `use` gave it, with its layout and sizes; not changed.
        model: As `use` gave it.
        notes: Gets what was added and why, and every conflict.
    """
    if choices.deployment(document) == "none":
        return document
    if model.found is None:
        _report_left(document, model, notes)
        framework = served_program.framework_of(document)
        notes.append(
            f"no serving flags were derived, because the model's files were not read: {served_program.underivable(framework)}; "
            "take them from read_model_config and detect_quantization where the files are, or from the model card"
        )
        return document
    _report_left(document, model, notes)
    notes.extend(model.found.warnings)
    if model.found.source.megatron:
        notes.append("a Megatron checkpoint is not served as it is: export it first, and give the exported directory")
        return document
    return serving_command.with_flags(document, model.found, notes)


def _other(document: ConfigDocument, path: str, handle: str) -> str:
    """The model that the config names now, where it is another one."""
    for key in ("checkpoint_path", "hf_model_handle"):
        value = document.get(f"deployment.{key}")
        if isinstance(value, str) and value not in ("", "???") and "${" not in value:
            return "" if value in (path, handle) else value
    return ""


def _report_left(document: ConfigDocument, model: Model, notes: list[str]) -> None:
    """Flags that were written for the model before this one, and that this one does not ask for."""
    if not model.replaced or serving_sizes.is_own_script(document):
        return
    framework = served_program.framework_of(document)
    flags = serving_command.checkpoint_flags(document, model.found, framework) if model.found else []
    wanted = {canonical(flag.flag) for flag in flags}
    place = serving_sizes.command_path(document) or "deployment.extra_args"
    for flag in _OF_A_MODEL:
        given = serving_sizes.get_flag(document, flag)
        if given is not None and canonical(flag) not in wanted:
            notes.append(
                f"{' '.join((flag, given)).strip()[:200]} was written for {model.replaced[:200]} and was left; if this model "
                f"does not want it: unset=['{place}.{flag}']"
            )


def sample(document: ConfigDocument, model: Model, notes: list[str]) -> ConfigDocument:
    """The config whose open sampling settings are the model's, where its tasks sample at all.

    Args:
        document: With its tasks; not changed.
        model: As `use` gave it.
        notes: Gets what was set.
    """
    if model.found is None or choices.deployment(document) == "none":
        return document
    return sampling.with_sampling(document, model.found, notes)


def _on_cluster(name: str, path: str, notes: list[str]) -> Model:
    """A path on the cluster, with what was read of it before; the cluster is not asked."""
    try:
        found = inspect_model(name)
    except CheckpointError as error:
        notes.append(f"{name} lies on a cluster and was not read: {error.what}; {error.fix}")
        return Model(path, "", None)
    return Model(path, "", found)


def _locate(document: ConfigDocument, name: str, notes: list[str]) -> Model:
    on_slurm = choices.executor(document) == "slurm"
    remote = _REMOTE.fullmatch(name)
    if remote and on_slurm:
        return _on_cluster(name, remote["path"], notes)
    try:
        found = inspect_model(name)
    except CheckpointError:
        # A server or a cluster can fetch a handle that is not in this machine's cache.
        if _HANDLE.fullmatch(name) and not name.startswith("."):
            notes.append(f"{name} is taken as a hub handle; its files are not on this machine and were not read")
            return Model("", name, None)
        if on_slurm and name.startswith("/") and not Path(name).exists():
            notes.append(f"{name} is not on this machine and was not read: check that the compute nodes see it")
            return Model(name, "", None)
        raise
    if found.source.handle:
        return Model("", found.source.handle, found)
    if found.source.remote:
        if choices.deployment(document) != "none":
            raise BadInput(
                f"{name} lies on a cluster, and the config is not for Slurm",
                where="model",
                fix="give a path of this machine, or take executor slurm",
            )
        return Model(found.source.remote, "", found)
    if on_slurm:
        notes.append(
            "the checkpoint's path is one of this machine: the cluster's nodes must see it under the same path"
        )
    return Model(str((found.source.gguf or found.source.path).absolute()), "", found)
