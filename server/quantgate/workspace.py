"""Where state lives: quantgate's own directories, the root of the workspaces, and the file systems that they lie on.

Own state goes to QUANTGATE_HOME when it is set, else to `.quantgate` under MODELOPT_WORKSPACE_ROOT, else to the platform's
state directory. Caches (catalogue, harness environments) go to QUANTGATE_CACHE, else follow QUANTGATE_HOME, else go to the
platform's cache directory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import StorageError
from .system import files, mounts

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
