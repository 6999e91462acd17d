"""Where a model is: a directory, a GGUF file, or a handle of the hub that is in the local cache."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import CheckpointError

_HANDLE = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*\Z", re.ASCII)
_REMOTE = re.compile(r"(?P<host>[\w.@\-]+):(?P<path>/(?!/).*)\Z", re.ASCII | re.DOTALL)
_ITERATION = re.compile(r"iter_\d+\Z", re.ASCII)
_GGUF_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf\Z", re.ASCII | re.IGNORECASE)
MAX_NAMED = 10
"""Most names that an error lists."""


@dataclass(frozen=True)
class ModelSource:
    """A model that was found on this machine.

    Attributes:
        kind: `hf_handle` when a handle was given (its files are in the local hub cache), else `checkpoint`.
        given: The argument as it was given.
        path: The directory with config.json, or the GGUF file's directory.
        handle: The handle, or empty.
        gguf: The GGUF file (the first part of a split one), or None.
        megatron: `path` is a Megatron iteration (`iter_*`): it has no config.json of its own.
    """

    kind: Literal["checkpoint", "hf_handle"]
    given: str
    path: Path
    handle: str = ""
    gguf: Path | None = None
    megatron: bool = False

    @property
    def claims(self) -> str:
        """The name that may claim a precision: the handle, the GGUF file's, or the directory's."""
        if self.handle:
            return self.handle.partition("/")[2]
        return self.gguf.name if self.gguf else self.path.resolve().name


def resolve_model(model: str) -> ModelSource:
    """Find a model by path or handle.

    A path is absolute, begins with `./`, `../` or `~`, or exists; a handle has exactly one `/` and is not on disk.

    Args:
        model: What the user named.

    Raises:
        CheckpointError: It does not exist, lies on another host, is a parent of Megatron iterations, holds several GGUF
            models, or is a handle that is not in the local hub cache.
    """
    given = model.strip()
    if not given or "\0" in given:
        raise CheckpointError(
            "No model was named", fix="give a checkpoint directory, a .gguf file or a hub handle `org/name`"
        )
    path = _expanded(given)
    if _exists(path):
        return _on_disk(given, path)
    remote = _REMOTE.match(given)
    if remote:
        raise CheckpointError(
            f"{remote['path']} lies on {remote['host']}: remote checkpoints are not read by this version",
            where=given,
            fix="mount or copy the checkpoint's config.json and safetensors here and give that path",
        )
    if "://" in given:
        raise CheckpointError("A URL is not a model", where=given, fix="give the hub handle `org/name` or a local path")
    if _HANDLE.match(given) and not given.startswith((".", "~")):
        return _in_cache(given)
    raise CheckpointError(
        f"No checkpoint {given!r}: there is no such file or directory",
        where=str(path.absolute()),
        fix="check the path; a hub handle has the form `org/name`",
    )


def _expanded(given: str) -> Path:
    try:
        return Path(given).expanduser()
    except RuntimeError:  # `~` of a user that does not exist
        return Path(given)


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except (OSError, ValueError):
        return False


def _on_disk(given: str, path: Path) -> ModelSource:
    try:
        is_directory = path.stat() and path.is_dir()
        names = sorted(p.name for p in path.iterdir()) if is_directory else []
    except OSError as error:
        reason = "a loop of symbolic links" if "symbolic" in str(error.strerror) else str(error.strerror).lower()
        raise CheckpointError(f"{given!r} cannot be read: {reason}", where=str(path)) from None
    if is_directory:
        return _directory(given, path, names)
    if path.suffix.lower() == ".gguf":
        return ModelSource("checkpoint", given, path.parent, gguf=path)
    raise CheckpointError(
        f"{path.name} is neither a directory nor a .gguf file",
        where=str(path),
        fix=f"give the checkpoint's directory, {path.parent}",
    )


def _directory(given: str, path: Path, names: list[str], handle: str = "") -> ModelSource:
    kind: Literal["checkpoint", "hf_handle"] = "hf_handle" if handle else "checkpoint"
    if "config.json" in names:
        return ModelSource(kind, given, path, handle)
    iterations = [n for n in names if _ITERATION.match(n) and (path / n).is_dir()]
    if iterations:
        raise CheckpointError(
            f"{path.name} is the parent of {len(iterations)} Megatron iterations, not a checkpoint",
            where=str(path),
            fix="give one of them: " + _listed([str(path / n) for n in iterations[-MAX_NAMED:]]),
        )
    if _ITERATION.match(path.resolve().name):
        return ModelSource(kind, given, path, handle, megatron=True)
    ggufs = [n for n in names if n.lower().endswith(".gguf") and "mmproj" not in n.lower()]
    firsts = [n for n in ggufs if not (part := _GGUF_PART.search(n)) or int(part[1]) == 1]
    if len(firsts) == 1:
        return ModelSource(kind, given, path, handle, gguf=path / firsts[0])
    if ggufs:
        raise CheckpointError(
            f"{path.name} holds {len(firsts)} GGUF models",
            where=str(path),
            fix="name the file: " + _listed([str(path / n) for n in (firsts or ggufs)[:MAX_NAMED]]),
        )
    # Left to the reader of config.json, whose message then names the file that is missing.
    return ModelSource(kind, given, path, handle)


def _listed(names: list[str]) -> str:
    return ", ".join(names)


def hub_cache() -> Path:
    """The local hub cache: HF_HUB_CACHE, else `hub` under HF_HOME, else under the user's cache directory."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path("~/.cache").expanduser()) / "huggingface" / "hub"


def _in_cache(handle: str) -> ModelSource:
    repo = hub_cache() / ("models--" + handle.replace("/", "--"))
    snapshot = _snapshot(repo)
    if snapshot is None:
        raise CheckpointError(
            f"The handle {handle} is not on this machine, so its config cannot be read",
            where=str(repo),
            fix="download it first, give a path, or evaluate it by handle with values from its model card",
        )
    try:
        names = sorted(p.name for p in snapshot.iterdir())
    except OSError as error:
        raise CheckpointError(
            f"The cached copy of {handle} cannot be read: {error.strerror}", where=str(snapshot)
        ) from None
    return _directory(handle, snapshot, names, handle)


def _snapshot(repo: Path) -> Path | None:
    snapshots = repo / "snapshots"
    try:
        commit = (repo / "refs" / "main").read_text(encoding="ascii").strip()
        if re.fullmatch(r"[0-9a-f]{7,64}", commit) and (snapshots / commit).is_dir():
            return snapshots / commit
    except (OSError, ValueError):
        pass  # no refs/main: a snapshot may have been fetched by its commit
    try:
        held = [p for p in snapshots.iterdir() if p.is_dir()]
        return max(held, key=lambda p: p.stat().st_mtime, default=None)
    except OSError:
        return None
