"""How the server ends: everything that it started is ended, and nothing private is left behind."""

from __future__ import annotations

import os
import signal

from .. import children, scratch
from ..cluster import leaving
from ..system import processes


def clean_up() -> None:
    """End the children, leave the clusters and remove the private files of this process."""
    children.end_all()
    leaving.close_all()
    scratch.remove_all()


def end_on_signals() -> None:
    """On SIGTERM, SIGINT and their like clean up and end: the SDK does neither on SIGTERM, and hangs on SIGINT at an open stdin.

    A signal that whoever started the server has it ignore, as `nohup` does with SIGHUP, stays ignored.
    """
    for signum in processes.ENDING:
        if signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, _leave)


def _leave(signum: int, frame: object) -> None:
    del signum, frame
    # A client often closes the input and then sends SIGTERM: once leaving, nothing may interrupt it.
    for other in processes.ENDING:
        signal.signal(other, signal.SIG_IGN)
    clean_up()
    os._exit(0)
