"""Logs of a run: shown, searched for known failures by grep and by the scanner, and asked for the cause of a failure."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ...runs.building import NAME, TASK
from .. import bundle
from ..watching import CANARY, Violation, foreseen
from .target import Target

LOG = b"""[I 2026-11-21T09:54:53] Starting
2026-11-21 09:55:00 - INFO - Evaluating 20 samples
Traceback (most recent call last):
  File "x.py", line 3, in <module>
    raise ValueError("Authorization: Bearer abcdefghijklmnop")
ValueError: CUDA out of memory. Tried to allocate 2.00 GiB (GPU 0; 79.15 GiB total capacity)
slurmstepd: error: *** JOB 812 ON node1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***
HTTP 429 Too Many Requests: rate limit exceeded
\x1b[31mERROR\x1b[0m \x1b]52;c;eA==\x07 Connection refused \r overwritten
"""


def _call(data: bytes, room: Path) -> None:
    from quantgate.runs.rundir import RunDir
    from quantgate.runs.telling import telling_lines
    from quantgate.tools.grep_slurm_logs import grep_slurm_logs
    from quantgate.tools.logs import logs

    run = room / NAME
    task = run / TASK
    (task / "logs").mkdir(parents=True)
    (task / "artifacts").mkdir()
    files = bundle.laid_out(data, task)
    asked = files.get("pattern", task / "none")
    pattern = asked.read_bytes().decode("utf-8", "replace").strip() if asked.is_file() else ""
    shown = foreseen(lambda: logs(str(run), lines=500))
    shown += foreseen(lambda: logs(str(run), source="client", lines=3, before=50))
    shown += foreseen(lambda: grep_slurm_logs(str(run), pattern=pattern))
    found = RunDir.find(run).tasks
    shown += foreseen(lambda: [telling_lines(one) for one in found])
    if "\x1b" in shown or "\x07" in shown or "\x9b" in shown:
        raise Violation("a terminal's escape is in the answer")


def _seeds() -> dict[str, bytes]:
    from ...runs.signature_lines import EXAMPLES

    lines = "\n".join(line for row in EXAMPLES.values() for line in row).encode()
    many = {"logs/client-812.log": LOG, "logs/slurm-812.log": LOG[:200], "logs/server-0-812-x.log": LOG[300:]}
    many |= {"logs/proxy-812.log": b"x" * 3000, ".slurm_job_id.list": b"811\n812\n"}
    return {
        "plain": bundle.packed({"logs/client_stdout.log": LOG, "logs/stage.running": b"2026-11-21T09:54:53Z\n"}),
        "many": bundle.packed(many),
        "signatures": bundle.packed({"logs/client.log": lines}),
        "pattern": bundle.packed({"logs/client.log": LOG, "pattern": b"step [0-9]+ (skipped|failed)"}),
        "secrets": bundle.packed({"logs/run.log": f"HF_TOKEN={CANARY}\nkey: {CANARY[:20]}\n{CANARY}".encode()}),
        "odd": bundle.packed({"logs/client.log": b"\x00\xff\xfe\x1b[31m\xc3\n\r\n" * 20 + b"a" * 5000}),
    }


def _prepare() -> None:
    for data in list(_seeds().values())[:2]:
        with tempfile.TemporaryDirectory() as folder:
            _call(data, Path(folder))


# grep is started with a fixed line of a shell that sets its limits; the pattern and the files are its arguments.
TARGET = Target("logs", _call, _seeds, seconds=4, may_start=frozenset({"sh"}), prepare=_prepare)
