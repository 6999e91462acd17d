"""One of the two runs, with everything that a comparison reads of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from ..benchmarks import catalogue
from ..errors import BadInput
from ..gates.judgement import judging, validating
from ..gates.traces import lookup, remote_files
from ..results import verify
from ..results.expectation import Expectation
from ..results.results_yml import ReportedScore
from ..results.run_config import read_run_config
from ..results.sample_table import SampleTable
from ..runs.clusters.mirrored import Mirror
from ..runs.rundir import RunDir, TaskDir
from ..runs.sanitise import one_line
from .checkpoints import Checkpoint, checkpoint_of
from .outcome import CheckLine, Side, SideTask
from .protocol import Protocol, configured, read_protocol
from .provenance import provenance

MOST_TASKS = 500


@dataclass(frozen=True)
class LoadedTask:
    """One task of a side.

    Attributes:
        name: As it is shown: the task's name in the config, with its number where that name is there more than once.
        key: What the same task is called on the other side.
        expected: What it should have done.
        verified: Its validation.
        reported: Its metric in results.yml, also where the run is not valid; None without one.
        table: Its samples; None where no per-sample file could be read.
        protocol: How it was run.
    """

    name: str
    key: str
    task: TaskDir
    expected: Expectation
    verified: verify.TaskVerification
    reported: ReportedScore | None
    table: SampleTable | None
    protocol: Protocol


@dataclass(frozen=True)
class LoadedSide:
    """One run.

    Attributes:
        side: As it is shown.
        run: As it was found.
        tasks: By their keys, in the run's order.
        checkpoint: What is known of the evaluated checkpoint.
        notes: What could not be read of it.
        missing: Tasks that it should have and has no directory for.
    """

    side: Side
    run: lookup.Run
    tasks: Mapping[str, LoadedTask]
    checkpoint: Checkpoint
    notes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def load(named: str) -> LoadedSide:
    """Find, validate and read a run.

    Args:
        named: An invocation id, a run directory, `host:/run/directory`, or another name that `lookup.find` takes.

    Raises:
        BadInput: It is none of these.
        UnknownName: No run has this id, or it left no directory.
        ClusterError: Its cluster does not answer; nothing is known then.
    """
    found, copy = lookup.find(named), None
    if found.remote is not None:
        found, copy = remote_files.copied(found)
    directory = found.directory_of(named)
    if len(directory.tasks) > MOST_TASKS:
        raise BadInput(
            f"The run has {len(directory.tasks)} tasks",
            where=one_line(named, 200),
            fix="compare single tasks of it",
        )
    expected = judging.expectations(directory, found.limit)
    verification = validating.validate(found)
    tasks = _tasks(directory, expected, verification)
    served = dict.fromkeys(name for task in verification.tasks for name in task.served)
    checkpoint = checkpoint_of(found, [task.protocol for task in tasks.values()], tuple(served))
    return LoadedSide(
        side=_side(named, found, copy, verification, tasks, checkpoint),
        run=found,
        tasks=tasks,
        checkpoint=checkpoint,
        notes=(*found.notes, *_left_there(copy)),
        missing=_missing(found),
    )


def _missing(found: lookup.Run) -> tuple[str, ...]:
    """Tasks that the run was launched with and has no directory of; one task, or an export of some, is not asked for the rest."""
    if found.directory is None or found.exported is not None or not found.whole:
        return ()
    absent = Counter(judging.launched(found)) - Counter(task.name for task in found.directory.tasks)
    return tuple(one_line(name, 120) for name in sorted(absent))


def _left_there(copy: Mirror | None) -> list[str]:
    """What of a run on a cluster was not read, in one note."""
    if copy is None or not copy.notes:
        return []
    more = f" (and {len(copy.notes) - 1} more)" if len(copy.notes) > 1 else ""
    return [f"not read from {copy.host}: {one_line(copy.notes[0], 300)}{more}"]


def _tasks(
    directory: RunDir, expected: Mapping[str, Expectation], verification: verify.Verification
) -> dict[str, LoadedTask]:
    verified = {task.task: task for task in verification.tasks}
    seen: dict[str, int] = {}
    loaded: dict[str, LoadedTask] = {}
    for task in directory.tasks:
        key = _key(task)
        seen[key] = number = seen.get(key, 0) + 1
        suffix = f" #{number}" if number > 1 else ""
        expectation = expected[task.directory]
        loaded[key + suffix] = LoadedTask(
            name=one_line(task.name, 120) + suffix,
            key=key + suffix,
            task=task,
            expected=expectation,
            verified=verified[task.directory],
            reported=verified[task.directory].reported,
            table=verified[task.directory].table,
            protocol=read_protocol(task, expectation.harness),
        )
    shared = {name for name, count in Counter(task.name for task in loaded.values()).items() if count > 1}
    # Two harnesses may have a task of one name: then it is shown by what tells them apart.
    return {key: replace(t, name=one_line(key, 120)) if t.name in shared else t for key, t in loaded.items()}


def _key(task: TaskDir) -> str:
    """The catalogue's id of a task, so that its short name means the same; what run_config.yml says where the name alone does not
    tell (several harnesses have it, or no launcher made the directory)."""
    by_config = configured(task)
    for name in (task.name, by_config):
        try:
            return catalogue.load_catalogue().resolve(name).id
        except BadInput:
            continue
    return by_config if task.index is None and by_config else task.name


def _side(
    named: str,
    found: lookup.Run,
    copy: Mirror | None,
    verification: verify.Verification,
    tasks: Mapping[str, LoadedTask],
    checkpoint: Checkpoint,
) -> Side:
    of = verification.subset
    told = partial(found.placed, copy=copy)
    return Side(
        named=one_line(named, 300),
        invocation_id=found.invocation_id,
        address=found.place,
        kind=found.kind,
        validity=verification.verdict,
        subset=f"{of.samples} of {of.of or 'an unknown number of'} samples" if of else "",
        skip_reason=one_line(found.skip_reason, 500),
        tasks=tuple(_side_task(task, tasks, told) for task in verification.tasks),
        provenance=provenance(found, [task.protocol for task in tasks.values()], _models(tasks), checkpoint),
    )


def _side_task(task: verify.TaskVerification, tasks: Mapping[str, LoadedTask], told: Callable[[str], str]) -> SideTask:
    loaded = next((t for t in tasks.values() if t.task.directory == task.task), None)
    reported = loaded.reported if loaded else None
    score = task.score
    return SideTask(
        task=task.task,
        verdict=task.verdict,
        metric=score.metric if score else loaded.expected.metric if loaded else "",
        score=score.value if score else reported.value if reported else None,
        stderr=score.stderr if score else None,
        samples_expected=task.samples_expected,
        samples_scored=task.samples_scored,
        checks=tuple(CheckLine(c.name, c.ok, told(c.detail), c.breaks != "nothing") for c in task.checks),
    )


def _models(tasks: Mapping[str, LoadedTask]) -> list[str]:
    """Which model at which endpoint was asked, each once."""
    found: dict[str, None] = {}
    for task in tasks.values():
        try:
            config = read_run_config(task.task.artifacts)
        except BadInput:
            continue
        if config.model_id:
            found[f"{config.model_id} at {config.url}"] = None
    return list(found)
