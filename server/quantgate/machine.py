"""Which machine this is, since when it is up, and which process is which on it."""

from __future__ import annotations

import contextlib
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The id of this boot of the kernel; empty where the kernel does not tell."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text("ascii").strip()
    return ""


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since the boot; 0 where the kernel does not tell or there is no such process.

    Unlike a time of day this does not move when the clock is set (proc(5), field 22 of stat).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
