"""Whatever lies where a file should be, nobody waits for it and nobody reads it to its end: pipes, devices, giants, directories."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from . import bundle
from .targets import target
from .test_targets import called
from .watching import Violation

SECONDS = 40
GIANT = 3 << 30


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(GIANT)


KINDS: dict[str, Callable[[Path], None]] = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a giant": _sparse,
    "a directory": Path.mkdir,
    "a loop of links": lambda path: path.symlink_to(path.name),
}


def _names() -> list[tuple[str, str, str]]:
    """Each file that the seeds have, once: target, seed, name. The whole list of the harnesses' files has its own tests."""
    found: dict[tuple[str, str], str] = {}
    for name in ("config", "checkpoint", "results", "logs", "records", "settings"):
        for seed, data in target(name).seeds().items():
            for file in bundle.unpacked(data):
                if file and not file.startswith("harness-") and file not in {"compare", "pattern"}:
                    found.setdefault((name, file if name != "results" else Path(file).suffix), f"{seed}\n{file}")
    return [(name, *found[name, key].split("\n")) for name, key in found]  # type: ignore[misc]


@pytest.fixture
def _nobody_waits() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Violation(f"it still waits after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_nobody_waits")
@pytest.mark.parametrize(("name", "seed", "file"), _names())
def test_what_is_no_file_is_not_waited_for(name: str, seed: str, file: str) -> None:
    data = target(name).seeds()[seed]
    for kind, make in KINDS.items():
        signal.alarm(SECONDS)
        with bundle.instead(file, make):
            try:
                called(name, data)
            except Exception as error:
                raise AssertionError(f"{file} is {kind}") from error
