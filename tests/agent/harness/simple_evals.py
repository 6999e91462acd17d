"""`simple_evals` of nvidia-simple-evals, whose data sets are on the Hub: the report `<eval>.html`, its aggregates `<eval>.json`."""

from __future__ import annotations

import argparse
import html
import json
import statistics
import sys
from pathlib import Path

from . import questions
from .asking import Answer, Asked

_BENCHMARKS = {"mmlu_pro": "mmlu-pro", "gpqa_diamond": "gpqa", "AIME_2025": "aime25"}


def main() -> None:
    """Run an evaluation."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("model", "eval_name", "url", "out_dir"):
        parser.add_argument(f"--{name}", required=True)
    for name, value in (
        ("max_tokens", 4096),
        ("num_threads", 8),
        ("max_retries", 2),
        ("first_n", 0),
        ("num_repeats", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--temperature", type=float, default=0.0)
    for name in ("judge_url", "judge_model_id", "judge_api_key_name"):
        parser.add_argument(f"--{name}", default="")
    given, _ = parser.parse_known_args()
    benchmark = _BENCHMARKS[given.eval_name]
    size = questions.SIZES[benchmark]
    asked = Asked(
        given.url, given.model, "API_KEY", given.max_tokens, given.num_threads, given.max_retries, given.temperature
    )
    answers = asked.all(benchmark, min(size, given.first_n or size), given.num_repeats)
    scores = [float(a.letter == questions.right(benchmark, a.number)) for a in answers]
    if given.judge_url:
        # As the real one, it asks the judge about answers that algebra does not find equal.
        judge = Asked(given.judge_url, given.judge_model_id, given.judge_api_key_name)
        sys.stdout.write(
            f"the judge {given.judge_model_id} is asked about {scores.count(0.0)} of {len(scores)} answers\n"
        )
        sys.stdout.flush()
        for answer, score in zip(answers, scores, strict=True):
            if not score:
                judge.one(f"Are these the same? {answer.letter} {questions.right(benchmark, answer.number)}")
    folder = Path(given.out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    mean, deviation = statistics.fmean(scores), statistics.pstdev(scores)
    told: dict[str, object] = {
        "score:std": deviation,
        "score:stderr": deviation / max(1, len(scores) - 1) ** 0.5,
        "score": mean,
        "task_name": given.eval_name,
    }
    if given.num_repeats > 1:
        told["n_repeats"] = given.num_repeats
    (folder / f"{given.eval_name}.json").write_text(json.dumps(told, indent=2), "utf-8")
    sections = "\n".join(_section(benchmark, a, s) for a, s in zip(answers, scores, strict=True))
    page = f"<!DOCTYPE html>\n<html>\n<body>\n<h1>Examples</h1>\n{sections}\n</body>\n</html>"
    (folder / f"{given.eval_name}.html").write_text(page, "utf-8")
    sys.stdout.write(f"{given.eval_name}: {len(scores)} answers evaluated\n")


def _section(benchmark: str, answer: Answer, score: float) -> str:
    def message(text: str) -> str:
        return f'<div class="message">\n<div class="content">\n    <pre>{html.escape(text)}</pre>\n</div>\n</div>\n'

    return (
        f"<h3>Prompt conversation</h3>\n{message(questions.text(benchmark, answer.number))}"
        f"<h3>Sampled message</h3>\n{message(answer.text)}"
        f"<h3>Results</h3>\n<p>Correct Answer: {questions.right(benchmark, answer.number)}</p>\n"
        f"<p>Extracted Answer: {answer.letter or None}</p>\n<p>Score: {score}</p>\n<hr>"
    )


if __name__ == "__main__":
    main()
