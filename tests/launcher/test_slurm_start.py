"""How jobs are submitted: with an `ssh` that ends, the lock held until it has, and each refusal told apart.

A script stands for ssh: it plays the part of the login node.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.errors import ClusterError, LauncherError, Unreachable
from quantgate.launcher import launch_lock, remote_shell, slurm_start

RUNS = [Path("/out/a-1/t.0/run.sub"), Path("/out/a-1/t.1/run.sub")]
ID = "4f0c9d2e11aa22bb"


@pytest.fixture
def login_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a script in ssh's place, below the one that NEL gets."""
    real = tmp_path / "real"
    real.mkdir()
    monkeypatch.setenv("PATH", f"{real}:/usr/bin:/bin")
    monkeypatch.delenv("QUANTGATE_SSH_CONFIG", raising=False)

    def make(script: str) -> Path:
        (real / "ssh").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{tmp_path}/asked\n{script}\n', "utf-8")
        (real / "ssh").chmod(0o755)
        remote_shell.use(tmp_path)
        return tmp_path / "asked"

    return make


def test_scripts_are_submitted_in_one_command_up_to_the_first_that_is_refused(login_node: Any) -> None:
    asked = login_node("echo Submitted batch job 7; echo Submitted batch job 8")
    assert slurm_start.submit(RUNS, "me", "login", "/tmp/socket") == ["7", "8"]
    (line,) = asked.read_text("utf-8").splitlines()
    assert line.endswith("-S /tmp/socket me@login sbatch /out/a-1/t.0/run.sub && sbatch /out/a-1/t.1/run.sub")


@pytest.mark.parametrize(
    ("script", "error", "told"),
    [
        (
            "echo 'sbatch: error: Invalid account' >&2; exit 1",
            ClusterError,
            "0 of 2 jobs: sbatch: error: Invalid account",
        ),
        ("echo Submitted batch job 7; echo 'error: quota' >&2; exit 1", LauncherError, "1 of 2 jobs: error: quota"),
        ("echo 'Connection closed' >&2; exit 255", Unreachable, "got no answer: Connection closed"),
        ("echo 'Socket timed out on send/recv operation' >&2; exit 1", Unreachable, "Socket timed out"),
        ("echo 'sbatch: error: receive failure' >&2; exit 1", Unreachable, "receive failure"),
        # Without an error, but without both ids: both may have been submitted.
        ("echo Submitted batch job 7", Unreachable, "it ended with 0 and named 1 of 2 jobs"),
        ("echo 'Welcome, your job is on its way'", Unreachable, "it ended with 0 and named 0 of 2 jobs"),
        # Ended by a signal: sbatch on the login node, and the ssh here.
        ("exit 143", Unreachable, "it ended with 143"),
        ("kill -9 $$", Unreachable, "got no answer: Killed"),
        ("kill -9 $PPID", Unreachable, "it ended with -9"),
    ],
)
def test_a_refusal_a_half_submission_and_a_broken_link_are_told_apart(
    login_node: Any, script: str, error: type[Exception], told: str
) -> None:
    login_node(script)
    with pytest.raises(error) as raised:
        slurm_start.submit(RUNS, "me", "login", None)
    assert told in str(raised.value)
    assert type(raised.value) is error


def test_nels_ssh_never_asks_and_gives_a_silent_host_up(login_node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", "/etc/our ssh_config")
    monkeypatch.setenv("RSYNC_RSH", "another program")
    asked = login_node("exit 0")
    subprocess.run(["ssh", "me@login", "echo 'two words'"], check=True, timeout=10)
    (line,) = asked.read_text("utf-8").splitlines()
    assert line.startswith("-F /etc/our ssh_config -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15")
    assert line.endswith("me@login echo 'two words'")
    assert "RSYNC_RSH" not in os.environ


def test_nels_shared_connection_ends_by_itself_when_nobody_uses_it(login_node: Any) -> None:
    asked = login_node("exit 0")
    subprocess.run(["ssh", "-Nf", "-o", "ControlMaster=auto", "-S", "/s", "me@login"], check=True, timeout=10)
    (line,) = asked.read_text("utf-8").splitlines()
    assert line.endswith("-o ControlPersist=60 -o ControlMaster=auto -S /s me@login true")
    assert "-Nf" not in line


def test_the_exit_status_of_ssh_arrives(login_node: Any) -> None:
    login_node("exit 255")
    assert subprocess.run(["ssh", "me@login", "true"], timeout=10, check=False).returncode == 255


def test_the_lock_is_held_until_a_submission_has_ended_even_if_its_process_was_killed(
    login_node: Any, tmp_path: Path
) -> None:
    # ssh closes what it inherits: so does its stand-in here.
    closed = tmp_path / "closed"
    login_node(f"exec python3 -c 'import os, time; os.closerange(3, 4096); os.mkdir(\"{closed}\"); time.sleep(3)'")
    code = (
        "import os, sys; from pathlib import Path; from quantgate.launcher import slurm_start\n"
        "slurm_start.submit([Path('/out/run.sub')], 'me', 'login', None)"
    )
    with launch_lock.taken(ID) as lock:
        env = {**os.environ, launch_lock.VARIABLE: str(lock)}
        child = subprocess.Popen([sys.executable, "-c", code], env=env, pass_fds=(lock,))
        deadline = time.monotonic() + 30
        while not closed.exists():
            assert time.monotonic() < deadline, "it was not submitted"
            time.sleep(0.05)
        child.kill()
        child.wait()
    assert launch_lock.held(ID)
    while launch_lock.held(ID):
        assert time.monotonic() < deadline, "the lock is never let go"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("given", "comment"),
    [
        (None, "quantgate:1"),
        ("", "quantgate:1"),
        ("of team 4", "of team 4 quantgate:1"),
        ("it's\n#SBATCH --account x", "it s #SBATCH --account x quantgate:1"),
    ],
)
def test_the_stamp_stands_behind_the_users_comment_on_one_line(given: str | None, comment: str) -> None:
    config = SimpleNamespace(execution=_Section(sbatch_comment=given, username="you", hostname="alias"))
    slurm_start.prepare(config, "quantgate:1", "me@login")
    assert config.execution == {"sbatch_comment": comment, "username": "me", "hostname": "login"}


class _Section(dict[str, Any]):
    """Stands for a section of NEL's config: keys are attributes too."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value
