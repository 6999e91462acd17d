"""What the harnesses' files say, as results.yml has it: nemo-evaluator calls `parse_output` when a harness has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def of_ns(folder: Path) -> dict[str, dict[str, Any]]:
    """Metrics by task: `pass@1[avg-of-N]`, or `pass@1` of one repeat, in percent."""
    tasks: dict[str, dict[str, Any]] = {}
    for benchmark in sorted((folder / "eval-results").iterdir()):
        files = sorted(benchmark.glob("output*.jsonl"))
        rows = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
        name = "prompt_loose_accuracy" if "loose_eval" in rows[0] else "symbolic_correct"
        marks = [
            r["loose_eval"]["follow_all_instructions"] if "loose_eval" in r else r["symbolic_correct"] for r in rows
        ]
        metric = f"pass@1[avg-of-{len(files)}]" if len(files) > 1 else "pass@1"
        tasks[benchmark.name] = {metric: {name: (100.0 * sum(marks) / len(marks), {})}}
    return tasks


def of_simple_evals(folder: Path) -> dict[str, dict[str, Any]]:
    """The mean, with its deviation and error."""
    told = json.loads(next(folder.glob("*/*.html")).with_suffix(".json").read_text("utf-8"))
    stats = {"stddev": told["score:std"], "stderr": told["score:stderr"]}
    return {told["task_name"]: {"score": {"micro": (told["score"], stats)}}}


def of_ifbench(folder: Path) -> dict[str, dict[str, Any]]:
    """Every metric of its report."""
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    return {"ifbench": {name: {name: (value, {})} for name, value in metrics.items()}}


def parse_output(pkg_name: str, output_dir: str) -> Any:
    """An `EvaluationResult` of nemo-evaluator."""
    from nemo_evaluator.api.api_dataclasses import EvaluationResult, MetricResult, Score, TaskResult

    read = {"nemo_skills": of_ns, "simple_evals": of_simple_evals, "ifbench": of_ifbench}[pkg_name]
    tasks = {
        task: TaskResult(
            metrics={
                metric: MetricResult(
                    scores={n: Score(value=value, stats=stats) for n, (value, stats) in scores.items()}
                )
                for metric, scores in metrics.items()
            }
        )
        for task, metrics in read(Path(output_dir)).items()
    }
    groups = {name: {"metrics": task.metrics} for name, task in tasks.items()} if pkg_name == "simple_evals" else None
    return EvaluationResult(tasks=tasks, groups=groups)
