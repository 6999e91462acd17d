"""A login node whose scheduler replays answers.

It stands for a cluster with more jobs than a test cluster can hold: what is sent to it is run by the shell of this machine, in
one word as sshd hands it to a login shell, so that the kernel's limits on arguments are the real ones. `squeue` and `sacct` are
programs that print rows from files, in the columns of the real ones, and note each call.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from quantgate.cluster import connection, words
from quantgate.cluster.exchange import Done
from quantgate.errors import Unreachable

HOST = "tester@replayed.example"
_WIDTHS = (60, 40, 120, 600, 600, 40, 40, 300, 1200, 1200, 80)
"""Of the columns that look.sh asks squeue for: the rows are as wide as those of the real one."""
_SEPARATOR = "\x1f"
PATIENCE = 5
"""How many times as long a command may take here: others work on the machine, and processor time is what is measured."""
_SQUEUE = """#!/bin/sh
printf 'squeue %s\\n' "$*" >>"$REPLAYED/calls"
cat "$REPLAYED/squeue"
"""
_SACCT = """#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" = -j ] && ids=$2
    shift
done
printf 'sacct %s\\n' "${#ids}" >>"$REPLAYED/calls"
printf '%s\\n' "$ids" | awk -F "$(printf '\\037')" '
    NR == FNR { n = split($0, id, ","); for (i = 1; i <= n; i++) wanted[id[i]] = 1; next }
    $1 in wanted' - "$REPLAYED/sacct"
"""


@dataclass(frozen=True)
class Replayed:
    """A job that the scheduler tells of."""

    job_id: int
    state: str
    directory: str
    name: str


@dataclass
class Counted:
    """What went over the link.

    Attributes:
        commands: Sessions: each is one command.
        sent: Bytes of the longest command line.
        answered: Bytes of all answers.
        broken: Answers that were cut at the bound of a reply.
    """

    commands: int = 0
    sent: int = 0
    answered: int = 0
    broken: int = 0


class LoginNode:
    """The login node, in the place of a connection to one.

    Args:
        folder: For the rows and the programs.
    """

    host = HOST

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.counted = Counted()
        programs = folder / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name, text in (("squeue", _SQUEUE), ("sacct", _SACCT)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.jobs([])

    def jobs(self, jobs: Sequence[Replayed]) -> None:
        """The scheduler knows these jobs and no others."""
        live = [j for j in jobs if j.state in {"PENDING", "RUNNING"}]
        (self._folder / "squeue").write_text("".join(_queue_row(j) for j in live))
        (self._folder / "sacct").write_text("".join(_account_row(j) for j in jobs))

    def calls(self) -> list[str]:
        """The calls of squeue and sacct since this was asked last, each with its arguments or their length."""
        file = self._folder / "calls"
        found = file.read_text().splitlines() if file.is_file() else []
        file.unlink(missing_ok=True)
        return found

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        seconds: float = connection.COMMAND_SECONDS,
        max_output: int = connection.MAX_OUTPUT,
        changes: bool = False,  # noqa: ARG002 - nothing here is tried twice
    ) -> Done:
        """As `Connection.run`: bounded in time and bytes."""
        line = words.line(argv)
        self.counted.commands += 1
        self.counted.sent = max(self.counted.sent, len(line.encode()))
        environment = os.environ | {
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
            "REPLAYED": str(self._folder),
        }
        try:
            done = subprocess.run(
                ["sh", "-c", line],
                input=stdin,
                capture_output=True,
                env=environment,
                timeout=PATIENCE * seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unreachable(
                f"sh on {self.host} gave no answer within {seconds:.0f} s", fix="call this again"
            ) from None
        except OSError as error:
            return Done(126, "", str(error))
        self.counted.answered += len(done.stdout)
        full = len(done.stdout) > max_output
        self.counted.broken += full
        out = done.stdout[:max_output].decode("utf-8", "replace")
        return Done(-1 if full else done.returncode, out, done.stderr.decode("utf-8", "replace"), truncated=full)

    def close(self) -> None:
        """Nothing is open."""

    def leave(self) -> None:
        """Nothing is open."""


@contextmanager
def reached(folder: Path) -> Iterator[LoginNode]:
    """A login node under the name of `HOST`, for everything that asks for the pooled connection to it."""
    node = LoginNode(folder)
    connection._pool[HOST] = node  # type: ignore[assignment]
    try:
        yield node
    finally:
        connection._pool.pop(HOST, None)


def _queue_row(job: Replayed) -> str:
    moment = str(int(time.time()) - 60)
    running = job.state == "RUNNING"
    cells = (
        str(job.job_id), job.state, "None" if running else "Priority", "(null)", "(null)", moment if running else "N/A", moment,
        job.name, f"{job.directory}/run.sub", f"{job.directory}/logs/slurm-{job.job_id}.log", "tester",
    )  # fmt: skip
    return "".join(f"{cell:<{width}}{_SEPARATOR}" for cell, width in zip(cells, _WIDTHS, strict=True)) + "\n"


def _account_row(job: Replayed) -> str:
    now = int(time.time())
    ended = job.state not in {"PENDING", "RUNNING"}
    cells = (
        str(job.job_id), str(job.job_id), job.state, "0:0", "None", str(now - 7200),
        "Unknown" if job.state == "PENDING" else str(now - 3600), str(now - 60) if ended else "Unknown", "3540", "240", job.name,
        "tester",
    )  # fmt: skip
    return _SEPARATOR.join(cells) + "\n"
