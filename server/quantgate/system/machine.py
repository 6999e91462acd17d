"""Which machine this is, since when it is up, and which process is which on it."""

from __future__ import annotations

import contextlib
import functools
import platform
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
EMULATORS = Path("/proc/sys/fs/binfmt_misc")
"""Where Linux lists the processors that it emulates (binfmt_misc)."""
_SYSCTL_SECONDS = 5.0
_DOCKER_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


@functools.lru_cache(maxsize=1)
def _boot_session() -> str:
    """The boot's id on macOS (`kern.bootsessionuuid` of sysctl(8)); empty where it does not tell."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        argv = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=_SYSCTL_SECONDS, check=True).stdout.strip()
    return ""


def boot_id() -> str:
    """The id of this boot; empty where the system does not tell, as on Windows."""
    if sys.platform == "darwin":
        return _boot_session()
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text("ascii").strip()
    return ""


def process_namespace() -> str:
    """The space in which process ids count, as Linux names it (`pid:[4026531836]`, pid_namespaces(7)); empty elsewhere.

    A container may share host name and boot with the machine around it, and not the ids of processes.
    """
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
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


def processor() -> str:
    """The processor as container engines name it: "amd64", "arm64"."""
    name = platform.machine().lower()
    return _DOCKER_NAMES.get(name, name)


def runs_programs_for(processor_name: str, emulators: Path = EMULATORS) -> bool:
    """Whether programs of a processor run here.

    Args:
        processor_name: As container engines name it.
        emulators: Where the kernel lists its emulators (binfmt_misc).
    """
    if processor_name == processor():
        return True
    if sys.platform != "linux":
        # The engine runs in a machine of its own there, which brings its emulators.
        return True
    # With an emulator of another processor the kernel starts its programs; slowly, but that is not ours to refuse.
    return any((emulators / f"qemu-{name}").exists() for name in _names(processor_name))


def _names(processor_name: str) -> Iterable[str]:
    return {processor_name, *(here for here, docker in _DOCKER_NAMES.items() if docker == processor_name)}
