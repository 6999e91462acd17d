"""Many jobs of one user on a cluster whose scheduler is replayed."""

from __future__ import annotations

from collections.abc import Iterator

from quantgate.gates import ledger
from quantgate.gates.judgement import judging
from quantgate.gates.traces import lookup
from quantgate.runs.clusters import looking
from quantgate.tools.status import MOST, status

from . import made, replay
from .figures import Figure, processor

ONE_RUN = ((1, 10), (1, 100), (1, 1_000), (1, 3_000))
"""(runs, tasks): a sweep as one invocation."""
IN_THE_QUEUE = (50, 1_000, 10_000)
"""Jobs of the user: 50 are of the runs that are asked for, the others wait for nobody who asks."""
LINKS = (10, 20)
AGAIN = (1, 10, 50)
UNSEEN = (1, 10, 50)
TOKEN = 4.0
"""Characters of JSON per token, roughly."""


def measure(*, quick: bool = False) -> Iterator[Figure]:
    """`status` of sweeps, and what a launch asks of a cluster where its config was run before."""
    for runs, tasks in ONE_RUN[: 2 if quick else None]:
        yield from _status("one run of so many jobs", runs, tasks, 1)
    for jobs in IN_THE_QUEUE[: 2 if quick else None]:
        yield from _status("50 runs, with so many jobs of the user in the queue", MOST, 1, 1, jobs - MOST)
    for links in LINKS[: 0 if quick else None]:
        yield from _status("1,000 tasks, each a chain of jobs, so many in all", 1, 1_000, links)
    for count in AGAIN:
        yield from _again(count)
    for count in UNSEEN:
        yield from _unseen(count)


def _status(what: str, runs: int, tasks: int, links: int, others: int = 0) -> Iterator[Figure]:
    size = runs * tasks * links + others
    with made.own_home() as home:
        ids, jobs = made.sweep(home / "runs", runs, tasks, links)
        with replay.reached(home / "node") as node:
            elsewhere = [
                replay.Replayed(made.FIRST_JOB - 1 - n, "PENDING", "/elsewhere", "other") for n in range(others)
            ]
            node.jobs([*jobs, *elsewhere])
            looking._desks.clear()
            started = processor()
            answer = status(ids[:MOST])
            took = (processor() - started) * 1000
            calls = node.calls()
            looking._desks.clear()
    reasons = {t.reason for run in answer.runs for t in run.tasks} | {run.reason for run in answer.runs}
    problem = next((r for r in reasons if "too long" in r or "no answer" in r or "more to tell" in r), "")
    states = {run.state for run in answer.runs}
    note = "unreachable" if states == {"unreachable"} else problem[:160]
    squeue, sacct = (sum(call.startswith(name) for call in calls) for name in ("squeue", "sacct"))
    yield Figure("sweeps", what, size, "jobs", -1 if note == "unreachable" else took, "ms", note)
    yield Figure("sweeps", what, size, "jobs", len(answer.model_dump_json()) / TOKEN, "tokens of the answer")
    yield Figure("sweeps", what, size, "jobs", node.counted.answered / 1000, "kB over the link")
    yield Figure("sweeps", what, size, "jobs", squeue + sacct, "calls of squeue and sacct", note)
    yield Figure("sweeps", what, size, "jobs", node.counted.sent / 1000, "kB in the longest command line")


def _again(count: int) -> Iterator[Figure]:
    """What `run` looks up before it launches: whether a launch of the same config is still going on."""
    with made.own_home() as home:
        _, jobs = made.sweep(home / "runs", count, 1, states=["COMPLETED"], fingerprint="f" * 64)
        with replay.reached(home / "node") as node:
            node.jobs(jobs)
            looking._desks.clear()
            started = processor()
            earlier = ledger.attempts(fingerprint="f" * 64)
            _ahead(earlier)
            if any(judging.may_run(attempt) for attempt in earlier):
                raise SystemExit("a run that has ended is said to go on")
            took = (processor() - started) * 1000
            calls = len(node.calls())
            looking._desks.clear()
    what = "run of a config that was run there so often before"
    yield Figure("sweeps", what, count, "runs", took, "ms")
    yield Figure("sweeps", what, count, "runs", calls, "calls of squeue and sacct")


def _unseen(count: int) -> Iterator[Figure]:
    """What `status()` asks of a cluster for launches that nobody saw to their end: each is looked for there."""
    with made.own_home() as home:
        (home / "runs").mkdir()
        place = {
            "executor": "slurm",
            "output_dir": f"{replay.HOST}:{home / 'runs'}",
            "run_dir": "",
            "outcome": "launching",
        }
        made.write_by_schema([made.attempt(n, **place) for n in range(count)])
        with replay.reached(home / "node") as node:
            node.jobs([])
            looking._desks.clear()
            started = processor()
            status()
            took = (processor() - started) * 1000
            looking._desks.clear()
    what = "status() with so many launches on a cluster whose end nobody saw"
    yield Figure("sweeps", what, count, "launches", took, "ms")
    yield Figure("sweeps", what, count, "launches", node.counted.commands, "ssh sessions")


def _ahead(earlier: list[ledger.Attempt]) -> None:
    """As `launching.run` does it, where this version of it does."""
    import inspect

    from quantgate.gates.launches import launching
    from quantgate.gates.traces import remote_views

    if "look_ahead" in inspect.getsource(launching.run):
        remote_views.look_ahead([lookup.run_of(attempt) for attempt in earlier])
