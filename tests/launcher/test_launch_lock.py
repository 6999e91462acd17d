"""The launch lock: held as long as any process that inherited it lives and has not let it go; real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quantgate import workspace
from quantgate.errors import BadInput, Refused, StorageError
from quantgate.launcher import launch_lock

ID = "0123456789abcdef"


def _heir(descriptor: int, program: str) -> subprocess.Popen[str]:
    """A process that inherits the lock, says that it is up and goes on with each line that it reads."""
    code = f"import sys\nfrom quantgate.launcher import launch_lock\nprint('up', flush=True)\nsys.stdin.readline()\n{program}"
    heir = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        pass_fds=(descriptor,),
        env={**os.environ, launch_lock.VARIABLE: str(descriptor)},
    )
    assert heir.stdout is not None
    assert heir.stdout.readline() == "up\n"
    return heir


def test_it_is_held_in_the_block_and_gone_after_it() -> None:
    assert not launch_lock.held(ID)
    with launch_lock.taken(ID):
        assert launch_lock.held(ID)
        assert not launch_lock.held("f" * 16)
    assert not launch_lock.held(ID)
    assert list((workspace.state_dir() / "locks").iterdir()) == []


def test_it_is_held_by_whoever_inherited_it_until_that_process_is_killed() -> None:
    with launch_lock.taken(ID) as descriptor:
        heir = _heir(descriptor, "")
    with heir:
        assert launch_lock.held(ID)
        with pytest.raises(Refused, match="started by another call"), launch_lock.taken(ID):
            pass
        heir.kill()
        heir.wait()
        assert not launch_lock.held(ID)
    with launch_lock.taken(ID):
        assert launch_lock.held(ID)


def test_a_runner_that_lets_it_go_lives_on_without_it() -> None:
    with launch_lock.taken(ID) as descriptor:
        heir = _heir(descriptor, "launch_lock.let_go()\nprint('free', flush=True)\nsys.stdin.readline()")
    with heir:
        assert heir.stdin is not None
        assert heir.stdout is not None
        heir.stdin.write("\n")
        heir.stdin.flush()
        assert heir.stdout.readline() == "free\n"
        assert heir.poll() is None
        assert not launch_lock.held(ID)
        heir.stdin.write("\n")


def test_a_process_that_was_not_given_it_does_not_hold_it() -> None:
    with launch_lock.taken(ID):
        other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with other:
        assert not launch_lock.held(ID)
        other.kill()


def test_looks_at_the_same_time_do_not_stand_in_the_way_of_taking_it() -> None:
    deadline = time.monotonic() + 1.5

    def look(_: int) -> int:
        looks = 0
        while time.monotonic() < deadline:
            launch_lock.held(ID)
            looks += 1
        return looks

    taken = 0
    with ThreadPoolExecutor(3) as pool:
        lookers = [pool.submit(look, n) for n in range(3)]
        while time.monotonic() < deadline:
            with launch_lock.taken(ID):
                taken += 1
        assert min(looker.result() for looker in lookers) > 0
    assert taken > 0


def test_what_a_killed_launch_left_is_swept_and_what_is_held_is_not() -> None:
    with launch_lock.taken("a" * 16):
        left = workspace.state_dir() / "locks" / f"{'b' * 16}.lock"
        left.touch()
        with launch_lock.taken("c" * 16):
            assert not left.exists()
            assert launch_lock.held("a" * 16)


@pytest.mark.parametrize("name", ["../../etc", "a/b", "", ".", "a" * 65])
def test_a_name_that_is_no_id_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        launch_lock.held(name)


def test_a_variable_that_names_no_file_is_not_taken_for_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("", "-1", "x", "0", "2", "999999"):
        monkeypatch.setenv(launch_lock.VARIABLE, text)
        assert launch_lock.inherited() == ()


def test_a_directory_of_locks_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (workspace.state_dir() / "locks").mkdir(mode=0o700)
    (workspace.state_dir() / "locks").chmod(0o777)
    with pytest.raises(StorageError, match="not private"), launch_lock.taken(ID):
        pass
