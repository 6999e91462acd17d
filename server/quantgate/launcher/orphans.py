"""A child process that must not outlive the one that asked for it."""

from __future__ import annotations

import os
import threading
import time

from ..system import processes

LOOK_SECONDS = 0.2


def end_with(parent: int) -> None:
    """End this process at once when its parent is gone.

    A dry run that goes on after its server was killed would write secrets into a directory that the next server has already
    swept.

    Args:
        parent: The process that asked; another one as the parent means that it is gone.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True, name="end-with-parent").start()


def _watch(parent: int) -> None:
    while processes.has_parent(parent):
        time.sleep(LOOK_SECONDS)
    os._exit(1)
