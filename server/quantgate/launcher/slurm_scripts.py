"""Where the Slurm executor writes its scripts in a dry run."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Iterator
from pathlib import Path


def keep_below(directory: str) -> None:
    """Make NEL's Slurm executor write a dry run's scripts below this directory, which the caller removes.

    NEL 0.2.6 writes them, with `.secrets.env`, into a temporary directory of its own: gone before anybody can read the scripts,
    and left there in plaintext when the process is killed. Only in the child process that talks to NEL.
    """
    from nemo_evaluator_launcher.executors.slurm import executor

    @contextlib.contextmanager
    def private() -> Iterator[str]:
        Path(directory).mkdir(parents=True, exist_ok=True)
        yield directory

    executor.tempfile = types.SimpleNamespace(TemporaryDirectory=private)
