"""Helper processes end with the server, whenever it goes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from quantgate import children

SLEEPING = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_helper_that_is_just_being_started_does_not_outlive_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    there = threading.Event()

    class Slow(subprocess.Popen):  # type: ignore[type-arg]
        """On a loaded machine a program runs a while before the call that started it is back."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)
            there.set()
            time.sleep(0.5)

    monkeypatch.setattr(subprocess, "Popen", Slow)
    ended: list[children.Finished] = []
    call = threading.Thread(
        target=lambda: ended.append(children.run(SLEEPING, stdin=b"", env=os.environ, seconds=60)), daemon=True
    )
    call.start()
    assert there.wait(30)
    children.end_all()
    # The server's process goes here, and this thread with it.
    assert started[0].poll() == -signal.SIGTERM
    call.join(30)
    assert ended[0].returncode == -signal.SIGTERM


def test_a_server_that_goes_starts_no_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    children.end_all()
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: pytest.fail("started"))
    assert children.run(SLEEPING, stdin=b"", env=os.environ, seconds=60).returncode == -signal.SIGTERM


def test_what_a_helper_that_ends_politely_left_in_its_group_is_ended_too(tmp_path: Path) -> None:
    script = f"trap '' TERM; echo $$ > {tmp_path}/left; exec sleep 60"
    leader = f"sh -c {shlex.quote(script)} & trap 'exit 0' TERM; wait"
    ended = children.run(["bash", "-c", leader], stdin=b"", env=os.environ, seconds=2)
    assert ended.timed_out
    assert ended.returncode == 0
    left = int((tmp_path / "left").read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(left) and psutil.Process(left).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "an orphan stays"
        time.sleep(0.05)


def test_of_an_output_without_bounds_the_beginning_and_the_end_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "MOST_OUTPUT", 10)
    said = [sys.executable, "-c", "print('b' * 10 + 'x' * 100 + 'e' * 9)"]
    assert children.run(said, stdin=b"", env=os.environ, seconds=60).output == "b" * 10 + "\n[...]\n" + "e" * 9 + "\n"
