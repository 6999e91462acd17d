"""`ns` of NeMo-Skills, whose container and data sets are elsewhere: `ns prepare_data X` and `ns eval --benchmarks=X:REPEATS …`.

It writes `eval-results/<benchmark>/output[-rs<seed>].jsonl`, with the fields that quantgate's reader takes from the published code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import questions
from .asking import Answer, Asked


def options(words: list[str]) -> dict[str, str]:
    """`--a=b` and `++a.b=c`, by name."""
    pairs = (word.lstrip("-+").partition("=") for word in words)
    return {name: value for name, _, value in pairs}


def main() -> None:
    """Run the command."""
    if sys.argv[1:2] == ["prepare_data"]:
        sys.stdout.write(f"prepared the stand-in for {sys.argv[2]}\n")
        return
    given = options(sys.argv[2:])
    benchmark, _, told = given["benchmarks"].partition(":")
    repeats = int(told or 1)
    count = min(questions.SIZES[benchmark], int(given.get("max_samples", questions.SIZES[benchmark])))
    asked = Asked(
        given["server_address"],
        given["model"],
        given.get("server.api_key_env_var", ""),
        int(given.get("inference.tokens_to_generate", 2048)),
        int(given.get("max_concurrent_requests", 8)) * repeats,
        temperature=float(given.get("inference.temperature", 0.0)),
    )
    folder = Path(given["output_dir"]) / "eval-results" / benchmark
    folder.mkdir(parents=True, exist_ok=True)
    answers = asked.all(benchmark, count, repeats)
    for repeat in range(repeats):
        name = f"output-rs{repeat}.jsonl" if repeats > 1 else "output.jsonl"
        lines = [json.dumps(_row(benchmark, a)) for a in answers if a.repeat == repeat]
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    sys.stdout.write(f"{benchmark}: {len(answers)} generations evaluated\n")


def _row(benchmark: str, answer: Answer) -> dict[str, object]:
    expected = questions.right(benchmark, answer.number)
    good = answer.letter == expected
    row: dict[str, object] = {
        "id": f"{benchmark}-{answer.number}",
        "problem": questions.text(benchmark, answer.number),
        "generation": answer.text,
        "num_generated_tokens": answer.tokens,
        "finish_reason": answer.finish,
    }
    if benchmark == "ifbench":
        verdict = {"follow_all_instructions": good, "follow_instruction_list": [good]}
        return {**row, "prompt": row["problem"], "loose_eval": verdict, "strict_eval": verdict}
    return {**row, "expected_answer": expected, "predicted_answer": answer.letter or None, "symbolic_correct": good}


if __name__ == "__main__":
    main()
