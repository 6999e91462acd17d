"""What was launched, when, by which config, and how it ended."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from .. import visible
from ..gates.judgement import judging
from ..gates.traces import lookup
from ..gates.views import overview
from ..redact import redact_value
from ..runs.sanitise import one_line
from . import said

COLUMNS = ("launched", "invocation", "kind", "executor", "state", "samples", "config", "reason")


def list_runs(limit: int, *, as_json: bool = False, out: TextIO | None = None) -> int:
    """Print the newest runs, newest first.

    Args:
        limit: At most this many.
        as_json: One JSON array instead of a table.
        out: Standard output when None.

    Returns:
        0.
    """
    out = out or sys.stdout
    newest = overview.newest(limit)
    pairs = list(zip(newest.runs, overview.views(newest.runs), strict=True))
    if as_json:
        out.write(
            json.dumps(visible.value(redact_value([_record(k, v) for k, v in pairs])), indent=1, ensure_ascii=False)
            + "\n"
        )
        return 0
    if not pairs:
        out.write("No run is known here.\n")
        return 0
    _print_table([_row(k, v) for k, v in pairs], out)
    if newest.omitted:
        out.write(f"{newest.omitted} older ones are left out; --limit shows more.\n")
    return 0


def _record(known: overview.Known, view: judging.View) -> dict[str, Any]:
    attempt = known.attempt
    launched = datetime.fromtimestamp(known.created, UTC).isoformat(timespec="seconds") if known.created else ""
    return {
        "invocation_id": known.invocation_id,
        "kind": view.run.kind,
        "executor": view.run.executor,
        "launched": launched,
        "config": attempt.config if attempt else "",
        "state": view.state,
        "canary_passed": view.gate.passed if view.gate else None,
        "reason": _why(view),
        "run_dir": _place(view.run),
        "tasks": [
            {"task": t.task, "state": t.state, "samples_done": t.done, "samples_expected": t.expected}
            for t in said.tasks(view)
        ],
    }


def _place(run: lookup.Run) -> str:
    if run.remote is not None:
        return run.remote.address
    return str(run.directory.path) if run.directory else ""


def _row(known: overview.Known, view: judging.View) -> tuple[str, ...]:
    tasks = said.tasks(view)
    state: str = view.state
    if view.gate is not None:
        state += ", passed" if view.gate.passed else ", not passed"
    return (
        said.moment(known.created),
        one_line(known.invocation_id, said.NAME_CHARACTERS),
        view.run.kind,
        one_line(view.run.executor, said.NAME_CHARACTERS),
        state,
        tasks[0].samples if len(tasks) == 1 else f"{len(tasks)} tasks" if tasks else "",
        said.config_name(known.attempt.config) if known.attempt else "",
        _why(view),
    )


def _why(view: judging.View) -> str:
    if reason := overview.reason(view):
        return reason
    if view.gate is not None and view.gate.reasons:
        return one_line(view.gate.reasons[0], said.NOTE_CHARACTERS)
    return next((t.note for t in said.tasks(view) if t.note), "")


def _print_table(rows: list[tuple[str, ...]], out: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=out)
    if not console.is_terminal:
        # For grep and cut: one run a line, whole, with a tab between the columns.
        for row in (COLUMNS, *rows):
            out.write("\t".join(row) + "\n")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, no_wrap=name != "reason", overflow="ellipsis" if name != "reason" else "fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
