"""The workspaces of a quantization project: what it left for an evaluation to find.

The root may be shared: what another user keeps to themselves, and what goes away while it is looked at, is passed over.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from . import workspace
from .errors import BadInput

MAX_WORKSPACES = 50
MAX_ENTRIES = 50
"""Most checkpoints, configs, runs or patches that are listed of one workspace."""
_MOST_FILES = 2_000
"""Of a folder of scripts no more files are looked at."""
_PATCH_SUFFIXES = {".patch", ".diff", ".sh", ".py"}

T = TypeVar("T")


@dataclass(frozen=True)
class Patch:
    """A runtime patch that a deployment of this workspace's model needed.

    `carry` says how to take it into the evaluation's `deployment.command`.
    """

    path: Path
    carry: str


@dataclass(frozen=True)
class Workspace:
    """One `<model-format>/` folder; `omitted` counts what it holds beyond `MAX_ENTRIES` of a kind."""

    path: Path
    checkpoints: list[Path] = field(default_factory=list)
    configs: list[Path] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    omitted: int = 0


@dataclass(frozen=True)
class Found:
    """The newest workspaces, and how many more there are."""

    workspaces: list[Workspace]
    omitted: int = 0


def find(path: str = "") -> Found:
    """The workspaces below a root, newest first.

    Args:
        path: A root or a single workspace; empty for `workspace.workspace_root()`. A root may hold the workspaces directly, or one
            folder per agent session with the workspaces inside.

    Raises:
        BadInput: `path` was given and is not a directory.
    """
    root = Path(os.path.expanduser(path)) if path else workspace.workspace_root()  # noqa: PTH111 - as it is when there is no such user
    if not _is_directory(root):
        if path:
            raise BadInput(
                f"No workspace directory {path[:200]!r}", fix="give an existing directory, or leave `workspace` empty"
            )
        return Found([])
    if _looks_like_workspace(root):
        return Found([_read(root)])
    found: list[Path] = []
    for child in _subdirs(root):
        if _looks_like_workspace(child):
            found.append(child)
        else:
            found.extend(c for c in _subdirs(child) if _looks_like_workspace(c))
    found.sort(key=_changed, reverse=True)
    return Found([_read(p) for p in found[:MAX_WORKSPACES]], max(0, len(found) - MAX_WORKSPACES))


# `os.path`, here and below: before Python 3.14 the methods of Path raise in another user's private folder.
def _is_directory(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _subdirs(path: Path) -> list[Path]:
    try:
        return sorted(p for p in path.iterdir() if not p.name.startswith(".") and _is_directory(p))
    except OSError:
        return []


def _looks_like_workspace(path: Path) -> bool:
    return any(os.path.exists(path / n) for n in ("output", "eval_config.yaml", "eval_results", "scripts"))  # noqa: PTH110


def _read(path: Path) -> Workspace:
    checkpoints, more_checkpoints = _cut(_checkpoints(path / "output"))
    configs, more_configs = _cut(sorted(p for p in path.glob("*.y*ml") if _is_file(p)))
    runs, more_runs = _cut(_runs(path / "eval_results"))
    patches, more_patches = _cut(_patches(path))
    omitted = more_checkpoints + more_configs + more_runs + more_patches
    return Workspace(path, checkpoints, configs, runs, patches, omitted)


def _cut(found: Iterable[T]) -> tuple[list[T], int]:
    rows = list(found)
    return rows[:MAX_ENTRIES], max(0, len(rows) - MAX_ENTRIES)


def _checkpoints(output: Path) -> list[Path]:
    candidates = [output, *_subdirs(output)]
    with_config = [p for p in candidates if _is_file(p / "config.json")]
    ggufs = [p for d in candidates if _is_directory(d) for p in sorted(d.glob("*.gguf"))]
    return [*with_config, *ggufs]


def _runs(results: Path) -> list[Path]:
    # NEL names a run directory <YYYYmmdd_HHMMSS>-<invocation id>; anything else in there is not one of its runs.
    runs = [p for p in _subdirs(results) if len(p.name) > 16 and p.name[15:16] == "-" and p.name[:8].isdigit()]
    return sorted(runs, key=lambda p: p.name, reverse=True)


def _patches(path: Path) -> Iterator[Patch]:
    for folder in (path / "scripts", path / "patches"):
        files = sorted(islice(folder.rglob("*"), _MOST_FILES)) if _is_directory(folder) else []
        yield from (Patch(file, _carry(file)) for file in files if file.suffix in _PATCH_SUFFIXES and _is_file(file))


def _carry(file: Path) -> str:
    if file.suffix in {".patch", ".diff"}:
        apply = f"patch -p1 -d <package directory> < /patches/{file.name}"
    else:
        apply = f"{'bash' if file.suffix == '.sh' else 'python'} /patches/{file.name}"
    return (
        f"mount {file.parent} at /patches (execution.mounts.deployment) and begin deployment.command with "
        f"`{apply} && `, after reading the file"
    )
