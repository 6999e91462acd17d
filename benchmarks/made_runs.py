"""Runs and configs to measure with: copies of a recorded run that plain `nel` knows too, and the recipes' examples filled in."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .kept import ROOT

RECORDED = next((ROOT / "tests" / "data" / "runs").glob("*-*"))
TASK = "ifbench.ifbench.0"
EXAMPLES = sorted((ROOT / "recipes" / "examples").glob("*.yaml"))
_VALUES = {"url": "http://10.0.0.9:8080/v1/chat/completions"}


def local_runs(folder: Path, count: int) -> list[str]:
    """Invocation ids of so many finished runs below `folder`, as NEL's local executor leaves them, in NEL's own record."""
    ids = []
    with Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"]).open("a", encoding="utf-8") as record:
        for number in range(count):
            invocation = f"{number:016x}"
            run = Path(shutil.copytree(RECORDED, folder / f"20261121_095453-{invocation}"))
            (run / TASK / "run.sh").write_text("docker run image\n", encoding="utf-8")
            row: dict[str, Any] = {"invocation_id": invocation, "job_id": f"{invocation}.0", "timestamp": 1.0 + number}
            row |= {"executor": "local", "data": {"output_dir": str(run / TASK)}, "config": {}}
            record.write(json.dumps(row) + "\n")
            ids.append(invocation)
    return ids


def examples(folder: Path) -> list[Path]:
    """The recipes' examples without gaps, every variable of theirs set; NEL's dry run of each comes to its end."""
    from quantgate.benchmarks.env_example import examples_by_variable

    os.environ.update(dict.fromkeys(examples_by_variable(), "abcdefgh"))
    os.environ.setdefault("USER", "someone")
    written = []
    for example in EXAMPLES:
        lines = example.read_text("utf-8").splitlines()
        text = "\n".join(line.replace("???", _VALUES.get(line.split(":")[0].strip(" -"), "filled")) for line in lines)
        # NEL's dry run leaves a file of plain secrets in the output directory.
        text = re.sub(r"(?m)^( *output_dir: ).*$", rf"\g<1>{folder / 'results'}", text + "\n")
        written.append(folder / example.name)
        written[-1].write_text(text, encoding="utf-8")
    return written


def program(name: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).with_name(name))


def nel(*arguments: str | Path, check: bool = True) -> str:
    """What a command of plain `nel` prints."""
    argv = [program("nel"), *map(str, arguments)]
    return subprocess.run(argv, check=check, capture_output=True, text=True).stdout


def nel_status(ids: Iterable[str]) -> None:
    """`nel status --json`; its answer must name every run as ended."""
    wanted = list(ids)
    answer = nel("status", "--json", *wanted)
    states = [row["status"].lower() for row in json.loads(answer[answer.index("[") :])]
    if len(states) != len(wanted) or set(states) != {"success"}:
        raise SystemExit(f"nel answered otherwise: {answer[:300]}")
