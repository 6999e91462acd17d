"""Which machine this is, and since when it is up."""

from __future__ import annotations

import contextlib
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The id of this boot of the kernel; empty where the kernel does not tell."""
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text("ascii").strip()
    return ""
