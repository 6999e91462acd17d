"""Which model a config evaluates: served from a checkpoint or a handle, or declared behind an endpoint."""

from __future__ import annotations

import re

from ..checkpoint.source import resolve_model
from ..errors import BadInput, CheckpointError
from . import choices, surgery
from .document import ConfigDocument

_HANDLE = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*", re.ASCII)
_REMOTE = re.compile(r"[\w.@\-]+:(?P<path>/[^\n]*)", re.ASCII)
_BY_HANDLE = frozenset({"vllm", "vllm_ray", "sglang"})
_BY_PATH = frozenset({*_BY_HANDLE, "trtllm", "generic"})


def use(document: ConfigDocument, model: str, notes: list[str]) -> ConfigDocument:
    """The config with this model.

    With `deployment: none` the checkpoint behind the endpoint is declared in `quantgate.checkpoint`. Otherwise
    checkpoint_path or hf_model_handle is set and the other becomes null.

    Args:
        document: Not changed.
        model: A checkpoint directory, a `.gguf` file, a hub handle, or `host:/path` for Slurm.
        notes: Gets what a person should know.

    Raises:
        BadInput: The model does not exist, or the deployment cannot serve it.
    """
    model = model.strip()
    deployment = choices.deployment(document)
    if any(ord(character) < 32 for character in model):
        raise BadInput("The model's name has a line break", where="model", fix="give a path or a handle on one line")
    path, handle = _locate(document, model, notes)
    if deployment == "none":
        return surgery.set_value(document, "quantgate.checkpoint", path or handle)
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
    document = surgery.set_value(document, "deployment.checkpoint_path", path or None)
    if deployment in _BY_HANDLE:
        document = surgery.set_value(document, "deployment.hf_model_handle", handle or None)
    served = document.get("deployment.served_model_name")
    if served is None or served == "???":
        name = handle or path.rstrip("/").rpartition("/")[2]
        document = surgery.set_value(document, "deployment.served_model_name", name)
        notes.append(f"deployment.served_model_name was open and is now {name!r}")
    return document


def _locate(document: ConfigDocument, model: str, notes: list[str]) -> tuple[str, str]:
    """The model's absolute path, or its handle; the other one is empty."""
    on_slurm = choices.executor(document) == "slurm"
    remote = _REMOTE.fullmatch(model)
    if remote and on_slurm:
        notes.append(f"{model} lies on a cluster and was not read: check that the compute nodes see it")
        return remote["path"], ""
    try:
        source = resolve_model(model)
    except CheckpointError:
        # A server or a cluster can fetch a handle that is not in this machine's cache.
        if _HANDLE.fullmatch(model):
            notes.append(f"{model} is taken as a hub handle; its files are not on this machine and were not read")
            return "", model
        raise
    if source.handle:
        return "", source.handle
    if on_slurm:
        notes.append(
            "the checkpoint's path is one of this machine: the cluster's nodes must see it under the same path"
        )
    return str((source.gguf or source.path).absolute()), ""
