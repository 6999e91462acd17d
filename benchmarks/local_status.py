"""`status` of finished local runs against `nel status --json` for the same invocations, and what waiting and a long ledger cost.

The server is warm and asked over stdio; `nel` is a process of its own each time, as it is for its user.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from . import made_runs
from .measured import Effort, Growth, Point, Result, Row, alone, compared, in_turn, milliseconds, seconds, timed
from .tool_server import ToolServer

COUNTS = (1, 10, 50)
GROWING = (1, 10, 100)
LAUNCHES = 10_000
WAIT_SECONDS = 20


def beside_nel(effort: Effort, folder: Path) -> tuple[list[Row], Growth]:
    """Rows for the counts of the claim, and the growth."""
    ids = made_runs.local_runs(folder, max(GROWING))
    rows, points = [], []
    with ToolServer(cwd=folder) as server:
        server.begin()

        def ours(count: int) -> None:
            answer = server.call("status", invocation_ids=ids[:count])
            if {run["state"] for run in answer["runs"]} != {"succeeded"}:
                raise SystemExit("status answered otherwise")

        for count in sorted({*COUNTS, *GROWING}):
            ours(count)
            sides = timed(partial(ours, count), partial(made_runs.nel_status, ids[:count]))
            rounds = in_turn(sides, effort.rounds(5 if count > 10 else 7))
            row = compared(f"local_{count}", f"status of {count} local runs, warm", "nel status --json",
                           milliseconds(rounds), unit="ms", reads="speed")  # fmt: skip
            rows += [row] if count in COUNTS else []
            if count in GROWING:
                mine, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
                figures = {"status": mine, "nel status --json": theirs}
                points.append(Point(f"{count} run{'s' if count > 1 else ''}", float(count), figures))
    return rows, Growth("local-jobs", "status of local runs", "runs asked about", "s", tuple(points))


def long_ledger(effort: Effort) -> Row:
    """What 10,000 launches in the ledger cost `status` without arguments."""
    from quantgate.gates import ledger
    from quantgate.tools.status import status

    launches = effort.size(LAUNCHES, 1000)
    example = ledger.Attempt(
        "f" * 16, "full", "f" * 64, "/configs/eval.yaml", "process", "/gone", "/gone", outcome="launched"
    )
    ledger.add_attempt(example)
    with ledger.store.connection() as opened:
        columns = [row[1] for row in opened.execute("PRAGMA table_info(attempts)") if row[1] != "invocation_id"]
        names = ", ".join(columns)
        opened.execute("BEGIN")
        opened.executemany(
            f"INSERT INTO attempts (invocation_id, {names}) SELECT ?, {names} FROM attempts WHERE rowid=1",
            [(f"{number:016x}"[::-1],) for number in range(launches)],
        )
        opened.execute("COMMIT")
    status()
    figures = [1000 * seconds(status) for _ in range(effort.rounds(7))]
    return alone("ledger", f"status() with {launches:,} launches in the ledger", figures, unit="ms")


def waiting(effort: Effort, folder: Path) -> Row:
    """The processor time of a wait for a run in which nothing happens."""
    from quantgate.launcher.runner_record import own_record, write_runner
    from quantgate.tools.status import status

    run = Path(shutil.copytree(made_runs.RECORDED, folder / f"20261121_095453-{'a' * 16}"))
    (task,) = run.iterdir()
    (task / "logs" / "stage.exit").unlink()
    write_runner(task / "logs" / "runner.json", own_record())
    wait = effort.size(WAIT_SECONDS, 5)
    started = time.process_time()
    wall = seconds(lambda: status([str(run)], wait_seconds=wait))
    taken = 1000 * (time.process_time() - started)
    return alone("waiting", f"processor time of a wait of {wall:.0f} s for one running task", [taken], unit="ms",
                 note="once: it takes its time")  # fmt: skip


def measure(effort: Effort) -> Result:
    """Rows, and a growth."""
    folder = Path(tempfile.mkdtemp())
    rows, growth = beside_nel(effort, folder)
    return Result((*rows, long_ledger(effort), waiting(effort, folder)), (growth,))
