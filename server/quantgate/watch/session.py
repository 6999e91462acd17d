"""Watching one run until it has ended."""

from __future__ import annotations

import sys
import time
from typing import Protocol, Self, TextIO

from .. import children
from ..errors import BadInput
from ..gates.judgement import judging
from ..gates.traces import remote_views
from ..gates.views import overview, waiting
from ..runs.invocation import LIVE
from . import said

DRAW_SECONDS = 1.0
LOOKED_AT = 20
"""How many of the newest runs are looked at for one that is still going on."""
DOUBT_SECONDS = 300.0
"""How long a run on a cluster is watched while its state is not known: its scheduler or its file system may answer again."""
SUCCEEDED, FAILED, NOT_KNOWN, INTERRUPTED = 0, 1, 3, 130


class Screen(Protocol):
    """Where a run is shown."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *exception: object) -> None: ...
    def show(self, view: judging.View) -> None:
        """Show the run as it stands."""


def watch(name: str = "", out: TextIO | None = None) -> int:
    """Show a run until it has ended.

    Args:
        name: Invocation id or run directory; empty for the newest run that is going on, else the newest.
        out: Standard output when None.

    Returns:
        0 when it succeeded (a canary: and passed), 1 when it failed, was cancelled or interrupted, 3 when its state cannot be
        known (of a run on a cluster: for five minutes), 130 when the person stopped watching.

    Raises:
        BadInput: There is no such run.
    """
    out = out or sys.stdout
    chosen = name or _newest()
    view = waiting.views([chosen])[0]
    try:
        with _screen(out) as screen:
            screen.show(view)
            known = time.monotonic()
            while _may_go_on(view, time.monotonic() - known) and not children.wait(_pause(view)):
                view = waiting.views([chosen])[0]
                screen.show(view)
                if view.state != "unknown":
                    known = time.monotonic()
    except KeyboardInterrupt:
        # Nothing was told to the run: it has processes and a session of its own.
        out.write(f"\nStopped watching; the run goes on. Watch it again: quantgate watch {said.shell_name(view)}\n")
        out.flush()
        return INTERRUPTED
    return exit_code(view)


def _may_go_on(view: judging.View, doubt: float) -> bool:
    """Whether to look again at a run that has not been known for so many seconds.

    A cluster that does not answer now, or only in part, may answer again; nothing is known of the run until then.
    """
    if view.state != "unknown":
        return view.state in LIVE or view.state == "unreachable"
    there = view.run.remote is not None and not view.gone and not remote_views.forbidden(view.run)
    return there and doubt < DOUBT_SECONDS


def _pause(view: judging.View) -> float:
    return DRAW_SECONDS if view.run.remote is None else waiting.pause([view])


def exit_code(view: judging.View) -> int:
    """The exit code that tells how a run ended."""
    if view.state == "succeeded":
        return FAILED if view.gate is not None and not view.gate.passed else SUCCEEDED
    return FAILED if view.state in {"failed", "cancelled", "interrupted"} else NOT_KNOWN


def _newest() -> str:
    known = overview.newest(LOOKED_AT).runs
    if not known:
        raise BadInput(
            "No run is known here", fix="give the directory of a run, or launch one: `quantgate call canary …`"
        )
    going_on = (one.invocation_id for one, view in zip(known, overview.views(known), strict=True) if view.state in LIVE)
    return next(going_on, known[0].invocation_id)


def _screen(out: TextIO) -> Screen:
    from rich.console import Console

    console = Console(file=out)
    if console.is_terminal and not console.is_dumb_terminal:
        from .live import LiveTable

        return LiveTable(console)
    from .plain import PlainLines

    return PlainLines(out)
