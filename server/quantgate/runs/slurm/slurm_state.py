"""The state of a task on a cluster, from one look: its directory, the queue and the accounting.

`failed` is said only when the scheduler said it. An absence proves an end only where the queue answered, and how a job ended is
taken from the accounting, else from the jobs' own logs, else from what nemo-evaluator left: results, or its interrupted marker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...cluster.look_directories import Directory
from ...cluster.scheduler import Job, Snapshot
from ..reason import REASON_CHARACTERS
from ..sanitise import one_line
from ..status import STILL_SECONDS, State
from . import slurm_chain, slurm_words
from .slurm_chain import Chain
from .slurm_endings import End, ending, state_with_reason

_PLAIN = re.compile(r"[A-Z_]*(?: \([A-Za-z]{1,40}\))?")


@dataclass(frozen=True)
class SlurmState:
    """What is known of a task.

    Attributes:
        state: One of the states of the tools' contract.
        reason: Why, bounded and redacted; empty when the state says all.
        scheduler_state: Slurm's own state and reason of the job that decides ("PENDING (Priority)"); empty when Slurm has none.
        job_ids: Of the chain, oldest first, follow-ons that wait included.
        elapsed: Seconds that it ran so far, by the cluster's clock and accounting; None when not known.
        exit_code: Of the job that ended.
        left_queued: The follow-on that is still in the queue though the task has ended; empty for none.
    """

    state: State
    reason: str
    scheduler_state: str
    job_ids: tuple[str, ...]
    elapsed: int | None = None
    exit_code: int | None = None
    left_queued: str = ""


@dataclass(frozen=True)
class _Told:
    state: State
    reason: str
    job: Job | None
    left_queued: str = ""


def judge(directory: Directory, seen: Snapshot, recorded: Sequence[str] = ()) -> SlurmState:
    """The state of a task.

    Args:
        directory: Its directory, from the same look.
        seen: The queue and the accounting.
        recorded: Job ids on record for it, oldest first (NEL's record, the ledger).
    """
    chain = slurm_chain.chain(directory, seen, recorded)
    told = _judge(directory, seen, chain)
    return SlurmState(
        state=told.state,
        reason=_clean(told.reason),
        scheduler_state=_clean(state_with_reason(told.job)) if told.job else "",
        job_ids=chain.ids,
        elapsed=_elapsed(chain, seen),
        exit_code=told.job.exit_code if told.job and told.state in ("failed", "succeeded", "interrupted") else None,
        left_queued=told.left_queued,
    )


def _clean(text: str) -> str:
    # Slurm's own words need no redaction, which costs as much as all the rest for many runs.
    return text if _PLAIN.fullmatch(text) else one_line(text, REASON_CHARACTERS)


def _judge(directory: Directory, seen: Snapshot, chain: Chain) -> _Told:
    if chain.queued is None:
        return _without_queue(directory, seen, chain)
    active = [job for job in chain.queued if slurm_words.meaning(job.state).phase != "waiting"]
    if active:
        return _active(active[-1], directory, seen, chain)
    if chain.queued:
        return _waiting(chain.queued[0], directory, seen, chain)
    if chain.ended is None:
        return _without_jobs(directory, seen)
    end = ending(chain.ended, directory, seen, exhausted=chain.exhausted)
    return _Told(end.state, end.reason, chain.ended)


def _active(job: Job, directory: Directory, seen: Snapshot, chain: Chain) -> _Told:
    if chain.ended is not None and job.job_id not in chain.ran:
        # A follow-on that has started and not yet written itself down: it resumes, or it exits.
        return _followed(job, ending(chain.ended, directory, seen), chain.ended)
    if directory.cancelled:
        return _Told("running", "it is being cancelled", job)
    parts = [slurm_words.meaning(job.state).text, _standstill(job, directory, seen), _history(chain)]
    return _Told("running", "; ".join(part for part in parts if part), job)


def _waiting(job: Job, directory: Directory, seen: Snapshot, chain: Chain) -> _Told:
    if job.job_id in chain.ran:
        return _Told("resuming", f"job {job.job_id} was put back into the queue: {_why(job, seen)}", job)
    if chain.ended is not None:
        return _followed(job, ending(chain.ended, directory, seen), chain.ended)
    if directory.exists is False:
        return _Told("pending", f"{_why(job, seen)}; its run directory {directory.path} is gone", job)
    return _Told("pending", _why(job, seen), job)


def _followed(follow_on: Job, end: End, ended: Job) -> _Told:
    """The state when the job that evaluated has ended and its follow-on is in the queue."""
    waits = slurm_words.meaning(follow_on.state).phase == "waiting"
    if end.resumes and follow_on.reason != "DependencyNeverSatisfied":
        how = f"waits ({follow_on.reason or follow_on.state})" if waits else "has started"
        return _Told("resuming", f"{end.reason}; its follow-on job {follow_on.job_id} {how}", follow_on)
    if end.state == "unknown":
        text = f"{end.reason}; its follow-on job {follow_on.job_id} is {state_with_reason(follow_on)} and tells nothing yet"
        return _Told("unknown", text, ended)
    left = f"its follow-on job {follow_on.job_id}"
    if follow_on.reason == "DependencyNeverSatisfied":
        left += " stays in the queue and can never start (DependencyNeverSatisfied): cancel removes it"
    elif end.state == "succeeded":
        left = ""  # the scheduler is about to see that nothing waits for it
    else:
        left += " starts only to exit"
    return _Told(end.state, "; ".join(part for part in (end.reason, left) if part), ended, follow_on.job_id)


def _without_queue(directory: Directory, seen: Snapshot, chain: Chain) -> _Told:
    """squeue did not answer: only an end that nothing can follow is told."""
    problem = next((p for p in seen.problems if p.startswith("squeue")), "squeue did not answer")
    last = chain.ended
    if last is not None:
        end = ending(last, directory, seen)
        if end.state != "unknown" and not end.resumes and not _may_go_on(last, end, chain):
            return _Told(end.state, end.reason, last)
        words = state_with_reason(last)
        said = (
            f"the last that is known of job {last.job_id} is {words}"
            if words
            else f"nothing is known of job {last.job_id}"
        )
        return _Told("unknown", f"{problem}; {said}, and whether a job of it waits or runs cannot be seen", last)
    if directory.results and not directory.interrupted:
        return _Told("succeeded", f"results.yml proves it; {problem}", None)
    return _Told("unknown", problem, None)


def _may_go_on(last: Job, end: End, chain: Chain) -> bool:
    """Whether a newer job is known, and may do more than see that nothing is left to do."""
    newer = bool(chain.ids) and last.job_id != chain.ids[-1]
    return newer and not (last.state == "COMPLETED" and end.state == "succeeded")


def _without_jobs(directory: Directory, seen: Snapshot) -> _Told:
    """No job is on record, in the list or in the queue."""
    if directory.interrupted:
        return _Told(
            "interrupted", "nemo-evaluator was told to stop before it had finished; no job of it is known", None
        )
    if directory.results:
        return _Told("succeeded", "no job of it is known; results.yml is written when an evaluation has ended", None)
    if directory.exists is None:
        return _Told("unknown", f"nothing can be seen of {directory.path}: its file system may be away", None)
    if not directory.exists:
        return _Told("unknown", f"the run directory {directory.path} is gone, and no job of it is known", None)
    if directory.cancelled:
        return _Told("cancelled", "cancelled through quantgate", None)
    problems = f" ({'; '.join(seen.problems)})" if seen.problems else ""
    return _Told(
        "unknown", f"no job of it is known: sbatch may have refused it, or it was never submitted{problems}", None
    )


def _why(job: Job, seen: Snapshot) -> str:
    """Why a job waits."""
    state = slurm_words.meaning(job.state)
    reason = slurm_words.reason(job.reason)
    text = (
        state.text
        or reason.text
        or (f"Slurm's reason is {job.reason}" if job.reason else "the scheduler has not looked at it yet")
    )
    if reason.stuck and "cancel" not in text and "release" not in text:
        text += "; it will not start until that is mended"
    if job.started is not None and job.started > seen.clock and not reason.stuck:
        text += f"; the scheduler expects to start it in {_span(job.started - seen.clock)}"
    return text


def _history(chain: Chain) -> str:
    times = {0: "", 1: "once"}.get(chain.resumed, f"{chain.resumed} times")
    return f"resumed {times}, last after job {chain.ran[-2]}" if times else ""


def _standstill(job: Job, directory: Directory, seen: Snapshot) -> str:
    """Since when nothing was written; the hour, so that waiting for a change does not end early."""
    last = max((t for t in (directory.changed, job.started) if t is not None), default=None)
    if last is None or job.state != "RUNNING" or seen.clock - last < STILL_SECONDS:
        return ""
    minutes = (seen.clock - last) // 600 * 10
    return f"no log line for more than {minutes} minutes: the endpoint or the harness may hang"


def _elapsed(chain: Chain, seen: Snapshot) -> int | None:
    known: list[int] = []
    waiting = {job.job_id: job for job in chain.queued or ()}
    for job_id in chain.ran or chain.ids:
        job = waiting.get(job_id)
        if job is not None and job.started is not None and slurm_words.meaning(job.state).phase == "active":
            known.append(max(0, seen.clock - job.started))
        elif (row := slurm_chain.job_of(job_id, seen)) is not None and row.elapsed is not None:
            known.append(row.elapsed)
    return sum(known) if known else None


def _span(seconds: int) -> str:
    if seconds < 5400:
        return f"about {max(1, round(seconds / 60))} min"
    return f"about {round(seconds / 3600)} h"
