"""compare_runs on two runs of 12,032 questions with 16 answers each, against a script by hand, and against `json.loads` alone.

The runs are made (tests/compare/made_runs.py). Ours reads, validates, pairs and judges both. "By hand" is a script that reads the
answers with `json.loads`, takes each question's mean and gives scipy's paired t interval: no validation, no bootstrap, no check of
what may be compared. Every reading is a process of its own; the seconds are of the processor, its imports included.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from .kept import ROOT
from .measured import Effort, Growth, Point, Result, alone, compared, in_turn

QUESTIONS, REPEATS = 12_032, 16
TIMED = """
import resource, sys, time
code = sys.argv.pop(1)
exec(compile(code, "side", "exec"))
print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
OURS = """
from quantgate.compare.comparing import compare
assert compare(*sys.argv[1:]).tasks[0].questions == int(QUESTIONS)
"""
PLAIN = """
import json
from pathlib import Path
for run in sys.argv[1:]:
    for path in Path(run).rglob("output*.jsonl"):
        with path.open() as file:
            for line in file:
                json.loads(line)
"""
BY_HAND = """
import json
from pathlib import Path
import numpy as np
from scipy.stats import ttest_rel
sides = []
for run in sys.argv[1:]:
    scores = {}
    for path in Path(run).rglob("output*.jsonl"):
        with path.open() as file:
            for line in file:
                row = json.loads(line)
                scores.setdefault(row["problem"], []).append(row["symbolic_correct"])
    sides.append({name: np.mean(values) for name, values in scores.items()})
names = sorted(sides[0])
found = ttest_rel([sides[1][n] for n in names], [sides[0][n] for n in names])
assert found.confidence_interval(0.95).low < found.confidence_interval(0.95).high
"""


def made(folder: Path, questions: int) -> tuple[str, str]:
    """Two runs of one model: the same chance of a right answer per question, drawn anew."""
    import numpy as np

    sys.path.insert(0, str(ROOT))
    from tests.compare.made_runs import repeated

    draw = np.random.default_rng(20261121)
    chance = draw.beta(2, 1, (questions, 1))
    first, second = (
        repeated(folder, (draw.random((questions, REPEATS)) < chance).tolist(), voice=voice, benchmark="mmlu-pro")
        for voice in ("one", "two")
    )
    return str(first), str(second)


def processor(code: str, runs: tuple[str, str], memory: list[float] | None = None) -> float:
    """Seconds of the processor of a side; the most memory in MB is added to `memory`."""
    done = subprocess.run([sys.executable, "-c", TIMED, code, *runs], check=True, capture_output=True, text=True)
    taken, kilobytes = done.stdout.split()[-2:]
    if memory is not None:
        memory.append(int(kilobytes) / 1024)
    return float(taken)


def measure(effort: Effort) -> Result:
    """Rows for the largest, and the growth."""
    largest, points = effort.size(QUESTIONS, 1200), []
    for questions in (largest // 100, largest // 10, largest):
        memory: list[float] = []
        with tempfile.TemporaryDirectory() as folder:
            runs = made(Path(folder), questions)
            codes = (OURS.replace("QUESTIONS", str(questions)), BY_HAND, PLAIN)
            rounds = in_turn(
                [partial(processor, code, runs, memory if code is codes[0] else None) for code in codes],
                effort.rounds(),
            )
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        names = ("compare_runs", "json, means, t interval", "json.loads alone")
        samples = questions * REPEATS
        points.append(Point(f"2 × {samples:,}", float(samples), dict(zip(names, medians, strict=True))))
    what = f"compare_runs of 2 × {largest:,} questions × {REPEATS} answers"
    rows = (
        compared("by_hand", what, "a script: json, means per question, scipy's paired t", [f[:2] for f in rounds],
                 note="processor time"),
        compared("json", what, "json.loads of every line, and nothing else", [(f[0], f[2]) for f in rounds],
                 note="processor time"),
        alone("memory", f"{what}: most memory", memory, unit="MB"),
    )  # fmt: skip
    return Result(rows, (Growth("samples", "compare_runs", "answers of each run", "s", tuple(points)),))
