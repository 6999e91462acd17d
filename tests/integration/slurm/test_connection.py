"""The door to a cluster against a real sshd: what breaks is told as broken, and what is not trusted is not talked to."""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quantgate.cluster import connection, opening, scheduler
from quantgate.errors import ClusterError, Unreachable

from .cluster import Cluster
from .settings import ACCOUNT
from .sshd import end_sessions


@pytest.fixture
def link(reached: Cluster) -> connection.Connection:
    return connection.connection(reached.alias)


def test_arguments_arrive_as_they_were(link: connection.Connection) -> None:
    words = ["a b", "$(id)", "'", '"', "`x`", "*", "\\", "-n", "é", "a\nb"]
    done = link.run(["printf", r"%s|", *words])
    assert done.out == "".join(w + "|" for w in words)


def test_output_is_bounded_and_both_streams_are_read(link: connection.Connection) -> None:
    done = link.run(["sh", "-c", "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; exit 4"])
    assert (len(done.out), len(done.err), done.code) == (3_000_000, 3_000_000, 4)
    endless = link.run(["yes"], max_output=10_000)
    assert (len(endless.out), endless.truncated) == (10_000, True)


def test_a_command_that_hangs_ends_after_its_time(link: connection.Connection) -> None:
    before = time.monotonic()
    with pytest.raises(Unreachable, match="no answer within 1 s"):
        link.run(["sleep", "30"], seconds=1)
    assert time.monotonic() - before < 10
    assert link.run(["echo", "next"]).out == "next\n"


def test_a_slow_command_breaks_no_other_on_the_same_connection(reached: Cluster, link: connection.Connection) -> None:
    link.run(["true"])
    before = link._link
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(link.run, ["sh", "-c", "sleep 3; echo whole"], seconds=20, changes=True)
        with pytest.raises(
            Unreachable, match="no answer within 1 s, although the host itself answers; it may still run"
        ):
            link.run(["sleep", "30"], seconds=1, changes=True)
        assert other.result().out == "whole\n"
    assert link._link is before


def test_one_connection_serves_twenty_callers(reached: Cluster, link: connection.Connection) -> None:
    link.run(["true"])
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: link.run(["echo", str(n)]).out.strip(), range(20)))
    assert answers == [str(n) for n in range(20)]
    peers = reached.checked("sh", "-c", "pgrep -fc '^sshd: tester$' || true").strip()
    assert int(peers) <= 1


def test_a_dropped_link_is_opened_again_for_a_look_and_never_for_a_change(
    reached: Cluster, link: connection.Connection
) -> None:
    link.run(["true"])
    end_sessions(reached)
    assert link.run(["echo", "again"]).out == "again\n"
    marks = reached.home / "marks"
    for changes, times in ((False, 2), (True, 1)):
        marks.unlink(missing_ok=True)
        link.run(["true"])
        timer = threading.Timer(1.0, end_sessions, [reached])
        timer.start()
        with pytest.raises(Unreachable) as broken:
            link.run(
                ["sh", "-c", f"echo x >>{marks}; sleep 4; [ $(wc -l <{marks}) = 9 ]; exec sleep 60"],
                seconds=8,
                changes=changes,
            )
        timer.join()
        assert ("may have run" in str(broken.value)) is changes
        assert len(marks.read_text("utf-8").split()) == times


def test_an_unknown_key_is_refused_with_the_command_that_accepts_it(reached: Cluster) -> None:
    known = reached.base / "ssh" / "known_hosts"
    text = known.read_text("utf-8")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", str(reached.base / "ssh/host_ed25519.pub")],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout.split()[1]
    connection.close_all()
    try:
        known.write_text("", "utf-8")
        with pytest.raises(ClusterError, match=f"{re.escape(shown)}.*runs: ssh testcluster true") as refused:
            connection.connection(reached.alias).run(["true"])
        assert not isinstance(refused.value, Unreachable)
    finally:
        known.write_text(text, "utf-8")
    assert connection.connection(reached.alias).run(["true"]).code == 0


def test_a_changed_key_is_refused_as_a_possible_attack(reached: Cluster, tmp_path: Path) -> None:
    known = reached.base / "ssh" / "known_hosts"
    text = known.read_text("utf-8")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "k")], check=True, timeout=10)
    connection.close_all()
    try:
        other = (tmp_path / "k.pub").read_text("utf-8").split()[:2]
        known.write_text(f"[127.0.0.1]:{reached.ports.ssh} {' '.join(other)}\n", "utf-8")
        with pytest.raises(ClusterError, match="ssh-keygen -R"):
            connection.connection(reached.alias).run(["true"])
    finally:
        known.write_text(text, "utf-8")


def test_a_key_that_is_not_accepted_is_tried_once(reached: Cluster) -> None:
    keys = reached.base / "ssh" / "authorized_keys"
    text = keys.read_text("utf-8")
    log = reached.base / "log" / "sshd.out"
    connection.close_all()
    try:
        keys.write_text("", "utf-8")
        before = log.read_text("utf-8", "replace").count("Connection closed by authenticating user")
        with pytest.raises(ClusterError, match="does not accept a key of ours"):
            connection.connection(reached.alias).run(["true"])
        time.sleep(0.5)
        assert log.read_text("utf-8", "replace").count("Connection closed by authenticating user") - before <= 1
    finally:
        keys.write_text(text, "utf-8")


@pytest.fixture
def silent(reached: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host that takes connections and never says a word."""
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = reached.base / "etc" / "ssh_config_silent"
        config.write_text(f"Host silent\n  HostName 127.0.0.1\n  Port {port}\n", "utf-8")
        monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
        yield "silent"


def test_a_host_that_says_nothing_is_given_up_in_time(silent: str) -> None:
    before = time.monotonic()
    with pytest.raises(Unreachable, match="silent cannot be reached: no answer within 1 s"):
        connection.connection(silent).run(["true"])
    assert time.monotonic() - before < 3


def test_a_host_behind_another_is_reached_through_it(reached: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    config = reached.base / "etc" / "ssh_config_jump"
    plain = reached.ssh_config.read_text("utf-8")
    inner = plain.replace("Host testcluster", "Host behind") + "  ProxyJump testcluster\n"
    config.write_text(plain + inner, "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
    assert connection.connection("behind").run(["echo", "through"]).out == "through\n"


def test_a_stopped_scheduler_is_a_problem_and_not_an_answer(reached: Cluster, link: connection.Connection) -> None:
    seen = scheduler.look(link, [str(reached.home / "absent" / "task.0")])
    assert seen.problems == ()
    assert seen.queue is not None
    assert seen.directories[str(reached.home / "absent" / "task.0")].exists is False


def test_a_job_array_is_found_by_its_index_and_by_its_raw_id(reached: Cluster, link: connection.Connection) -> None:
    job = reached.checked(
        "sbatch", "--parsable", "-A", ACCOUNT, "-o", "/dev/null", "--array", "1-2", "--wrap", "true"
    ).strip()
    deadline = time.monotonic() + 60
    while True:
        jobs = scheduler.look(link, [], [job]).accounting or {}
        mine = {key: row for key, row in jobs.items() if row.job_id.startswith(f"{job}_")}
        if {row.job_id for row in mine.values() if row.state == "COMPLETED"} == {f"{job}_1", f"{job}_2"}:
            break
        assert time.monotonic() < deadline, jobs
        time.sleep(0.3)
    assert {f"{job}_1", f"{job}_2", job} <= set(mine)


def test_a_command_that_ends_before_its_input_is_sent_is_told_by_its_status(reached: Cluster) -> None:
    done = connection.connection(reached.alias).run(["no-such-program"], stdin=b"x" * 6_000_000)
    assert done.code == 127
