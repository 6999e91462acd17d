"""The property can fail: each thing that a call may not do is seen."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from quantgate.errors import BadInput, QuantgateError
from quantgate.tools.spec import ToolResult

from . import watching
from .watching import CANARY, TOUCHED, Violation, Watch, bounded, foreseen, watched


class _Answer(ToolResult):
    next_step: str = "Ask the user."
    text: str = ""
    number: float = 0


def _refuse(error: QuantgateError) -> Callable[[], object]:
    def call() -> object:
        raise error

    return call


@pytest.mark.parametrize(
    "act",
    [
        lambda: subprocess.run(["true"], check=True),
        lambda: os.system("true"),
        lambda: Path(tempfile.gettempdir(), "quantgate-outside").write_text("x"),
        lambda: Path(tempfile.gettempdir(), "quantgate-outside").unlink(missing_ok=True),
        lambda: socket.create_connection(("127.0.0.1", 9), 0.1),
    ],
    ids=["a program", "a shell", "a file outside", "a removal outside", "a connection"],
)
def test_what_input_may_not_cause_is_seen(tmp_path: Path, act: Callable[[], object]) -> None:
    with pytest.raises(Violation, match="may not cause"), watched(Watch(tmp_path)), contextlib.suppress(OSError):
        act()


def test_what_the_room_is_for_is_permitted(tmp_path: Path) -> None:
    with watched(Watch(tmp_path, may_start=frozenset({"true"}))) as watch:
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").read_text()
        subprocess.run(["true"], check=True)
    assert watch.opened == {str(tmp_path / "a")}


def test_a_file_that_input_made_by_a_shell_is_seen(tmp_path: Path) -> None:
    with pytest.raises(Violation, match="was run"), watched(Watch(tmp_path)):
        (tmp_path / TOUCHED).touch()


def test_work_and_memory_have_a_bound() -> None:
    with pytest.raises(Violation, match="processor"), bounded(0.01, 1000):
        sum(range(10_000_000))
    with pytest.raises(Violation, match="MB"), bounded(100, 20):
        len(bytearray(os.urandom(1) * 400_000_000))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: f"x {CANARY}", ""),
        (lambda: _Answer(text="\ud800"), "lone surrogate"),
        (lambda: _Answer(number=float("nan")), "no JSON"),
        (_refuse(BadInput("\udcff is wrong", fix="mend it")), "lone surrogate"),
        (_refuse(BadInput("It is wrong")), "without a place"),
        (_refuse(BadInput("It is wrong", where="x" * 9000)), "characters"),
    ],
)
def test_an_answer_that_may_not_be_given_is_seen(
    call: Callable[[], object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantgate.redact.redact", lambda text: text)
    monkeypatch.setattr("quantgate.visible.text", lambda text: text)
    with pytest.raises(Violation, match=says or "a secret"):
        foreseen(call)


def test_a_refusal_that_says_all_is_an_answer() -> None:
    assert "Fix:" in foreseen(_refuse(BadInput("It is wrong", fix="mend it")))
    with pytest.raises(KeyError):
        foreseen(lambda: {}["x"])
    assert watching._watch is None
