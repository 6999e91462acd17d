"""How NEL's local executor starts its scripts in a launch of ours: recorded, and with the launch lock until that is on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..system import processes
from . import launch_lock, script_runner
from .runner_record import SCRIPT_FILE


class _Subprocess:
    """Stands in NEL's module for `subprocess`: the same, but that what is started there goes through `script_runner`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:  # noqa: N802 - the name that NEL calls
        """Start a script of NEL's, as `subprocess.Popen` does."""
        options.setdefault("env", _with_own_programs())
        process: subprocess.Popen[bytes] = subprocess.Popen(
            script_runner.recording(argv), **processes.inheriting(launch_lock.inherited()), **options
        )
        # NEL looks after 0.3 s whether the script failed at once: these begin when it has begun.
        script_runner.await_record(Path(options["cwd"]) / SCRIPT_FILE, process)
        return process


def _with_own_programs() -> dict[str, str]:
    """This environment with the programs beside this Python last on PATH.

    The scripts of NEL 0.2.6 export with `nemo-evaluator-launcher`, which a server that was started by its full path does not find.
    """
    found = os.environ.get("PATH", os.defpath)
    # mlflow 3 reports its use to its makers unless it is told not to.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**quiet, **os.environ, "PATH": f"{found}{os.pathsep}{Path(sys.executable).parent}"}


def use() -> None:
    """Make NEL's local executor (0.2.6) start its scripts this way. Only in the child that talks to NEL."""
    from nemo_evaluator_launcher.executors.local import executor

    executor.subprocess = _Subprocess()
