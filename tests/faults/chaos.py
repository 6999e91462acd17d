"""When faults happen: each at its moment in the job, for as long as its plan says."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from .faults import KINDS, Missed
from .job import Moments
from .plan import Fault
from .world import World


class Chaos:
    """Does the faults of a plan, each in a thread of its own, while the block runs.

    Args:
        world: Where.
        moments: Tells when a phase begins.
        faults: What to do.
    """

    def __init__(self, world: World, moments: Moments, faults: tuple[Fault, ...]) -> None:
        self.world = world
        self.moments = moments
        self.faults = faults
        self.log: list[dict[str, Any]] = []
        self._threads = [threading.Thread(target=self._do, args=(fault,), daemon=True) for fault in faults]

    def __enter__(self) -> Chaos:
        self.world.point = next((f.detail for f in self.faults if f.kind == "point"), "")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.moments.over.set()
        for thread in self._threads:
            thread.join()

    @property
    def over(self) -> bool:
        """Whether no fault is under way or to come."""
        return not any(thread.is_alive() for thread in self._threads)

    def _do(self, fault: Fault) -> None:
        row: dict[str, Any] = {"kind": fault.kind, "phase": fault.phase, "detail": fault.detail, "hit": False}
        if self.moments.await_phase(fault.phase) and not self.moments.over.wait(fault.delay * self.world.pace):
            row["began"] = time.time()
            with contextlib.suppress(Missed), KINDS[fault.kind](self.world, fault):
                row["hit"] = True
                self._last(fault)
        row["ended"] = time.time()
        self.log.append(row)

    def _last(self, fault: Fault) -> None:
        # A fault lasts its time even when the job has ended meanwhile: nothing is to be seen of that then.
        self.moments.over.wait(fault.seconds)
