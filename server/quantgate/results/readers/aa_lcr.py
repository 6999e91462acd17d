"""The samples of nvidia-aa-lcr 26.3: `<model>_results.csv`, a row per question with `responses_<r>` and `judgements_<r>`.

An answer that the judge said neither CORRECT nor INCORRECT of, or whose judge could not be reached, has an empty judgement and
is left out of the question's mean; a question without any judgement is left out of the accuracy.
The documents (`context`, up to half a megabyte each) belong to several questions.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from ...runs.opening import open_file
from ...runs.rundir import TaskDir
from ..answers import digest
from ..results_yml import number
from ..sample_table import SampleRow, SampleTable
from .rows import Repeats, chosen, row

METRIC = "accuracy"
LONGEST_CELL = 16 << 20
_JUDGEMENT = re.compile(r"judgements_(\d{1,4})")


def read_aa_lcr(task: TaskDir, metric: str = "") -> SampleTable | None:
    """The table of an AA-LCR task; None when the file is not there or the metric is another one."""
    if not chosen(metric, (METRIC,), METRIC):
        return None
    paths = sorted(task.artifacts.glob("*_results.csv"))
    if not paths:
        return None
    problems = [] if len(paths) == 1 else [f"{len(paths)} files end in _results.csv; {paths[-1].name} was read"]
    rows: list[SampleRow] = []
    try:
        for found in _rows(paths[-1], problems):
            rows.extend(found)
    except OSError:
        return None
    except (csv.Error, UnicodeDecodeError):
        problems.append(f"{paths[-1].name} is not CSV after {len(rows)} answers")
    return SampleTable("AA-LCR", METRIC, tuple(rows), (paths[-1].name,), tuple(problems), one_request_each=False)


def _rows(path: Path, problems: list[str]) -> Iterator[list[SampleRow]]:
    csv.field_size_limit(LONGEST_CELL)
    seen = Repeats()
    with open_file(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
        # Of a line longer than a cell may be, only its beginning: a file without line ends could be of any size.
        lines = csv.DictReader(iter(lambda: file.readline(LONGEST_CELL + 1), ""), strict=True)
        names = lines.fieldnames or ()
        repeats = sorted(int(m[1]) for n in names if (m := _JUDGEMENT.fullmatch(n)))
        if not repeats or "question" not in names:
            problems.append(f"{path.name} has no questions with judgements")
            return
        for line in lines:
            yield _answers(line, repeats, seen)


def _answers(line: dict[str, str | None], repeats: list[int], seen: Repeats) -> list[SampleRow]:
    asked, documents = line.get("question") or "", line.get("context") or ""
    question = digest(asked + documents)
    marks = {r: number(line.get(f"judgements_{r}")) for r in repeats}
    judged = sum(m in (0.0, 1.0) for m in marks.values())
    # The mean of a question is over its judged answers only, and each question counts once.
    weight = len(repeats) / judged if judged else 1.0
    rows = []
    for r, mark in marks.items():
        right = mark in (0.0, 1.0)
        error = "" if right else "no judgement: the harness leaves the answer out"
        rows.append(
            row(
                question,
                seen.next(question, r),
                mark if right else None,
                line.get(f"responses_{r}") or "",
                error=error,
                weight=weight,
                prompt=asked + documents,
                group=digest(documents),
            )
        )
    return rows
