"""The machine in words: what a reader needs to judge figures, and no name of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil


def described(load: float) -> str:
    """Cores, processor, memory, system and Python, and whether others used it.

    Args:
        load: Its load average when the measurement began.
    """
    gigabytes = psutil.virtual_memory().total / 2**30
    busy = f", others used it too (load {load:.1f})" if load > 0.6 else ""
    cores = os.cpu_count() or 1
    return f"{cores} cores ({_processor()}), {gigabytes:.0f} GB, {platform.system()}, Python {platform.python_version()}{busy}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in _lines(info) if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines() if path.is_file() else []
