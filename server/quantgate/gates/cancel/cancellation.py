"""What ending a run did, wherever it ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ...runs.status import State
from ..traces import lookup


@dataclass(frozen=True)
class Cancellation:
    """What a cancellation did.

    Attributes:
        run: The run.
        cancelled: Tasks that were pending or running and are ended now.
        finished: Tasks that had ended before, with their states: nothing was done to them.
        still_running: What still runs of the tasks that were to end, in words.
        leftovers: Containers that outlived their task and were ended as well.
        jobs: On a cluster, the ids of the jobs that were ended, by task.
        notes: What the caller must know besides.
    """

    run: lookup.Run
    cancelled: tuple[str, ...] = ()
    finished: tuple[tuple[str, State], ...] = ()
    still_running: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    jobs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
