"""One target of fuzzing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from .. import watching

TARGETS = ("config", "checkpoint", "results", "logs", "scheduler", "arguments", "records", "settings")
"""By the modules' names, in the order of the campaign."""


@dataclass(frozen=True)
class Target:
    """What an input reaches.

    Attributes:
        name: Of the module.
        call: With an input and an empty directory of its own; it raises what is a finding.
        seeds: Honest inputs, by name, from which the engines begin.
        seconds: Of processor time that a call may take.
        megabytes: Of memory, likewise.
        may_start: Programs that it may start, by the last part of their path.
        may_write: Directories outside the room where it may write (the shared cache).
        prepare: What is done once before the first input: tables and caches are read.
    """

    name: str
    call: Callable[[bytes, Path], None]
    seeds: Callable[[], dict[str, bytes]]
    seconds: float = 5.0
    megabytes: float = 200.0
    may_start: frozenset[str] = frozenset()
    may_write: tuple[str, ...] = ()
    prepare: Callable[[], None] = lambda: None

    def __call__(self, data: bytes, room: Path) -> watching.Watch:
        """Call it with an input, and hold it to the property.

        Args:
            data: The input.
            room: An empty directory, the only place that may change.

        Raises:
            Violation: The property does not hold. Any other exception is a finding as well.
        """
        watch = watching.Watch(room, self.may_start, self.may_write)
        with at_home(room), watching.watched(watch), watching.bounded(self.seconds, self.megabytes):
            self.call(data, room)
        return watch


@contextmanager
def at_home(room: Path) -> Iterator[None]:
    """The user's home, quantgate's state, NEL's record and temporary files lie in the room."""
    home = room / ".home"
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    given = {"HOME": home, "QUANTGATE_HOME": home / "state", "NEMO_EVALUATOR_EXEC_DB_FILE": home / "exec.jsonl"}
    before = {name: os.environ.get(name) for name in [*given, "HF_TOKEN"]}
    os.environ.update({name: str(value) for name, value in given.items()} | {"HF_TOKEN": watching.CANARY})
    temporary, tempfile.tempdir = tempfile.tempdir, str(home / "tmp")
    try:
        yield
    finally:
        tempfile.tempdir = temporary
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def target(name: str) -> Target:
    """The target of this name."""
    found: Target = import_module(f"{__package__}.{name}").TARGET
    return found
