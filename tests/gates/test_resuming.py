"""Resuming runs of the process executor through the real NEL: what is taken up again, and that nothing is started twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import EndpointError, Refused, StorageError
from quantgate.gates import ledger
from quantgate.gates.cancel import cancelling
from quantgate.gates.judgement import judging
from quantgate.gates.permission import consent
from quantgate.gates.planning import plan
from quantgate.gates.questions import trust
from quantgate.gates.resume import relaunch, resuming
from quantgate.launcher import execdb, launch_lock, process_control

from . import made_runs
from .made_runs import TASKS, starts, states, until

KEY = "key-of-the-test-run-7"
FAULTS = (
    "kill:child-started",
    "orphan:child-started",
    "kill:runner-started",
    "orphan:runner-started",
    "kill:runner-before-record",
    "kill:before-answer",
)
"""Who dies in the middle of a resume: NEL's child, or the server while the child goes on."""


class Made:
    """A run that was launched once for the tests of this module, and cancelled."""

    def __init__(self, folder: Path, server: ThreadingHTTPServer) -> None:
        self.folder, self.server = folder, server
        self.config = made_runs.write_config(folder, server.server_port)
        self.attempt = made_runs.launch(self.config)
        cancelling.cancel(self.attempt.invocation_id, [])

    @property
    def path(self) -> Path:
        return made_runs.directory(self.attempt)


def _environment(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setenv("QUANTGATE_HOME", str(folder / "home"))
    patch.setenv("QUANTGATE_CACHE", str(folder / "cache"))
    patch.setenv("NEMO_EVALUATOR_EXEC_DB_FILE", str(folder / "exec.v1.jsonl"))
    patch.setenv("MY_API_KEY", KEY)


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("resumed")
    with pytest.MonkeyPatch.context() as patch, made_runs.models() as server:
        _environment(patch, folder)
        made_runs.install_harness(folder / "cache")
        yield Made(folder, server)
        made_runs.end_everything(folder)


@pytest.fixture
def made(launched: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Made]:
    """The cancelled run; whatever a test starts of it is cancelled again."""
    _environment(monkeypatch, launched.folder)
    yield launched
    monkeypatch.delenv("QUANTGATE_FAULT", raising=False)
    cancelling.cancel(launched.attempt.invocation_id, [])


def _call(made: Made, **environment: str) -> subprocess.Popen[bytes]:
    call = [
        sys.executable,
        "-m",
        "quantgate",
        "call",
        "resume",
        json.dumps({"invocation_id": made.attempt.invocation_id}),
    ]
    return subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **environment}, start_new_session=True
    )


def _quiet(made: Made) -> Callable[[], bool]:
    """Whether nobody is starting anything of the run any more."""
    return lambda: not launch_lock.held(made.attempt.invocation_id)


def test_only_what_did_not_finish_is_taken_up_again_in_its_place_with_its_logs_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment(monkeypatch, tmp_path)
    made_runs.install_harness(tmp_path / "cache")
    with made_runs.models() as server:
        try:
            attempt = made_runs.launch(made_runs.write_config(tmp_path, server.server_port))
            path = made_runs.directory(attempt)
            (path / TASKS[1] / "fails").touch()
            (path / "finish").touch()
            until(lambda: states(attempt) == ["succeeded", "failed"])
            (path / TASKS[1] / "fails").unlink()
            (path / TASKS[1] / "artifacts" / ".nemo_evaluator_interrupted").write_text("{}")
            command = (path / TASKS[1] / "command.sh").read_bytes()
            done = resuming.resume(attempt.invocation_id, [])
            assert done.resumed == (TASKS[1],)
            assert done.refused == (relaunch.Refusal(TASKS[0], "it has succeeded; nothing is left to do"),)
            until(lambda: states(attempt) == ["succeeded", "succeeded"])
        finally:
            made_runs.end_everything(tmp_path)
    assert (starts(path, 0), starts(path, 1)) == (1, 2)
    logs = path / TASKS[1] / "logs"
    kept = [(logs / name).read_text() for name in ("client_stdout.attempt-1.log", "client_stdout.log")]
    assert kept == [f"begun with key {KEY}\n"] * 2
    assert (path / TASKS[1] / "command.sh").read_bytes() == command
    assert [(r.number, r.tasks, r.outcome) for r in ledger.resumes(attempt.invocation_id)] == [
        (1, (TASKS[1],), "launched")
    ]
    written = [p for p in path.rglob("*") if p.is_file() and not p.name.startswith("client_stdout")]
    assert not [p for p in written if KEY in p.read_text(errors="replace")]


def test_a_run_that_goes_on_is_not_resumed_and_a_task_before_its_turn_is_resuming(made: Made) -> None:
    before = starts(made.path, 0), starts(made.path, 1)
    assert resuming.resume(made.attempt.invocation_id, []).resumed == TASKS
    until(lambda: states(made.attempt) == ["running", "resuming"])
    done = resuming.resume(made.attempt.invocation_id, [])
    assert done.resumed == ()
    assert [r.reason for r in done.refused] == ["it is running", "it is resuming"]
    assert (starts(made.path, 0), starts(made.path, 1)) == (before[0] + 1, before[1])
    assert cancelling.cancel(made.attempt.invocation_id, []).cancelled == TASKS


def test_the_task_that_was_asked_for_is_resumed_and_the_others_wait_for_its_end(made: Made) -> None:
    before = starts(made.path, 0)
    assert resuming.resume(made.attempt.invocation_id, [TASKS[1]]).resumed == (TASKS[1],)
    until(lambda: states(made.attempt) == ["cancelled", "running"])
    (refusal,) = resuming.resume(made.attempt.invocation_id, [TASKS[0]]).refused
    assert f"the run goes on ({TASKS[1]})" in refusal.reason
    assert starts(made.path, 0) == before


def test_of_two_resumes_at_once_one_starts_the_run(made: Made) -> None:
    before = starts(made.path, 0)
    both = [_call(made) for _ in range(2)]
    outputs = [p.communicate(timeout=120) for p in both]
    resumed = [json.loads(out)["resumed"] for (out, _), p in zip(outputs, both, strict=True) if p.returncode == 0]
    assert [r for r in resumed if r] == [list(TASKS)], outputs
    until(lambda: starts(made.path, 0) > before)
    assert starts(made.path, 0) == before + 1


@pytest.mark.parametrize("fault", FAULTS)
def test_a_resume_that_is_killed_in_the_middle_never_runs_a_task_twice(made: Made, fault: str) -> None:
    before = starts(made.path, 0)
    _call(made, QUANTGATE_FAULT=fault).communicate(timeout=120)
    until(_quiet(made), 60)
    seen = states(made.attempt)
    done = resuming.resume(made.attempt.invocation_id, [])
    # Either the killed one had started it, which is seen, or this one does.
    assert bool(done.resumed) == set(seen).issubset({"cancelled", "interrupted"}), (seen, done)
    until(lambda: states(made.attempt) == ["running", "resuming"])
    until(lambda: starts(made.path, 0) > before)
    assert starts(made.path, 0) == before + 1
    runners = [p for p in process_control.living(made.path) if "process_runner" in " ".join(p.cmdline())]
    assert len(runners) == 1


def test_a_config_that_changed_since_the_launch_is_refused_with_the_changed_key(made: Made) -> None:
    text = made.config.read_text()
    try:
        made.config.write_text(text.replace("model_id: m", "model_id: m2"))
        with pytest.raises(Refused, match="not what was launched") as refusal:
            resuming.resume(made.attempt.invocation_id, [])
    finally:
        made.config.write_text(text)
    assert "start a new run" in str(refusal.value)
    assert states(made.attempt) == ["cancelled", "cancelled"]


def test_a_comment_in_the_config_does_not_stand_in_the_way(made: Made) -> None:
    made.config.write_text("# a remark\n" + made.config.read_text())
    assert resuming.resume(made.attempt.invocation_id, [TASKS[0]]).resumed == (TASKS[0],)


def test_a_command_that_was_edited_since_the_launch_is_not_run_with_the_user_s_keys(made: Made) -> None:
    command = made.path / TASKS[0] / "command.sh"
    text = command.read_text()
    before = starts(made.path, 0)
    try:
        command.write_text(text + "touch PWNED\n")
        with pytest.raises(Refused, match="not the one that was launched"):
            resuming.resume(made.attempt.invocation_id, [])
    finally:
        command.write_text(text)
    assert starts(made.path, 0) == before
    assert ledger.resumes(made.attempt.invocation_id)[0].outcome == "failed"


def test_an_endpoint_that_serves_another_model_now_is_refused(made: Made) -> None:
    try:
        made.server.model = ["m", "another"]  # type: ignore[attr-defined]
        with pytest.raises(Refused, match="other models"):
            resuming.resume(made.attempt.invocation_id, [])
        made.server.model = "another"  # type: ignore[attr-defined]
        with pytest.raises(EndpointError, match="does not serve"):
            resuming.resume(made.attempt.invocation_id, [])
    finally:
        made.server.model = "m"  # type: ignore[attr-defined]
    assert states(made.attempt) == ["cancelled", "cancelled"]


def test_while_somebody_else_is_starting_the_run_a_resume_is_refused(made: Made) -> None:
    before = len(ledger.resumes(made.attempt.invocation_id))
    with launch_lock.taken(made.attempt.invocation_id), pytest.raises(Refused, match="being started"):
        resuming.resume(made.attempt.invocation_id, [])
    assert len(ledger.resumes(made.attempt.invocation_id)) == before


def test_a_resume_that_is_being_launched_is_seen_by_every_server_and_one_that_was_left_is_not(made: Made) -> None:
    number = ledger.add_resume(made.attempt.invocation_id, TASKS)
    with launch_lock.taken(made.attempt.invocation_id):
        assert states(made.attempt) == ["resuming", "resuming"]
        assert judging.may_run(made.attempt)
        assert [r.reason for r in resuming.resume(made.attempt.invocation_id, []).refused] == ["it is resuming"] * 2
    assert states(made.attempt) == ["cancelled", "cancelled"]
    assert resuming.resume(made.attempt.invocation_id, [TASKS[0]]).resumed == (TASKS[0],)
    last, left = ledger.resumes(made.attempt.invocation_id)[:2]
    assert (last.outcome, left.number, left.outcome) == ("launched", number, "unknown")


def test_a_ledger_that_fills_up_during_a_resume_loses_no_run(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk between two writes of one call cannot be made here; a refusal of the second write stands for it."""

    def full(*_: object, **__: object) -> None:
        raise StorageError("The ledger cannot be used: database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "finish_resume", full)
        done = resuming.resume(made.attempt.invocation_id, [TASKS[0]])
    assert (done.resumed, "could not note" in " ".join(done.warnings)) == ((TASKS[0],), True)
    with monkeypatch.context() as patch:
        cancelling.cancel(made.attempt.invocation_id, [])
        patch.setattr(ledger, "add_resume", full)
        before = starts(made.path, 0)
        with pytest.raises(StorageError):
            resuming.resume(made.attempt.invocation_id, [])
    assert (starts(made.path, 0), states(made.attempt)[0]) == (before, "cancelled")


def test_a_task_whose_state_cannot_be_known_is_refused_with_the_reason(made: Made) -> None:
    record = made.path / TASKS[0] / "logs" / "runner.json"
    text, exit_record = record.read_text(), made.path / TASKS[0] / "logs" / "stage.exit"
    ended = exit_record.read_text()
    try:
        exit_record.unlink()
        record.write_text(text.replace('"host": "', '"host": "elsewhere-'))
        for file in record.parent.iterdir():
            os.utime(file, (1, 1))
        (refusal,) = resuming.resume(made.attempt.invocation_id, [TASKS[0]]).refused
    finally:
        record.write_text(text)
        exit_record.write_text(ended)
    assert "not known" in refusal.reason
    assert "elsewhere-" in refusal.reason


def test_a_run_of_another_machine_or_of_plain_nel_is_refused_with_what_to_do(tmp_path: Path) -> None:
    ledger.add_attempt(ledger.Attempt("ab" * 8, "full", "f", "/c", "process", "/o", host="node7", outcome="launched"))
    with pytest.raises(Refused, match="node7"):
        resuming.resume("ab" * 8, [])
    file = execdb.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {"job_id": "feed" * 4 + ".0", "invocation_id": "feed" * 4, "executor": "local", "data": {}}
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(Refused, match="nel resume feedfeedfeedfeed"):
        resuming.resume("feed" * 4, [])


def test_a_run_whose_directory_was_removed_is_refused(made: Made) -> None:
    away = made.path.with_name("away")
    made.path.rename(away)
    try:
        with pytest.raises(Refused, match="directory was removed"):
            resuming.resume(made.attempt.invocation_id, [])
    finally:
        away.rename(made.attempt.run_dir)
    assert judging.look(made.attempt).state == "cancelled"


def test_a_config_s_own_commands_need_a_person_s_yes_at_a_resume_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment(monkeypatch, tmp_path)
    made_runs.install_harness(tmp_path / "cache")
    with made_runs.models() as server:
        config = made_runs.write_config(tmp_path, server.server_port, tasks=1)
        config.write_text(config.read_text().replace("evaluation:\n", "evaluation:\n  pre_cmd: echo trusted\n"))
        try:
            monkeypatch.setenv("NEMO_EVALUATOR_TRUST_PRE_CMD", "1")
            attempt = made_runs.launch(config)
            cancelling.cancel(attempt.invocation_id, [])
            monkeypatch.delenv("NEMO_EVALUATOR_TRUST_PRE_CMD")
            with pytest.raises(consent.ConsentNeeded, match="commands of its own"):
                resuming.resume(attempt.invocation_id, [])
            assert starts(made_runs.directory(attempt), 0) == 1
            (question,) = trust.questions(plan.read(str(config)))
            with consent.given([question.token]):
                assert resuming.resume(attempt.invocation_id, []).resumed == (TASKS[0],)
            until(lambda: starts(made_runs.directory(attempt), 0) == 2)
        finally:
            made_runs.end_everything(tmp_path)


def test_a_cancelled_canary_has_not_passed_and_is_judged_again_after_its_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment(monkeypatch, tmp_path)
    made_runs.install_harness(tmp_path / "cache")
    with made_runs.models() as server:
        try:
            attempt = made_runs.launch(made_runs.write_config(tmp_path, server.server_port, tasks=1), "canary", 2)
            assert cancelling.cancel(attempt.invocation_id, []).cancelled == (TASKS[0],)
            gate = judging.judge(attempt)
            assert gate is not None
            assert not gate.passed
            assert "cancelled through quantgate" in " ".join(gate.reasons)
            assert resuming.resume(attempt.invocation_id, []).resumed == (TASKS[0],)
            assert judging.judge(attempt) is None
            (made_runs.directory(attempt) / "finish").touch()
            until(lambda: states(attempt) == ["succeeded"])
            gate = judging.judge(attempt)
        finally:
            made_runs.end_everything(tmp_path)
    assert gate is not None
    # The harness of this test answers nothing, which is another reason than before.
    assert not gate.passed
    assert "cancelled through quantgate" not in " ".join(gate.reasons)


@pytest.mark.parametrize(
    ("changes", "call"),
    [
        ({"kind": "full"}, "run(config='/c/eval.yaml')"),
        (
            {"kind": "subset", "tasks": ("a.b",), "sample_limit": 50},
            "run(config='/c/eval.yaml', tasks=['a.b'], max_samples=50)",
        ),
        ({"kind": "canary", "sample_limit": 10}, "canary(config='/c/eval.yaml', samples=10, again=true)"),
    ],
)
def test_a_new_start_of_a_subset_is_that_subset(changes: dict[str, Any], call: str) -> None:
    made = ledger.Attempt(
        **{"invocation_id": "0" * 16, "fingerprint": "f", "executor": "process", **changes},
        config="/c/eval.yaml",
        output_dir="/o",
    )
    assert relaunch.new_run(made) == call
