"""`status`, warm, against `nel status --json` for the same invocations, in turn, in one run; and what waiting and long lists cost.

The runs are copies of a recorded one, laid out as NEL's local executor leaves them and written into a record of NEL's of their
own, so that plain `nel` knows them too. "Warm" is a call of the tool's function in a process that has called it before, as in a
server; `nel` is a process of its own each time, as it is for its user. Asserts nothing: the ratio is what counts.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

RECORDED = next((Path(__file__).resolve().parents[1] / "tests" / "data" / "runs").glob("*-*"))
ROUNDS = 7
COUNTS = (1, 10, 50)
LAUNCHES = 10_000
WAIT_SECONDS = 45


def make_runs(folder: Path, count: int) -> list[str]:
    """Invocation ids of so many finished local runs."""
    ids = []
    with (folder / "exec.v1.jsonl").open("w", encoding="utf-8") as record:
        for number in range(count):
            invocation = f"{number:016x}"
            run = Path(shutil.copytree(RECORDED, folder / f"20261121_095453-{invocation}"))
            (task,) = run.iterdir()
            (task / "run.sh").write_text("docker run image\n", encoding="utf-8")
            row: dict[str, Any] = {"invocation_id": invocation, "job_id": f"{invocation}.0", "timestamp": 1.0 + number}
            row |= {"executor": "local", "data": {"output_dir": str(task)}, "config": {}}
            record.write(json.dumps(row) + "\n")
            ids.append(invocation)
    return ids


def seconds(call: Callable[[], Any]) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def nel(ids: list[str]) -> None:
    """`nel status --json`; its answer must name every run as ended."""
    program = str(Path(sys.executable).with_name("nel"))
    answer = subprocess.run([program, "status", "--json", *ids], check=True, capture_output=True, text=True)
    states = [row["status"] for row in json.loads(answer.stdout[answer.stdout.index("[") :])]
    if len(states) != len(ids) or {s.lower() for s in states} != {"success"}:
        raise SystemExit(f"nel answered otherwise: {answer.stdout[:300]}")


def beside_nel(ids: list[str]) -> None:
    """Print a row for each number of runs."""
    from quantgate.tools.status import status

    def ours(chosen: list[str]) -> None:
        if {run.state for run in status(chosen).runs} != {"succeeded"}:
            raise SystemExit("status answered otherwise")

    print("runs  status, warm (ms)  nel status --json (ms)  ratio")
    for count in COUNTS:
        chosen = ids[:count]
        first = seconds(lambda c=chosen: ours(c))  # type: ignore[misc]
        pairs = [(seconds(lambda c=chosen: ours(c)), seconds(lambda c=chosen: nel(c))) for _ in range(ROUNDS)]  # type: ignore[misc]
        mine, theirs = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
        print(f"{count:4d}  {mine:17.2f}  {theirs:22.0f}  {theirs / mine:5.0f}   (first call {first * 1000:.0f} ms)")


def long_ledger() -> None:
    """Print what 10,000 launches in the ledger cost."""
    from quantgate.gates import ledger
    from quantgate.tools.status import status
    from quantgate.watch.listing import list_runs

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
            [(f"{number:016x}"[::-1],) for number in range(LAUNCHES)],
        )
        opened.execute("COMMIT")
    status()
    newest = statistics.median(seconds(status) for _ in range(ROUNDS))
    one = statistics.median(seconds(lambda: status(["f" * 16])) for _ in range(ROUNDS))
    with Path(os.devnull).open("w", encoding="utf-8") as sink:
        listed = statistics.median(seconds(lambda: list_runs(20, out=sink)) for _ in range(ROUNDS))
    print(f"ledger of {LAUNCHES} launches: status() {newest * 1000:.1f} ms, one id {one * 1000:.1f} ms, ", end="")
    print(f"quantgate runs (20) {listed * 1000:.1f} ms")


def waiting(folder: Path) -> None:
    """Print the processor time of a wait for a run in which nothing happens."""
    from quantgate.launcher.runner_record import own_record, write_runner
    from quantgate.tools.status import status

    run = Path(shutil.copytree(RECORDED, folder / f"20261121_095453-{'a' * 16}"))
    (task,) = run.iterdir()
    (task / "logs" / "stage.exit").unlink()
    write_runner(task / "logs" / "runner.json", own_record())
    started = time.process_time()
    wall = seconds(lambda: status([str(run)], wait_seconds=WAIT_SECONDS))
    print(
        f"a wait of {wall:.0f} s for one running task: {(time.process_time() - started) * 1000:.0f} ms of processor time"
    )


@contextlib.contextmanager
def own_home() -> Iterator[Path]:
    """A directory for state, runs and NEL's record, named in the environment."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        os.environ |= {
            "QUANTGATE_HOME": str(home / "state"),
            "NEMO_EVALUATOR_EXEC_DB_FILE": str(home / "exec.v1.jsonl"),
            "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
        }
        yield home


def main() -> None:
    """Print every figure."""
    with own_home() as home:
        beside_nel(make_runs(home, max(COUNTS)))
        long_ledger()
        waiting(home)


if __name__ == "__main__":
    main()
