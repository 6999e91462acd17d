"""Reading 200,000 samples of lm-evaluation-harness into the table, against `json.loads` of every line of the same file.

The file is made: rows as the harness writes them (a document, the prompt with its chat template, the answer, the filtered answer,
hashes and a metric), 1 to 3 kB each, every answer another text. `json.loads` alone makes no table: it keeps, hashes and looks at
nothing. Each reading runs in a process of its own, which also tells the most memory that it took. Times are of the processor.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from .measured import Effort, Result, alone, compared, in_turn

SAMPLES = 200_000
DATE = "2026-11-21T10-00-00.000000"
WORDS = [f"word{i:x}"[: 3 + i % 9] for i in range(200)]
PLAIN = """
import json, sys
with open(sys.argv[1], "rb") as file:
    for line in file:
        json.loads(line)
"""
TABLE = """
import sys
from pathlib import Path
from quantgate.results.samples import read_samples
from quantgate.runs.rundir import TaskDir
place = Path(sys.argv[1]).parents[1]
table = read_samples(TaskDir(place, "t", None, place, place), "lm-evaluation-harness", "made_exact_match")
assert table is not None and len(table.rows) == int(sys.argv[2]) and not table.problems
"""
MEASURE = """
import resource, sys, time
code = sys.argv.pop(1)
started = time.process_time()
exec(compile(code, "reading", "exec"))
print(time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def make_run(folder: Path, samples: int) -> Path:
    """A run's artifacts with so many samples; the path of the file with them."""
    place = folder / "made__model"
    place.mkdir(parents=True)
    row = {"exact_match,none": 0.5, "exact_match_stderr,none": 0.1}
    report = {"results": {"made": row}, "configs": {"made": {"output_type": "generate_until"}}}
    (place / f"results_{DATE}.json").write_text(json.dumps(report), "utf-8")
    path = place / f"samples_made_{DATE}.jsonl"
    dice = random.Random(5)
    with path.open("w", encoding="utf-8") as file:
        for number in range(samples):
            file.write(json.dumps(_sample(number, dice), ensure_ascii=False) + "\n")
    return path


def _sample(number: int, dice: random.Random) -> dict[str, object]:
    question = " ".join(dice.choices(WORDS, k=dice.randrange(40, 120)))
    answer = " ".join(dice.choices(WORDS, k=dice.randrange(60, 220))) + f"\n#### {number}"
    prompt = json.dumps([{"role": "user", "content": question}])
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    return {
        "doc_id": number,
        "doc": {"question": question, "answer": str(number)},
        "target": str(number),
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": ["</s>"], "temperature": 0.0}}},
        "resps": [[answer]],
        "filtered_resps": [str(number)],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": digest,
        "prompt_hash": digest,
        "target_hash": digest,
        "exact_match": float(dice.random() < 0.5),
    }


def reading(code: str, path: Path, samples: int, memory: list[float] | None = None) -> float:
    """Seconds of the processor for a reading; the most memory of its process in MB is added to `memory`."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, code, str(path), str(samples)], check=True, capture_output=True, text=True
    )
    seconds, kilobytes = done.stdout.split()
    if memory is not None:
        memory.append(int(kilobytes) / 1024)
    return float(seconds)


def measure(effort: Effort) -> Result:
    """Two rows: time and memory."""
    samples, memory = effort.size(SAMPLES, 10_000), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        path = make_run(Path(folder), samples)
        sides = [lambda: reading(TABLE, path, samples, memory), lambda: reading(PLAIN, path, samples)]
        rounds = in_turn(sides, effort.rounds())
        what = f"reading {samples:,} samples of lm-evaluation-harness ({path.stat().st_size / 1e6:.0f} MB)"
    return Result(
        (
            compared("table", what, "json.loads of every line, and nothing else", rounds, note="processor time"),
            alone("memory", f"{what}: most memory", memory, unit="MB"),
        )
    )
