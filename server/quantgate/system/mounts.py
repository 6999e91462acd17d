"""The mounted file systems of this machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path, PurePath

TABLE = Path("/proc/self/mounts")
"""The kernel's table of mounted file systems (proc(5)); absent on other systems than Linux."""
WINDOWS_SHARE = "smb"
"""What a drive or a path of another Windows machine is called here."""


def mounted(table: Path = TABLE) -> list[tuple[str, str]]:
    """Mount points, each with the kind of its file system.

    Args:
        table: The kernel's table; where it is absent, the system is asked.
    """
    try:
        lines = table.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        import psutil

        shares = sys.platform == "win32"
        return [
            (p.mountpoint, WINDOWS_SHARE if shares and "remote" in p.opts else p.fstype)
            for p in psutil.disk_partitions(all=True)
        ]
    rows = [line.split(" ") for line in lines]
    # The kernel writes a blank in a name as \040.
    return [(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), row[1]), row[2]) for row in rows if len(row) >= 3]


def share(path: PurePath) -> str:
    """The `\\\\server\\share` that a Windows path lies on; empty for any other path."""
    return path.drive if path.drive.startswith("\\\\") and not path.drive.startswith(("\\\\?\\", "\\\\.\\")) else ""
