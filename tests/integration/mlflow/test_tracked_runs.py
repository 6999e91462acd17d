"""`mlflow:RUN_ID` in the tools, against a real MLflow server that got its runs from NEL's exporter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput, Refused, TrackingUnreachable, UnknownName
from quantgate.gates.traces import lookup
from quantgate.runs.exports import records, tracked
from quantgate.tools.cancel import cancel
from quantgate.tools.compare_runs import compare_runs
from quantgate.tools.resume import resume
from quantgate.tools.status import status
from quantgate.tools.verify_run import VerifyRunResult, verify_run

from .conftest import install_harness, write_config
from .test_export import EVERYTHING, exported, launch

pytestmark = pytest.mark.network


def _checks(result: VerifyRunResult) -> dict[str, tuple[bool, str]]:
    (task,) = result.tasks
    return {check.name: (check.ok, check.detail) for check in task.checks}


@pytest.fixture(scope="module")
def whole(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The address of a run that was exported whole, a subset of twenty samples; and its directory. Made once."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTGATE_HOME", str(folder / "home"))
        patch.setenv("NEMO_EVALUATOR_EXEC_DB_FILE", str(folder / "home" / "exec-db" / "exec.v1.jsonl"))
        install_harness(folder / "cache", patch)
        settings = {"tracking_uri": mlflow_server, "experiment_name": "whole"}
        config = write_config(folder, ["mlflow"], mlflow={**settings, **EVERYTHING})
        run = launch(config, kind="subset", limit=20)
    (address,) = records.addresses(run)
    return address, run.path


@pytest.fixture
def everything(whole: tuple[str, Path], client: Any) -> tuple[str, Path]:
    """`whole`, with MLFLOW_TRACKING_URI set for the test."""
    return whole


def test_a_whole_export_is_judged_as_the_run_itself(everything: tuple[str, Path]) -> None:
    address, directory = everything
    here, there = verify_run(str(directory)), verify_run(address)
    assert there.verdict == here.verdict == "valid"
    assert there.tasks[0].score == here.tasks[0].score
    assert there.tasks[0].samples_scored == 20
    assert (there.subset, there.tasks[0].task) == (here.subset, "ifbench.ifbench.0")
    assert {name: ok for name, (ok, _) in _checks(here).items()} == {
        name: ok for name, (ok, _) in _checks(there).items()
    }
    assert any(warning.startswith(f"Read from {address}") for warning in there.warnings)
    assert "tags on the tracking server" in _checks(there)["gates"][1]


def test_what_was_not_exported_is_named_and_makes_the_run_incomplete(
    client: Any, mlflow_server: str, real_files: None, make_config: Callable[..., Path]
) -> None:
    settings = {"tracking_uri": mlflow_server, "experiment_name": "little"}
    run = launch(make_config(["mlflow"], mlflow=settings), kind="subset", limit=20)
    result = verify_run(f"mlflow:{exported(client, run, 'little').info.run_id}")
    checks = _checks(result)
    assert result.verdict == "incomplete"
    assert result.tasks[0].score.metric == ""
    assert checks["finished"] == (
        True,
        "succeeded: no exit record was exported; results.yml is written when an evaluation has ended",
    )
    assert not checks["samples_readable"][0]
    assert not checks["log_scan"][0]
    (lacks,) = [warning for warning in result.warnings if warning.startswith("Not exported")]
    assert "copy_logs: true" in lacks
    assert "only_required: false" in lacks


def test_an_unchanged_run_is_not_downloaded_twice_and_a_changed_one_is(
    client: Any, everything: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    address, _ = everything
    first, again = tracked.tracked(address), tracked.tracked(address)
    assert first.exported.fetched > 5
    assert again.exported.fetched == 0
    new = tmp_path / "added.log"
    new.write_text("all is well\n")
    client.log_artifact(first.exported.run_id, str(new), "ifbench.ifbench/logs")
    client.set_terminated(first.exported.run_id, end_time=4_000_000_000_000)
    changed = tracked.tracked(address)
    assert changed.exported.fetched > 0
    assert (changed.run.tasks[0].logs / "added.log").read_text() == "all is well\n"
    assert not (first.run.tasks[0].logs / "added.log").exists(), "a copy was changed while it may be read"


def test_a_run_whose_export_did_not_finish_is_not_called_finished(
    client: Any, mlflow_server: str, real_files: None, make_config: Callable[..., Path]
) -> None:
    settings = {"tracking_uri": mlflow_server, "experiment_name": "broken off"}
    run = launch(make_config(["mlflow"], mlflow=settings))
    run_id = exported(client, run, "broken off").info.run_id
    client.set_terminated(run_id, "FAILED")
    (row,) = status([f"mlflow:{run_id}"]).runs
    assert row.state == "unknown"
    assert "its export to MLflow is FAILED" in row.tasks[0].reason


def test_an_invocation_id_names_the_runs_that_were_exported_from_it(everything: tuple[str, Path]) -> None:
    address, directory = everything
    invocation = directory.name.split("-")[1]
    with pytest.raises(BadInput, match=f"{address} .ifbench"):
        lookup.find(f"mlflow:{invocation}")
    with pytest.raises(BadInput, match="no run of it"):
        lookup.find("mlflow:0123456789abcdef")


def test_status_shows_an_exported_run(everything: tuple[str, Path]) -> None:
    address, _ = everything
    (row,) = status([address]).runs
    assert (row.kind, row.state, row.executor) == ("subset", "succeeded", "process")


def test_an_unknown_run_is_refused_as_unknown(client: Any) -> None:
    with pytest.raises(UnknownName, match="Unknown MLflow run"):
        lookup.find(f"mlflow:{'0' * 32}")


def test_a_server_that_does_not_answer_says_nothing_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:a-secret-password@127.0.0.1:9")
    with pytest.raises(TrackingUnreachable, match="nothing is known") as refusal:
        lookup.find(f"mlflow:{'0' * 32}")
    assert "a-secret-password" not in str(refusal.value)


def test_a_run_is_compared_with_its_own_export_question_by_question(everything: tuple[str, Path]) -> None:
    address, directory = everything
    result = compare_runs(baseline=str(directory), candidate=address, margin=0.01)
    (row,) = result.tasks
    assert (row.questions, row.delta, row.flips.lost, row.flips.gained) == (20, 0, 0, 0)
    assert result.verdict == "ANOMALOUS", "a run is no proof of itself"
    assert "copies of run" in result.reasons[0]
    assert any(f"Read from {address}" in warning for warning in result.warnings)


def test_what_is_on_a_tracking_server_is_not_resumed_or_cancelled(everything: tuple[str, Path]) -> None:
    address, _ = everything
    for verb in (resume, cancel):
        with pytest.raises(Refused, match="not launched by quantgate"):
            verb(address)
