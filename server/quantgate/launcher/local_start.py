"""How NEL's local executor starts its scripts in a launch of ours: recorded, and with the launch lock until that is on disk."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import launch_lock, script_runner


class _Subprocess:
    """Stands in NEL's module for `subprocess`: the same, but that what is started there goes through `script_runner`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:  # noqa: N802 - the name that NEL calls
        """Start a script of NEL's, as `subprocess.Popen` does."""
        process: subprocess.Popen[bytes] = subprocess.Popen(
            script_runner.recording(argv), pass_fds=launch_lock.inherited(), **options
        )
        # NEL looks after 0.3 s whether the script failed at once: these begin when it has begun.
        script_runner.await_record(Path(options["cwd"]), process)
        return process


def use() -> None:
    """Make NEL's local executor (0.2.6) start its scripts this way. Only in the child that talks to NEL."""
    from nemo_evaluator_launcher.executors.local import executor

    executor.subprocess = _Subprocess()
