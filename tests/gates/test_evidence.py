"""NEL's record of a launch on a cluster is believed only of the launch's own host and output directory."""

from __future__ import annotations

import pytest

from quantgate.gates.traces import evidence, lookup, reconcile, remote_launches

from .made_remote import HOST, ID, OUTPUT, ROOT, TASK, attempt, record


def test_a_record_below_the_launch_s_own_output_directory_is_believed() -> None:
    record()
    known = attempt(run_dir="", outcome="launching")
    assert evidence.started_dir(known) == f"{HOST}:{ROOT}"
    assert reconcile.verdict(known).run_dir == f"{HOST}:{ROOT}"


def test_a_login_name_of_the_record_alone_is_not_taken() -> None:
    record()
    name = HOST.rpartition("@")[2]
    known = attempt(output_dir=f"{name}:{OUTPUT}", run_dir="", outcome="launching")
    assert evidence.started_dir(known) == f"{name}:{ROOT}"


@pytest.mark.parametrize(
    ("host", "root"),
    [
        ("me@evil.example", ROOT),
        (f"other@{HOST.rpartition('@')[2]}", ROOT),
        (HOST, f"/lustre/others/20260102_030405-{ID}"),
        (HOST, OUTPUT),
        (HOST, f"{OUTPUT}/../others/20260102_030405-{ID}"),
    ],
)
def test_a_record_that_names_another_place_is_no_evidence(
    host: str, root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(host, root)
    known = attempt(run_dir="", outcome="launching")
    monkeypatch.setattr(remote_launches, "look", lambda *_: remote_launches.Known("open", why="away"))
    monkeypatch.setattr(reconcile, "may_start", lambda _: False)
    assert evidence.started_dir(known) == ""
    assert lookup.run_of(known).remote is None
    assert reconcile.verdict(known).outcome == "launching"


def test_a_task_that_the_record_has_elsewhere_is_none_of_the_run() -> None:
    record(HOST, ROOT, f"/lustre/others/{TASK}")
    there = evidence.recorded_place(attempt(run_dir="", outcome="launching"))
    assert there is not None
    assert [task.path for task in there.tasks] == [f"{ROOT}/{TASK}"]
