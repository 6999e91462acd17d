"""What holds of every call with hostile input: it ends in time, within memory, with a foreseen error, and touches nothing else.

Python's audit hook sees what a call opens, starts and connects to, whoever's code does it; the hook stays in the process for good
and looks only while a call is watched.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quantgate.errors import QuantgateError
from quantgate.tools.spec import ToolResult

CANARY = "hf_" + "FuzzCanary" * 3
"""A secret that is in the environment of every target under HF_TOKEN: no answer may hold it."""
TOUCHED = "executed-by-input"
"""The file that inputs would make if something in them were run."""

_STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn"}
_CONNECTS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname"}
_CHANGES = {
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "os.utime", "shutil.rmtree", "shutil.move", "shutil.copyfile", "shutil.copytree",
}  # fmt: skip
_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Violation(AssertionError):
    """The property does not hold."""


@dataclass
class Watch:
    """One watched call.

    Attributes:
        room: The only directory in which it may change anything.
        may_start: The last parts of the programs' paths that it may start.
        seen: What it did that it may not do.
        opened: Files below the room that it opened to read, as the systematic test of odd files wants them.
    """

    room: Path
    may_start: frozenset[str] = frozenset()
    may_write: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)

    def event(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Look at one event of the audit hook."""
        if name == "open":
            self._open(*arguments[:3])
        elif name in _CHANGES:
            # `dir_fd` comes with names relative to an open directory: shutil.rmtree works so, and says the whole path itself.
            first = 1 if name.startswith("shutil.copy") or name == "os.symlink" else 0
            paths = [a for a in arguments[first:2] if isinstance(a, str | bytes | os.PathLike)]
            relative = any(isinstance(a, int) and a > 2 for a in arguments[1:])
            self.seen += [f"{name} {path!r}" for path in paths if not relative and not self._is_inside(path)]
        elif name in _STARTS:
            program = os.fsdecode(arguments[0] or "") if arguments else ""
            if not program and len(arguments) > 1:
                program = str(arguments[1][0])
            if program.rpartition("/")[2] not in self.may_start:
                self.seen.append(f"{name} {arguments[:2]!r}"[:300])
        elif name in _CONNECTS:
            self.seen.append(f"{name} {arguments[1:]!r}"[:300])

    def _open(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        writes = bool(flags & _WRITE) if isinstance(flags, int) else any(c in str(mode) for c in "wax+")
        inside = self._is_inside(path)
        if writes and not inside:
            self.seen.append(f"open for writing {path!r}")
        elif inside and not writes:
            self.opened.add(_absolute(path))

    def _is_inside(self, path: Any) -> bool:
        place = _absolute(path)
        return place.startswith((str(self.room) + os.sep, *self.may_write)) or place in {str(self.room), os.devnull}


def _absolute(path: Any) -> str:
    # Not resolved: that would open, and so be an event of its own.
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100


_watch: Watch | None = None
_busy = threading.local()


def _hook(name: str, arguments: tuple[Any, ...]) -> None:
    if _watch is None or getattr(_busy, "now", False):
        return
    _busy.now = True
    try:
        _watch.event(name, arguments)
    finally:
        _busy.now = False


_hooked: list[bool] = []


@contextmanager
def watched(watch: Watch) -> Iterator[Watch]:
    """Watch what is done in the block, in any thread.

    Raises:
        Violation: Something was changed outside the room, started, or connected to.
    """
    global _watch  # noqa: PLW0603 - the hook is the process's
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    _watch = watch
    try:
        yield watch
    finally:
        _watch = None
    if watch.seen:
        raise Violation(f"it did what input may not cause: {watch.seen[0]} (and {len(watch.seen) - 1} more)")
    if (watch.room / TOUCHED).exists() or Path(TOUCHED).exists():
        raise Violation("something in the input was run")


@contextmanager
def bounded(seconds: float, megabytes: float) -> Iterator[None]:
    """Processor time and memory that a block may take.

    Raises:
        Violation: It took more.
    """
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Of this process alone: a busy machine makes a call wait, not work. Who waits for ever is stopped by the engine or by pytest.
    began = time.process_time()
    yield
    taken = time.process_time() - began
    if taken > seconds:
        raise Violation(f"it took {taken:.1f} s of processor; {seconds} s are allowed")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    if grown > megabytes:
        raise Violation(f"it took {grown:.0f} MB more memory; {megabytes} MB are allowed")


def _shown(answer: Any) -> str:
    try:
        return json.dumps(answer, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise Violation("an answer that is no JSON: it has a number that is none") from None


def foreseen(call: Callable[[], object]) -> str:
    """The call's answer as text, or that of its refusal, both as a caller gets them.

    Raises:
        Violation: The refusal does not say what is wrong, or neither where nor how to mend it; a secret is in the text. Any
            exception that is none of quantgate's goes through: that is a finding, too.
    """
    from quantgate import redact
    from quantgate.tools import answer as border

    try:
        given = call()
    except QuantgateError as error:
        text = redact.shown(str(error))
        if not error.what.strip() or not (error.where.strip() or error.fix.strip()):
            raise Violation(f"a refusal without a place and a way out: {text[:300]!r}") from None
        if len(text) > 8000:
            raise Violation(f"a refusal of {len(text)} characters") from None
    else:
        text = _shown(border.answer(given)) if isinstance(given, ToolResult) else redact.shown(repr(given))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise Violation(f"a text that no client can be sent: {text[:200]!r} has a lone surrogate") from None
    if CANARY in text:
        raise Violation("a secret of the environment is in the answer")
    return text
