"""Runs that are finished: a baseline and a quantized candidate, of IFBench or of GPQA, with scores of the scenario's own.

The run directories have the layout of real ones (tests/compare/made_runs.py says what they are copies of).

Options: benchmark (ifbench, or gpqa with its repeats), baseline (share of right answers), lost and won (questions that go the other
way in the candidate; with GPQA the chance of each answer falls by `loss`).
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.compare import made_runs

from ..world import World

GPQA, REPEATS = 198, 16


def build(directory: Path, options: dict[str, Any]) -> World:
    """Write both runs below work/."""
    folder = directory / "work" / "eval_results"
    for side in ("bf16", "nvfp4"):
        (folder / side).mkdir(parents=True)
    share = float(options.get("baseline", 0.5))
    if options.get("benchmark", "ifbench") == "gpqa":
        first, second = _answers(share, float(options["loss"]))
        baseline = made_runs.repeated(folder / "bf16", first, voice="one")
        candidate = made_runs.repeated(folder / "nvfp4", second, voice="two")
    else:
        scores = made_runs.right(round(share * made_runs.FULL))
        other = _flipped(scores, int(options["lost"]), int(options["won"]))
        baseline = made_runs.run(folder / "bf16", made_runs.Made(scores))
        candidate = made_runs.run(folder / "nvfp4", made_runs.Made(other, voice="two"))
    return World(facts={"baseline": str(baseline), "candidate": str(candidate), "results": str(folder)})


def _flipped(scores: list[bool], lost: int, won: int) -> list[bool]:
    draw = random.Random(9)
    right = [i for i, s in enumerate(scores) if s]
    wrong = [i for i, s in enumerate(scores) if not s]
    return made_runs.flipped(scores, *draw.sample(right, lost), *draw.sample(wrong, won))


def _answers(share: float, loss: float) -> tuple[list[list[bool]], list[list[bool]]]:
    """The answers of both sides: a question's chance is its own, and falls by `loss` in the candidate."""
    draw = random.Random(11)
    chances = [min(0.98, max(0.02, draw.gauss(share, 0.25))) for _ in range(GPQA)]
    sides = []
    for less in (0.0, loss):
        sides.append([[draw.random() < chance - less for _ in range(REPEATS)] for chance in chances])
    return sides[0], sides[1]
