"""`grep_slurm_logs` on a log of 1 GB, here and over SSH, against one grep for the same classes, and against pulling the log first.

The log is made: lines as a model server and a harness print them, one in a thousand of a class of failure. The other side is the
test cluster's sshd on loopback, so the network costs nothing: pulling is shown at its best. `grep` is `LC_ALL=C grep -ciE` with the
expressions of the table joined; it tells one number, where the scan tells counts, benign lines and samples for each class.
"""

from __future__ import annotations

import os
import random
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import made_runs
from .kept import ROOT
from .measured import Effort, Growth, Point, Result, Row, compared, in_turn, timed

LIMIT = 1.3
MEGABYTES = 1024
CLASSES = {"cuda_oom", "judge_failure", "rate_limit", "connection"}
FAILURES = (
    "ERROR torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
    'INFO HTTP Request: POST http://h/v1/chat/completions "HTTP/1.1 429 Too Many Requests"',
    "ERROR judge request failed after 5 retries",
    "WARNING Connection refused by the endpoint",
)
ORDINARY = (
    "INFO engine.py:{n}] Avg prompt throughput: {a}.{b} tokens/s, Avg generation throughput: {b}.{a} tokens/s, Running: {a} reqs",
    'INFO api_server.py: 127.0.0.1:{n} - "POST /v1/chat/completions HTTP/1.1" 200 OK',
    "INFO [client] Request completed status_code=200 path=chat/completions latency={a}.{b} tokens={n}",
    "INFO scoring sample {a} of {n}: score 0.{b}, tokenizer and judge are well",
)


def make_log(path: Path, megabytes: int, share: float) -> None:
    """A log of so many megabytes of which so large a share of the lines shows a failure."""
    path.parent.mkdir(parents=True)
    dice = random.Random(7)
    lines = []
    for number in range(100_000):
        text = dice.choice(FAILURES) if dice.random() < share else dice.choice(ORDINARY)
        text = text.format(n=dice.randrange(60_000), a=dice.randrange(900), b=dice.randrange(100))
        lines.append(f"2026-11-21 10:{number // 60 % 60:02d}:{number % 60:02d},{number % 1000:03d} {text}\n")
    block = "".join(lines).encode()
    with path.open("wb") as file:
        for _ in range(max(1, (megabytes << 20) // len(block))):
            file.write(block)


def expression() -> str:
    """The whole table of failures as one expression for grep."""
    from quantgate.runs.scanning.prefilter import widened
    from quantgate.runs.scanning.signatures import load_signatures

    return "|".join(widened(s.pattern.pattern) for s in load_signatures().signatures)


def counted(argv: list[str]) -> None:
    """Run a grep that counts; it must find something."""
    done = subprocess.run(argv, env={**os.environ, "LC_ALL": "C"}, capture_output=True, check=True)
    if int(done.stdout) == 0:
        raise SystemExit("grep found nothing")


def scan_here(run: Path) -> None:
    """Our scan; it must find what was put there."""
    from quantgate.runs.rundir import RunDir
    from quantgate.runs.scanning.scan import scan

    if {c.name for c in scan(RunDir.find(run).tasks).classes} != CLASSES:
        raise SystemExit("the scan found something else")


def here(run: Path, log: Path, rounds: int) -> list[tuple[float, ...]]:
    """Rounds of (scan, grep) on this machine, in seconds."""
    grep = ["grep", "-ciE", "-e", expression(), str(log)]
    return in_turn(timed(lambda: scan_here(run), lambda: counted(grep)), rounds)


def there(alias: str, ssh_config: Path, run: Path, log: Path, rounds: int) -> list[tuple[float, ...]]:
    """Rounds of (scan, grep over ssh, scp and grep) over a link, in seconds."""
    from quantgate.runs.clusters.remote import RemoteRun
    from quantgate.runs.clusters.remote_scan import scan_remote

    size, copy = log.stat().st_size, run.parent / "pulled.log"
    ssh = ["ssh", "-F", str(ssh_config), alias]
    line = f"LC_ALL=C grep -ciE -e {shlex.quote(expression())} {shlex.quote(str(log))}"

    def ours() -> None:
        if scan_remote(RemoteRun(alias, str(run))).bytes_scanned != size:
            raise SystemExit("the scan read something else")

    def pulled() -> None:
        subprocess.run(["scp", "-q", "-F", str(ssh_config), f"{alias}:{log}", str(copy)], check=True)
        counted(["grep", "-ciE", "-e", expression(), str(copy)])
        copy.unlink()

    sides: tuple[Callable[[], object], ...] = (ours, lambda: counted([*ssh, line]), pulled)
    return in_turn(timed(*sides), rounds)


def rows_over_ssh(found: list[tuple[float, ...]], what: str) -> list[Row]:
    """Against grep over there, and against pulling."""
    greps, pulls = [(f[0], f[1]) for f in found], [(f[0], f[2]) for f in found]
    note = "loopback: the network costs nothing"
    return [
        compared("ssh_grep", f"{what} over SSH", "ssh host grep -ciE", greps, limit=LIMIT),
        compared("ssh_pull", f"{what} over SSH", "scp, then grep", pulls, reads="speed", note=note),
    ]


def measure(effort: Effort) -> Result:
    """Rows here and over SSH, and the growth of both."""
    sys.path.insert(0, str(ROOT))
    from tests.integration.slurm import cluster as clusters

    if why := clusters.missing():
        raise SystemExit(f"no cluster for the log over SSH: {why}")
    largest = effort.size(MEGABYTES, 128)
    base = Path(tempfile.mkdtemp(dir=Path(tempfile.gettempdir()).parent, prefix="c"))
    os.environ["QUANTGATE_SSH_CONFIG"] = str(base / "etc" / "ssh_config")
    points, rows = [], []
    with clusters.Cluster(base, images={}, accounting=False) as running:
        for number, megabytes in enumerate((largest // 100, largest // 10, largest)):
            run = base / "home" / f"20261121_100000-{number:016x}"
            log = run / made_runs.TASK / "logs" / "client-77.log"
            make_log(log, megabytes, 0.001)
            rounds = effort.rounds()
            near, far = here(run, log, rounds), there(running.alias, running.ssh_config, run, log, rounds)
            medians = [statistics.median(column) for found in (near, far) for column in zip(*found, strict=True)]
            names = ("scan here", "grep here", "scan over SSH", "grep over SSH", "scp, then grep")
            size = log.stat().st_size
            points.append(Point(f"{size / 1e6:.0f} MB", float(size), dict(zip(names, medians, strict=True))))
        what = f"scan of a log of {size / 1e9:.2g} GB"
        rows.append(compared("local_grep", f"{what} here", "LC_ALL=C grep -ciE", near, limit=LIMIT))
        rows += rows_over_ssh(far, what)
    growth = Growth("log-bytes", "grep_slurm_logs", "bytes of log", "s", tuple(points))
    return Result(tuple(rows), (growth,))
