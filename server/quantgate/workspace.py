"""Where state lives: quantgate's own directories, and the workspaces of a quantization project.

Own state goes to QUANTGATE_HOME when it is set, else to `.quantgate` under MODELOPT_WORKSPACE_ROOT, else to the platform's
state directory. Caches (catalogue, harness environments) go to QUANTGATE_CACHE, else follow QUANTGATE_HOME, else go to the
platform's cache directory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from .errors import BadInput, StorageError
from .system import files, mounts

MAX_WORKSPACES = 50
MAX_ENTRIES = 50
"""Most checkpoints, configs, runs or patches that are listed of one workspace."""

_PATCH_SUFFIXES = {".patch", ".diff", ".sh", ".py"}

MOUNTS = mounts.TABLE
# fmt: off
NETWORK_KINDS = frozenset((
    "9p", "acfs", "afpfs", "afs", "auristorfs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs",
    "hdfs", "lustre", "mmfs", "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "quobyte", "smb", "smb2",
    "smb3", "smbfs", "vboxsf", "virtiofs", "webdav", "weka", "wekafs",
))
"""File systems that several machines may share: locks and shared memory between machines cannot be relied on there."""
LOCAL_FUSE = frozenset((
    "cryfs", "encfs", "exfat", "ext2", "fuse-overlayfs", "gocryptfs", "lxcfs", "mergerfs", "ntfs", "ntfs-3g", "portal",
))
# fmt: on
"""Kinds of `fuse.KIND` that lie on this machine's disks; any other is taken for a network's."""


def state_dir() -> Path:
    """The directory of the ledger, created with mode 0700."""
    home = os.environ.get("QUANTGATE_HOME")
    root = os.environ.get("MODELOPT_WORKSPACE_ROOT")
    if home:
        path = Path(home).expanduser()
    elif root:
        path = Path(root).expanduser() / ".quantgate"
    else:
        path = platformdirs.user_state_path("quantgate")
    return _made(path, "QUANTGATE_HOME")


def reports_dir() -> Path:
    """The directory that keeps a copy of every report, under the state directory."""
    return _made(state_dir() / "reports", "QUANTGATE_HOME")


def _made(path: Path, variable: str) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(
            f"Cannot make a directory for quantgate's state: {error.strerror}",
            where=str(path),
            fix=f"set {variable} to a directory that can be written",
        ) from None
    _require_own(path, variable)
    return path


def _require_own(path: Path, variable: str) -> None:
    """Refuse a directory that somebody else made, or everybody may write into.

    Whoever can rename in it could put a link in the place of a private file, or write gates that were never passed.
    """
    try:
        stranger = files.stranger(path.stat())
    except OSError:
        return
    if stranger:
        raise StorageError(
            f"A directory for quantgate's state {stranger}",
            where=str(path),
            fix=f"set {variable} to a directory of your own, or have it made so (chown, chmod go-w)",
        )


def cache_dir() -> Path:
    """The directory of what can be made again: the parsed catalogue and the harness environments."""
    given, home = os.environ.get("QUANTGATE_CACHE"), os.environ.get("QUANTGATE_HOME")
    if given:
        path = Path(given).expanduser()
    else:
        path = Path(home).expanduser() / "cache" if home else platformdirs.user_cache_path("quantgate")
    return _made(path, "QUANTGATE_CACHE")


@dataclass(frozen=True)
class FileSystem:
    """Where a path lies.

    Attributes:
        kind: The kernel's name of it ("ext4", "nfs4", "fuse.sshfs"); empty when it is not known.
        network: Whether other machines may have it mounted too.
        mount: The mount point; empty when it is not known.
    """

    kind: str
    network: bool
    mount: str = ""


def file_system(path: Path) -> FileSystem:
    """The file system that a path lies on, or would lie on once it is made: that of the longest mount point above it."""
    real = path.resolve()
    if shared := mounts.share(real):
        return FileSystem(mounts.WINDOWS_SHARE, True, shared)
    best = FileSystem("", False)
    for mount, kind in mounts.mounted(MOUNTS):
        # Of two mounts on one point the later one hides the earlier.
        if len(mount) >= len(best.mount) and real.is_relative_to(mount):
            best = FileSystem(kind, _is_network(kind), mount)
    return best


def _is_network(kind: str) -> bool:
    plain, _, fuse = kind.lower().partition(".")
    if plain == "fuse" and fuse:
        return fuse not in LOCAL_FUSE
    return plain in NETWORK_KINDS


def workspace_root() -> Path:
    """MODELOPT_WORKSPACE_ROOT, else `./workspaces` (which need not exist)."""
    root = os.environ.get("MODELOPT_WORKSPACE_ROOT")
    return Path(root).expanduser() if root else Path.cwd() / "workspaces"


@dataclass(frozen=True)
class Patch:
    """A runtime patch that a deployment of this workspace's model needed.

    `carry` says how to take it into the evaluation's `deployment.command`.
    """

    path: Path
    carry: str


@dataclass(frozen=True)
class Workspace:
    """One `<model-format>/` folder: what a quantization project left for an evaluation to find."""

    path: Path
    checkpoints: list[Path] = field(default_factory=list)
    configs: list[Path] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)


def find_workspaces(path: str = "") -> list[Workspace]:
    """The workspaces below a root, newest first.

    Args:
        path: A root or a single workspace; empty for `workspace_root()`. A root may hold the workspaces directly, or one
            folder per agent session with the workspaces inside.

    Raises:
        BadInput: `path` was given and is not a directory.
    """
    root = Path(os.path.expanduser(path)) if path else workspace_root()  # noqa: PTH111 - as it is when there is no such user
    if not os.path.isdir(root):  # noqa: PTH112 - false also for what can be no path
        if path:
            raise BadInput(
                f"No workspace directory {path[:200]!r}", fix="give an existing directory, or leave `workspace` empty"
            )
        return []
    if _looks_like_workspace(root):
        return [_read(root)]
    found: list[Path] = []
    for child in _subdirs(root):
        if _looks_like_workspace(child):
            found.append(child)
        else:
            found.extend(c for c in _subdirs(child) if _looks_like_workspace(c))
    found.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    return [_read(p) for p in found[:MAX_WORKSPACES]]


def _subdirs(path: Path) -> list[Path]:
    try:
        return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _looks_like_workspace(path: Path) -> bool:
    return any((path / name).exists() for name in ("output", "eval_config.yaml", "eval_results", "scripts"))


def _read(path: Path) -> Workspace:
    return Workspace(
        path=path,
        checkpoints=_checkpoints(path / "output"),
        configs=sorted(p for p in path.glob("*.y*ml") if p.is_file())[:MAX_ENTRIES],
        runs=_runs(path / "eval_results"),
        patches=_patches(path),
    )


def _checkpoints(output: Path) -> list[Path]:
    candidates = [output, *_subdirs(output)]
    with_config = [p for p in candidates if (p / "config.json").is_file()]
    ggufs = [p for d in candidates if d.is_dir() for p in sorted(d.glob("*.gguf"))]
    return [*with_config, *ggufs][:MAX_ENTRIES]


def _runs(results: Path) -> list[Path]:
    # NEL names a run directory <YYYYmmdd_HHMMSS>-<invocation id>; anything else in there is not one of its runs.
    runs = [p for p in _subdirs(results) if len(p.name) > 16 and p.name[15:16] == "-" and p.name[:8].isdigit()]
    return sorted(runs, key=lambda p: p.name, reverse=True)[:MAX_ENTRIES]


def _patches(path: Path) -> list[Patch]:
    patches: list[Patch] = []
    for folder in (path / "scripts", path / "patches"):
        for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if file.is_file() and file.suffix in _PATCH_SUFFIXES:
                patches.append(Patch(file, _carry(file)))
    return patches[:MAX_ENTRIES]


def _carry(file: Path) -> str:
    if file.suffix in {".patch", ".diff"}:
        apply = f"patch -p1 -d <package directory> < /patches/{file.name}"
    else:
        apply = f"{'bash' if file.suffix == '.sh' else 'python'} /patches/{file.name}"
    return (
        f"mount {file.parent} at /patches (execution.mounts.deployment) and begin deployment.command with "
        f"`{apply} && `, after reading the file"
    )
