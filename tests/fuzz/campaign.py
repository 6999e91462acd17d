"""The campaign: every target under atheris for so many minutes, two at a time, at the lowest priority; `make fuzz MINUTES=10`.

What it did is a line for each target in `tests/fuzz/record.jsonl`, from which docs/fuzzing.md is written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .targets import TARGETS

RECORD = Path(__file__).with_name("record.jsonl")
AT_ONCE = 2
SPARE_SECONDS = 900
"""For loading and for the last input, on a busy machine."""
_EDGES = re.compile(rb"cov: (\d+)")


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--targets", default=",".join(TARGETS))
    options.add_argument("--folder", type=Path, default=Path("/tmp/quantgate-fuzz"))
    options.add_argument("--seed", default=str(int(time.time())))
    options.add_argument("--no-record", action="store_true")
    options.add_argument("--blind", action="store_true", help="without guidance by coverage")
    given = options.parse_args()
    with ThreadPoolExecutor(AT_ONCE) as lanes:
        rows = lanes.map(lambda name: _one(name, given), given.targets.split(","))
        for row in rows:
            print(json.dumps(row), flush=True)
            if not given.no_record:
                with RECORD.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")


def _one(name: str, given: argparse.Namespace) -> dict[str, Any]:
    folder = given.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    seconds = given.minutes * 60
    argv = [sys.executable, "-m", "tests.fuzz.engine", name, str(seconds), str(folder), given.seed]
    argv += ["--blind"] if given.blind else []
    with (folder / "engine.log").open("wb") as log:
        process = subprocess.Popen(["nice", "-n", "15", *argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            code: int | None = process.wait(seconds + SPARE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
    told = (folder / "engine.log").read_bytes()
    edges = [int(n) for n in _EDGES.findall(told)]
    record = folder / "record.json"
    seen = json.loads(record.read_text()) if record.is_file() else {"executions": 0, "seconds": 0, "findings": {}}
    return {
        "target": name,
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "seed": given.seed,
        "code": code,
        "edges": max(edges, default=0),
        "guided": not given.blind,
        "load": round(os.getloadavg()[1], 1),
        **seen,
    }


if __name__ == "__main__":
    main()
