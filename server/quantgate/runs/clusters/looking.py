"""Looks at clusters, shared: one at a time for each host, for everybody who asks meanwhile, and good for two seconds.

Twenty callers at once cost two looks over one connection: the first one's, and one for all who came during it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ...cluster import connection, scheduler
from ...cluster.scheduler import Snapshot
from ...errors import ClusterError, QuantgateError, Unreachable
from .remote import RemoteRun

FRESH_SECONDS = 2.0
"""How long an answer holds; one that took longer holds as long as that, or one call about many runs would look again and again."""
MOST_CHARACTERS = 60_000
"""Of the places in one command line; a shell takes 128 KB. More are asked for in turn."""
MOST_HOSTS = 8
"""Asked at once."""
WAIT_SECONDS = 180.0
"""How long a caller waits while somebody else looks."""


@dataclass
class _Batch:
    """What the next look is to see, for everybody who waits for it."""

    places: dict[str, None] = field(default_factory=dict)
    job_ids: dict[str, None] = field(default_factory=dict)
    answer: Snapshot | QuantgateError | None = None
    answered: float = 0.0
    took: float = 0.0

    def fresh(self) -> bool:
        return time.monotonic() - self.answered < max(FRESH_SECONDS, self.took)

    def covers(self, places: Sequence[str], job_ids: Sequence[str]) -> bool:
        return all(p in self.places for p in places) and all(i in self.job_ids for i in job_ids)


class _Desk:
    """The looks at one host."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._turn = threading.Condition()
        self._busy = False
        self._next = _Batch()
        self._last: _Batch | None = None
        self._changes = 0

    def ask(self, places: Sequence[str], job_ids: Sequence[str]) -> Snapshot:
        with self._turn:
            last = self._last
            if last and last.fresh() and last.covers(places, job_ids):
                return _unwrapped(last)
            mine = self._next
            mine.places.update(dict.fromkeys(places))
            mine.job_ids.update(dict.fromkeys(job_ids))
            if not self._turn.wait_for(lambda: mine.answer is not None or not self._busy, WAIT_SECONDS):
                raise Unreachable(
                    f"A look at {self._host} that began earlier has not ended within {WAIT_SECONDS:.0f} s",
                    fix="its file system or its scheduler may hang; call this again later",
                )
            if mine.answer is not None:
                return _unwrapped(mine)
            self._busy, self._next, changes = True, _Batch(), self._changes
        begun = time.monotonic()
        try:
            mine.answer = self._look(mine)
        finally:
            with self._turn:
                mine.took = time.monotonic() - begun
                if mine.answer is None:
                    mine.answer = ClusterError(f"The look at {self._host} failed", fix="call this again")
                mine.answered = time.monotonic()
                self._busy = False
                if self._changes == changes:
                    self._last = mine
                self._turn.notify_all()
        return _unwrapped(mine)

    def forget(self) -> None:
        with self._turn:
            self._last = None
            # What a look that is under way brings may be from before the change.
            self._changes += 1

    def _look(self, batch: _Batch) -> Snapshot | QuantgateError:
        try:
            link = connection.connection(self._host)
            found: Snapshot | None = None
            ids = list(batch.job_ids)
            slices = [ids[at : at + scheduler.MOST_IDS] for at in range(0, len(ids), scheduler.MOST_IDS)]
            # Each place and each id is asked for once, however many command lines that takes.
            for part, some in itertools.zip_longest(_parts(list(batch.places)), slices, fillvalue=()):
                seen = scheduler.look(link, part, some)
                found = seen if found is None else _joined(found, seen)
            return found or scheduler.look(link, [], [])
        except QuantgateError as error:
            return error


def look(run: RemoteRun) -> Snapshot:
    """A run's cluster as it was at most `FRESH_SECONDS` ago, or as long as it takes to answer.

    Raises:
        Unreachable: It does not answer.
        ClusterError: It does not let us in.
        BadInput: The run's directory cannot be one.
    """
    return _desk(run.host).ask([place(run)], ids(run))


def look_ahead(runs: Iterable[RemoteRun]) -> None:
    """Look at the clusters of many runs, once at each and at several side by side; `look` then has its answer."""
    wanted: dict[str, tuple[list[str], list[str]]] = {}
    for run in runs:
        places, job_ids = wanted.setdefault(run.host, ([], []))
        places.append(place(run))
        job_ids += ids(run)

    def ask(host: str) -> None:
        try:
            _desk(host).ask(*wanted[host])
        except QuantgateError:
            return  # each of its runs tells

    if len(wanted) == 1:
        ask(next(iter(wanted)))
    elif wanted:
        with ThreadPoolExecutor(min(MOST_HOSTS, len(wanted))) as pool:
            list(pool.map(ask, wanted))


def forget(host: str) -> None:
    """Something was changed on a host: the next call looks again."""
    _desk(host).forget()


def place(run: RemoteRun) -> str:
    """The place that stands for a run in a look."""
    return run.directory if run.only else f"{run.path}/"


def ids(run: RemoteRun) -> list[str]:
    """The job ids on record for a run."""
    return [task.job_id for task in run.tasks if task.job_id and run.only in ("", task.directory)]


_desks: dict[str, _Desk] = {}
_desks_lock = threading.Lock()


def _desk(host: str) -> _Desk:
    with _desks_lock:
        return _desks.setdefault(host, _Desk(host))


def _unwrapped(batch: _Batch) -> Snapshot:
    if isinstance(batch.answer, QuantgateError):
        # A fresh one: an exception that several threads raise would gather all their tracebacks.
        raise _copy(batch.answer)
    assert batch.answer is not None
    return batch.answer


def _copy(error: QuantgateError) -> QuantgateError:
    return type(error)(error.what, where=error.where, fix=error.fix)


def _parts(places: list[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for one in places:
        if part and size + len(one) > MOST_CHARACTERS:
            yield part
            part, size = [], 0
        part.append(one)
        size += len(one) + 3
    if part:
        yield part


def _joined(first: Snapshot, second: Snapshot) -> Snapshot:
    accounting = None
    if first.accounting is not None and second.accounting is not None:
        accounting = {**first.accounting, **second.accounting}
    return Snapshot(
        clock=second.clock,
        user=second.user,
        uid=second.uid,
        directories={**first.directories, **second.directories},
        queue=second.queue,
        accounting=accounting,
        problems=tuple(dict.fromkeys([*first.problems, *second.problems])),
        users={**first.users, **second.users},
    )
