"""`python -m benchmarks [NAME …] [--quick]`: run all benchmarks or some, keep what they found, and write docs/performance.md.

Every benchmark runs in a process of its own with a home, a state and a directory for temporary files of its own, all of which go
with it. One that fails leaves its earlier rows as they were; the exit status is then 1. `--quick` shows with few rounds and small
sizes that they work, and keeps nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from . import NAMES, kept, machine, page

MOST_SECONDS = 900
"""For one benchmark: twice what the longest takes on a machine that does nothing else."""


def environment(scratch: Path) -> dict[str, str]:
    """The variables of a benchmark."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("QUANTGATE_", "NEMO_EVALUATOR_"))}
    return own | {
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "QUANTGATE_HOME": str(scratch / "state"),
        "QUANTGATE_CACHE": str(scratch / "cache"),
        "NEMO_EVALUATOR_EXEC_DB_FILE": str(scratch / "exec.v1.jsonl"),
        "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
        "PYTHONPATH": str(kept.ROOT),
    }


def shared_harnesses() -> Path:
    """Where installed harnesses are kept, with those of the tests: installing one takes minutes."""
    cache = os.environ.get("QUANTGATE_TEST_CACHE", str(Path.home() / ".cache" / "quantgate-tests"))
    place = Path(cache) / "harnesses"
    place.mkdir(parents=True, exist_ok=True)
    return place


def run(name: str, quick: bool, load: float) -> bool:
    """Run one benchmark, on a machine with this load average before; whether it came to its end."""
    # A short path: the sockets of the test cluster lie below it.
    scratch = Path(tempfile.mkdtemp(prefix="qgb-", dir="/tmp"))
    for folder in ("home", "tmp", "cache"):
        (scratch / folder).mkdir()
    (scratch / "cache" / "harnesses").symlink_to(shared_harnesses(), target_is_directory=True)
    argv = [sys.executable, "-m", "benchmarks.one", name, str(scratch / "found.json"), *(["--quick"] if quick else [])]
    started = time.monotonic()
    process = subprocess.Popen(argv, env=environment(scratch), cwd=scratch, start_new_session=True)
    try:
        code = process.wait(timeout=MOST_SECONDS)
        if code == 0:
            found = kept.read(scratch / "found.json")
            took = time.monotonic() - started
            if not quick:
                kept.write(name, found, machine.described(load), took)
            print("\n".join(page.spoken(found)))
            print(f"{name}: {took:.0f} s\n", flush=True)
        return code == 0
    except subprocess.TimeoutExpired:
        print(f"{name} did not end within {MOST_SECONDS} s", file=sys.stderr)
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        end_all(str(scratch))
        shutil.rmtree(scratch, ignore_errors=True)


def end_all(scratch: str) -> None:
    """End what a benchmark left: a run outlives the server that launched it, and its directory tells whose it is."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("QUANTGATE_HOME", "").startswith(f"{scratch}/") or process.cwd().startswith(
                f"{scratch}/"
            ):
                process.kill()


def _stopped(signum: int, frame: object) -> None:  # noqa: ARG001 - the shape of a signal handler
    raise SystemExit(128 + signum)


def main() -> int:
    """Exit status 0 when every benchmark came to its end, whether or not its bounds are met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes, nothing kept")
    parser.add_argument("--page", action="store_true", help="write the page from what is kept, measure nothing")
    arguments = parser.parse_args()
    names = arguments.names or ([] if arguments.page else NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"no benchmark is named {', '.join(unknown)}; there are {', '.join(NAMES)}")
    # So that whoever stops the whole leaves nothing behind either.
    signal.signal(signal.SIGTERM, _stopped)
    load = os.getloadavg()[0]
    failed = [name for name in names if not run(name, arguments.quick, load)]
    if not arguments.quick:
        for path in page.write():
            print(f"wrote {path.relative_to(kept.ROOT)}")
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
