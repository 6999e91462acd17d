"""Opening files that may be anything, and giving a new file the mode and owner of an old one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

# Without O_NONBLOCK, opening a named pipe waits for somebody who writes into it. Windows has no pipes in directories, but it
# changes line ends without O_BINARY.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LOCK = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NOT_LINKS = getattr(os, "O_NOFOLLOW", 0)


def open_to_read(path: Path, *, links: bool = True) -> int:
    """A descriptor of whatever is there, which never waits; the caller looks at what kind of file it is.

    Args:
        path: The file.
        links: Whether the path may be a link.

    Raises:
        OSError: It cannot be opened, or is a link and may not be one.
    """
    if not links and not _NOT_LINKS and path.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    return os.open(path, _READ if links else _READ | _NOT_LINKS)


def open_plain(path: Path) -> BinaryIO:
    """A plain file, for reading: a named pipe would keep a reader waiting for ever, and a device has no end.

    Raises:
        OSError: It cannot be opened, or is no plain file.
    """
    descriptor = open_to_read(path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def open_to_lock(path: Path, *, make: bool = False) -> int:
    """A descriptor for `locks`, of a file that may be made with mode 0600.

    Raises:
        OSError: It cannot be opened.
    """
    return os.open(path, _LOCK | os.O_CREAT if make else _LOCK, 0o600)


def set_mode(descriptor: int, path: Path, mode: int) -> None:
    """Set the mode of an open file.

    Args:
        descriptor: The file.
        path: Its path.
        mode: Permission bits. On Windows only the owner's right to write is kept; who may read a file its folder says there.
    """
    if sys.platform == "win32":
        path.chmod(mode)
    else:
        os.fchmod(descriptor, mode)


def take_over(descriptor: int, path: Path, old: os.stat_result) -> None:
    """Give an open file another one's mode and, where that is allowed, its owner."""
    if sys.platform != "win32":
        new = os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
    set_mode(descriptor, path, stat.S_IMODE(old.st_mode))


def is_private(found: os.stat_result, above: os.stat_result | None = None) -> bool:
    """Whether a directory is this user's, and nobody else may write into it.

    Args:
        found: The directory.
        above: The one that it lies in, where that was let in already: its owner is as good (see `stranger`).

    On Windows the mode does not tell; the directories of quantgate lie in the user's profile there, which is private.
    """
    if sys.platform == "win32":
        return stat.S_ISDIR(found.st_mode)
    owners = {os.getuid(), above.st_uid if above is not None else os.getuid()}
    return stat.S_ISDIR(found.st_mode) and found.st_uid in owners and not found.st_mode & 0o022


def stranger(found: os.stat_result) -> str:
    """Who else can change what lies in a directory: "belongs to another user", "can be written by everybody", or empty.

    A group that may write there is taken for one that the user chose. Root is let in anywhere: in a container it is the user whose
    directory was mounted. Windows keeps that in lists of its own, which the user's profile has right.
    """
    if sys.platform == "win32":
        return ""
    if found.st_uid not in {os.getuid(), 0} and os.getuid() != 0:
        return "belongs to another user"
    return "can be written by everybody" if found.st_mode & stat.S_IWOTH else ""


def is_secret(found: os.stat_result) -> bool:
    """Whether only this user (or the system's) may read a file. On Windows its folder says so, which lies in the user's profile."""
    if sys.platform == "win32":
        return True
    return found.st_uid in {os.getuid(), 0} and not found.st_mode & 0o077


def machine_directory(name: str) -> Path:
    """A directory of this user on a disk of this machine, the same for all of the user's processes; it need not exist.

    Args:
        name: What it is for.
    """
    if sys.platform == "win32":
        return Path(tempfile.gettempdir()) / f"quantgate-{name}"
    # Not TMPDIR: two servers of one user must agree on it.
    root = Path("/tmp")  # noqa: S108 - the caller makes it private, and checks
    root = root if root.is_dir() else Path(tempfile.gettempdir())
    return root / f"quantgate-{os.getuid()}-{name}"


def limit_written(size: int) -> None:
    """Let this process write no file larger than `size` bytes, where the system has such a limit (not Windows)."""
    if sys.platform != "win32":
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
