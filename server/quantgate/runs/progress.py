"""How many samples a task has answered, and when it will be done, from what nemo-evaluator writes while it runs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .answer_store import Answers, cached_responses, read_answers, reuses_responses
from .opening import open_file
from .rundir import TaskDir
from .stages import Stages

PER_SAMPLE_FILES = ("eval_results_loose.jsonl",)
"""Files with one line per scored sample, written at the end, by harness: ifbench."""
MOST_SCORED = 256 << 20
"""Bytes of such a file; the lines of a larger one are not counted."""


@dataclass(frozen=True)
class Progress:
    """A task's progress.

    Attributes:
        done: Answered samples (requests, for harnesses that ask more than once), never more than are expected; None when
            nothing tells.
        eta_seconds: Until the last of the expected samples; None before two are answered or when none are expected.
    """

    done: int | None
    eta_seconds: int | None


def read_progress(task: TaskDir, stages: Stages, expected: int | None, now: datetime) -> Progress:
    """A task's progress; never waits long for a database that another process holds.

    Args:
        task: The task.
        stages: Its stage files, as they were read just before.
        expected: Samples times repeats; None when not known.
        now: The present time.
    """
    scored = _scored_lines(task.artifacts) if stages.exit_code is not None else None
    if scored is not None:
        return Progress(_at_most(scored, expected), None)
    answers = read_answers(task.artifacts)
    done = _at_most(_answered(task.artifacts, answers), expected)
    running = stages.running and stages.exit_code is None
    return Progress(done, _eta(answers, stages, done, expected, now) if running else None)


def _at_most(done: int | None, expected: int | None) -> int | None:
    # A retry or a second turn is a request too; more than all the samples cannot be done.
    return min(done, expected) if done is not None and expected else done


def _answered(artifacts: Path, answers: Answers | None) -> int | None:
    """Each count can only miss some, so the largest holds.

    The response cache holds identical repeats once, the statistics may be switched off, and the progress file is written
    every so many requests. After a second start without reuse of the responses only that start's answers are part of the run.
    """
    if answers is not None and answers.starts > 1 and not reuses_responses(artifacts):
        return answers.latest
    counts = (answers.total if answers else None, cached_responses(artifacts), _requests(artifacts))
    return max((c for c in counts if c is not None), default=None)


def _eta(answers: Answers | None, stages: Stages, done: int | None, expected: int | None, now: datetime) -> int | None:
    if not expected or done is None:
        return None
    if done >= expected:
        return 0
    began = answers.began if answers else None
    if began is None and stages.running_since:
        began = stages.running_since.timestamp()
    if began is None:
        return None
    # Answers that an earlier, interrupted start left in the cache say nothing about this one's rate.
    own = answers.latest if answers else None
    recent = done if own is None else min(own, done)
    elapsed = now.timestamp() - began
    if recent < 2 or elapsed <= 0:
        return None
    return math.ceil((expected - done) * elapsed / recent)


def _requests(artifacts: Path) -> int | None:
    """The count of the progress_tracking interceptor, when it is on."""
    try:
        with open_file(artifacts / "progress") as file:
            return max(0, int(file.read(32)))
    except (OSError, ValueError):
        return None


def _scored_lines(artifacts: Path) -> int | None:
    for name in PER_SAMPLE_FILES:
        try:
            with open_file(artifacts / name) as file:
                if os.fstat(file.fileno()).st_size > MOST_SCORED:
                    return None
                count, last = 0, b"\n"
                while block := file.read(1 << 20):
                    count, last = count + block.count(b"\n"), block[-1:]
                return count + (last != b"\n")
        except OSError:
            continue
    return None
