"""Places where a test lets this very process die, to prove that a crash there loses no run and starts none twice.

`reached(NAME)` does nothing unless the environment variable QUANTGATE_FAULT names the place:

`kill:NAME`    this process ends there at once, by SIGKILL
`orphan:NAME`  its parent does, and this process goes on alone; only a parent that was given the same variable
`late:NAME`    this process stays there for `LATE_SECONDS`

Only tests set it. A config or a `.env` file cannot: variables that begin with QUANTGATE_ are not taken from either.
"""

from __future__ import annotations

import os
import time

from .system import processes

VARIABLE = "QUANTGATE_FAULT"
LATE_SECONDS = 3.0


def reached(name: str) -> None:
    """Say that the launch has come to a place that has a name."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    if wanted == f"kill:{name}":
        os.kill(os.getpid(), processes.KILL)
    elif wanted == f"orphan:{name}":
        _kill_parent(wanted)
    elif wanted == f"late:{name}":
        time.sleep(LATE_SECONDS)


def _kill_parent(wanted: str) -> None:
    # The parent may have gone by itself, and whoever took its place is none of ours.
    parent = os.getppid()
    if processes.variable_of(parent, VARIABLE) == wanted:
        os.kill(parent, processes.KILL)
