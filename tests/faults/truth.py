"""What is really going on, seen without the product: the process table and each run's files, several times a second."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .endpoint import job_of, run_of
from .world import World, has_results

PAUSE_SECONDS = 0.25
RUNNER = "quantgate.launcher.process_runner"
CHILD = "quantgate.launcher.child"


@dataclass(frozen=True)
class Process:
    """A process at one moment."""

    pid: int
    command: tuple[str, ...]
    session: int
    zombie: bool
    run: str

    @property
    def runner(self) -> bool:
        """Whether it runs the tasks of an invocation; what it forks has its command until it becomes another program."""
        return RUNNER in self.command and self.session == self.pid

    @property
    def child(self) -> bool:
        """Whether it talks to NEL for a server."""
        return CHILD in self.command


@dataclass(frozen=True)
class Seen:
    """One run at one moment; the exit code is None while there is no exit record."""

    time: float
    alive: bool
    began: bool
    exit_code: int | None
    results: bool


@dataclass
class Truth:
    """What was seen.

    Attributes:
        seen: Of each invocation, in order.
        runners: Process ids of the runners of each invocation.
        titles: Commands of processes that held a secret.
        child: When NEL's child was seen alive.
    """

    seen: dict[str, list[Seen]] = field(default_factory=dict)
    runners: dict[str, set[int]] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)
    child: list[float] = field(default_factory=list)


def processes(world: World | None = None) -> list[Process]:
    """All processes of this enclosure; with a world, also to which run they belong where only it knows that."""
    jobs = world.jobs() if world else {}
    found = []
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            command = (place / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
            state, _, _, session = (place / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
            run = run_of(place) or (jobs.get(job_of(place), "") if jobs else "")
            found.append(Process(int(place.name), tuple(command), int(session), state in "ZX", run))
        except OSError:
            continue
    return found


def tasks(run: Path) -> list[Path]:
    """The task directories of a run."""
    return [path.parent for path in run.glob("*.*/logs")]


class Watcher:
    """Looks while the block runs.

    Args:
        world: Whose runs are looked at.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.truth = Truth()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            self.look()

    def look(self) -> None:
        """Look once."""
        present, own = processes(self.world), self.world.own_pids()
        alive: dict[str, bool] = {}
        for process in present:
            if any(secret in word for word in process.command for secret in self.world.secrets.values()):
                self.truth.titles.add(" ".join(process.command)[:300])
            if process.zombie or process.pid in own:
                continue
            if process.child:
                self.truth.child.append(time.time())
            if process.run and not process.child:
                alive[process.run] = True
                if process.runner:
                    self.truth.runners.setdefault(process.run, set()).add(process.pid)
        for job, run in self.world.jobs().items():
            self.truth.runners.setdefault(run, set()).add(int(job))
        self._note(alive)

    def _note(self, alive: dict[str, bool]) -> None:
        now = time.time()
        for run in self.world.run_directories():
            invocation = run.name.rpartition("-")[2]
            found = tasks(run)
            codes = [self.world.exit_code(task, alive=alive.get(invocation, False)) for task in found]
            row = Seen(
                now,
                alive.get(invocation, False),
                any((task / "logs" / "stage.pre-start").exists() for task in found),
                max((c for c in codes if c is not None), default=None) if None not in codes else None,
                bool(found) and all(has_results(task) for task in found),
            )
            self.truth.seen.setdefault(invocation, []).append(row)


def around(rows: Iterable[Seen], began: float, ended: float) -> list[Seen]:
    """What was seen between two times, with the last look before and the first one after."""
    rows = list(rows)
    before = [row for row in rows if row.time < began][-1:]
    after = [row for row in rows if row.time > ended][:1]
    return [*before, *(row for row in rows if began <= row.time <= ended), *after]


def still_there(world: World) -> list[Process]:
    """Processes that are none of the campaign's own and have not ended."""
    own = world.own_pids() | {os.getppid()}
    return [process for process in processes(world) if process.pid not in own and not process.zombie]
