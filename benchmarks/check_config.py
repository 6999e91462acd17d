"""check_config, warm, against `nel run --dry-run` on the same configs, in turn, in one run.

The configs are recipes/examples with their gaps filled and every variable set, so that both come to the end. Asserts nothing: the
ratio is what counts.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quantgate.benchmarks.env_example import examples_by_variable
from quantgate.evalconfig.lint import check

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "recipes" / "examples").glob("*.yaml"))
ROUNDS = 5
VALUES = {"url": "http://10.0.0.9:8080/v1/chat/completions"}


def filled(text: str, output: str) -> str:
    """An example without gaps, whose output goes to `output`: NEL's dry run leaves a file of plain secrets there."""
    lines = [line.replace("???", VALUES.get(line.split(":")[0].strip(" -"), "filled")) for line in text.splitlines()]
    return re.sub(r"(?m)^( *output_dir: ).*$", rf"\g<1>{output}", "\n".join(lines) + "\n")


def seconds(argv: list[str], environment: dict[str, str], directory: str) -> float:
    """Wall time of a command."""
    started = time.perf_counter()
    subprocess.run(argv, env=environment, cwd=directory, check=False, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Print a row for each example."""
    nel = str(Path(sys.executable).with_name("nel"))
    names = dict.fromkeys(examples_by_variable(), "abcdefgh")
    os.environ.update(names)
    os.environ["USER"] = os.environ.get("USER", "someone")
    print("config                            check_config (s)  nel run --dry-run (s)  ratio")
    with tempfile.TemporaryDirectory() as scratch:
        for example in EXAMPLES:
            path = Path(scratch) / example.name
            path.write_text(filled(example.read_text(encoding="utf-8"), f"{scratch}/results"), encoding="utf-8")
            check(path)
            ours, theirs = [], []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                check(path)
                ours.append(time.perf_counter() - started)
                theirs.append(seconds([nel, "run", "--config", str(path), "--dry-run"], dict(os.environ), scratch))
            mine, other = statistics.median(ours), statistics.median(theirs)
            print(f"{example.stem:32s}  {mine:16.3f}  {other:21.2f}  {other / mine:5.0f}")


if __name__ == "__main__":
    main()
