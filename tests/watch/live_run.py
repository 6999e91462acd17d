"""A run that goes on while a test looks at it: a real process with the record, stage files and response cache of a process run.

It stands for the process runner with a harness; what it does next is told on its standard input, so that no test has to wait for
a clock: `answer N`, `say TEXT`, `exit N`.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from quantgate.launcher.runner_record import own_record, write_runner
from quantgate.runs.answer_store import RESPONSE_CACHE

REAL = next((Path(__file__).parents[1] / "data" / "runs").glob("*-*"))
NAME = "20261121_095453-5f3c9a1e7b2d4860"
TASK = "ifbench.ifbench.0"
EXPECTED = 20
STAMP = "2026-11-21T09:54:53Z"


class LiveRun:
    """A handle on the process.

    Args:
        folder: Where the run's directory is made.
        task: The name of its task's directory.
    """

    def __init__(self, folder: Path, task: str = TASK) -> None:
        self.path = folder / NAME
        self.task = self.path / task
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.watch.live_run", str(self.task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=Path(__file__).parents[2],
        )
        self._done()

    def tell(self, command: str) -> None:
        """Let it do something, and return when it is done."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self._done()

    def _done(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "done\n"

    def close(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait(timeout=10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@contextlib.contextmanager
def live_run(folder: Path, task: str = TASK) -> Iterator[LiveRun]:
    """A run that has begun and has answered nothing yet."""
    run = LiveRun(folder, task)
    try:
        yield run
    finally:
        run.close()


def _answer(task: Path, count: int) -> None:
    database = task / "artifacts" / RESPONSE_CACHE
    database.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS Cache (key TEXT, value TEXT)")
        connection.executemany("INSERT INTO Cache VALUES (?, '')", [(f"k{i}",) for i in range(count)])


def _serve(task: Path) -> None:
    for part in ("logs", "artifacts"):
        (task / part).mkdir(parents=True)
    shutil.copy(REAL / TASK / "artifacts" / "run_config.yml", task / "artifacts")
    write_runner(task.parent / "runner.json", own_record())
    write_runner(task / "logs" / "runner.json", own_record())
    for stage in ("pre-start", "running"):
        (task / "logs" / f"stage.{stage}").write_text(STAMP)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    for line in sys.stdin:
        verb, _, argument = line.strip().partition(" ")
        if verb == "answer":
            _answer(task, int(argument))
        elif verb == "say":
            with (task / "logs" / "client_stdout.log").open("a") as log:
                log.write(argument.encode().decode("unicode_escape") + "\n")
        elif verb == "exit":
            (task / "logs" / "stage.exit").write_text(f"{STAMP} {argument}")
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
