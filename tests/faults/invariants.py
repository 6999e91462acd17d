"""What must hold after a run of the campaign, whatever went wrong in it: each check names what it found against it."""

from __future__ import annotations

import collections
import itertools
import json
import sqlite3
from collections.abc import Iterator

from tests import secrets_search

from .evidence import Evidence, Violation, attempts, rows
from .reported import states_are_true, verdicts_are_true
from .truth import still_there

LOCK_SECONDS = 5.0
"""How long the ledger may be held by somebody else."""


def ledger_is_sound(evidence: Evidence) -> Iterator[Violation]:
    """The ledger opens, is whole, and can be written to."""
    file = evidence.world.state / "ledger.sqlite"
    if not file.exists():
        return
    try:
        (row,) = rows(file, "PRAGMA integrity_check")
        if row["integrity_check"] != "ok":
            yield Violation("ledger", f"integrity_check: {row['integrity_check']}")
        opened = sqlite3.connect(file, timeout=LOCK_SECONDS, isolation_level=None)
        opened.execute("BEGIN IMMEDIATE")
        opened.execute("ROLLBACK")
        opened.close()
    except sqlite3.Error as error:
        yield Violation("ledger", f"it cannot be used: {error}")


def no_run_is_lost(evidence: Evidence) -> Iterator[Violation]:
    """Whatever began is in the ledger, and `status` finds it.

    A runner that was killed before it had written its record has begun nothing: its launch failed.
    """
    known = attempts(evidence.world)
    jobs = set(evidence.world.jobs().values())
    marked = {run.name.rpartition("-")[2] for run in evidence.world.run_directories() if (run / "runner.json").exists()}
    for invocation in sorted(marked | jobs | set(evidence.truth.runners) | evidence.world.queued()):
        if invocation not in known:
            yield Violation("lost", f"{invocation} began and is not in the ledger")
        elif invocation not in evidence.final:
            yield Violation("lost", f"status does not find {invocation}")
    for invocation, row in known.items():
        if row["outcome"] == "failed" and invocation in marked | jobs:
            yield Violation("lost", f"{invocation} began, and the ledger has its launch as failed: {row['error']}")


def none_is_started_twice(evidence: Evidence) -> Iterator[Violation]:
    """One runner for a launch and for each resume; one launch of a kind, unless the agent asked for another."""
    journal, truth = evidence.journal, evidence.truth
    for invocation, pids in truth.runners.items():
        resumed = [a for _, a in journal.calls("resume") if a["invocation_id"] == invocation]
        # A job that a fault ended is taken up by its follow-on.
        followed = sum(1 for row in evidence.faults if row["hit"]) if evidence.world.jobs() else 0
        if len(pids) > 1 + len(resumed) + followed:
            yield Violation("twice", f"{invocation} had {len(pids)} runners and was resumed {len(resumed)} times")
    yield from _one_at_a_time(evidence)
    yield from _asked_once(evidence)


def _one_at_a_time(evidence: Evidence) -> Iterator[Violation]:
    known = attempts(evidence.world)
    for kind in {row["kind"] for row in known.values()}:
        tool = "canary" if kind == "canary" else "run"
        began = [i for i, row in known.items() if row["kind"] == kind and i in evidence.truth.runners]
        wished = sum(1 for _, arguments in evidence.journal.calls(tool) if arguments.get("again"))
        ended = [i for i in began if not _succeeded(evidence, i)]
        if len(began) > 1 + wished + len(ended):
            yield Violation(
                "twice", f"{len(began)} launches of kind {kind} began, {wished} more were asked for: {began}"
            )
        lives = [[s.time for s in evidence.truth.seen.get(i, []) if s.alive] for i in began]
        spans = sorted((times[0], times[-1], i) for times, i in zip(lives, began, strict=True) if times)
        for (_, end, first), (begin, _, second) in itertools.pairwise(spans):
            if begin < end:
                yield Violation("twice", f"{first} and {second}, both of kind {kind}, ran at the same time")


def _succeeded(evidence: Evidence, invocation: str) -> bool:
    rows = evidence.truth.seen.get(invocation, [])
    return bool(rows) and rows[-1].exit_code == 0


def _asked_once(evidence: Evidence) -> Iterator[Violation]:
    """A question that was answered is not asked again, but where a fault took the answer away."""
    if not evidence.world.asked.exists():
        return
    answered: collections.Counter[tuple[str, str]] = collections.Counter()
    jobs = evidence.world.jobs()
    for line in evidence.world.asked.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["event"] == "answered" and row["run"]:
            answered[jobs.get(row["run"], row["run"]), row["question"]] += 1
    taken = sum(1 for row in evidence.faults if row["hit"])
    resumed = collections.Counter(a["invocation_id"] for _, a in evidence.journal.calls("resume"))
    for (run, question), times in answered.items():
        if times > 1 + taken + resumed[run]:
            yield Violation("twice", f"question {question} was answered {times} times in {run}")


def no_secret_is_shown(evidence: Evidence) -> Iterator[Violation]:
    """No answer, no process title and no file that others can read has a key in it, in any form in which keys travel."""
    keys = evidence.world.secrets
    for answer, _ in evidence.journal.answers:
        text = json.dumps(answer.data) + answer.text
        for seen in secrets_search.in_bytes(text.encode(), keys, f"an answer of {answer.tool}"):
            yield Violation("secret", f"{seen.place} shows {seen.name} ({seen.form})")
    for title in sorted(evidence.truth.titles):
        yield Violation("secret", f"a process title shows a key: {title[:20]} …")
    for seen in secrets_search.in_files(evidence.world.searched, keys):
        if not seen.private:
            yield Violation("secret", f"{seen.place} (mode {seen.mode:o}) has {seen.name} in it ({seen.form})")


def no_process_is_left(evidence: Evidence) -> Iterator[Violation]:
    """What was started has ended."""
    for process in still_there(evidence.world):
        yield Violation(
            "orphan", f"process {process.pid} of {process.run or 'no run'}: {' '.join(process.command)[:200]}"
        )


CHECKS = (
    ledger_is_sound,
    no_run_is_lost,
    none_is_started_twice,
    states_are_true,
    verdicts_are_true,
    no_secret_is_shown,
    no_process_is_left,
)


def violations(evidence: Evidence) -> list[Violation]:
    """All that is against the invariants."""
    return [found for check in CHECKS for found in check(evidence)]
