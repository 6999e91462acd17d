"""What an export takes along, and what it needs: each rule beside a config that it must leave alone."""

from pathlib import Path
from typing import Any

import pytest

from quantgate.evalconfig.lint import check

from .corpus import ENVIRONMENT
from .corpus.case import drop, example, put
from .made import PROCESS, write

MOE = example("nvfp4_moe_mlflow_slurm")
TAU2 = put(MOE, "evaluation.tasks[0].name", "tau2_bench.tau2_bench_telecom")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def _found(tmp_path: Path, text: str, rule: str) -> list[str]:
    return [finding.path for finding in check(write(tmp_path, text)).findings if finding.rule == rule]


def _process(destination: str, settings: dict[str, Any]) -> str:
    config = put(PROCESS, "execution.auto_export", {"destinations": [destination]})
    return put(config, "export", {destination: settings})


def test_a_process_run_may_export(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    settings = {"tracking_uri": "http://mlflow.internal:5000", "experiment_name": "e", "only_required": False}
    report = check(write(tmp_path, _process("mlflow", settings)))
    assert [finding for finding in report.findings if finding.path.startswith(("export", "execution.auto"))] == []


def test_a_package_that_is_missing_stops_a_process_run_and_no_other(tmp_path: Path) -> None:
    assert _found(tmp_path, _process("gsheets", {"spreadsheet_name": "s"}), "P40") == ["export.gsheets"]
    sheets = put(
        put(MOE, "execution.auto_export.destinations", ["gsheets"]), "export", {"gsheets": {"spreadsheet_name": "s"}}
    )
    assert _found(tmp_path, sheets, "P40") == []


def test_an_export_without_samples_is_worth_a_note(tmp_path: Path) -> None:
    assert _found(tmp_path, MOE, "P41") == []
    assert _found(tmp_path, put(MOE, "export.mlflow.only_required", True), "P41") == ["export.mlflow"]
    assert _found(tmp_path, drop(MOE, "export.mlflow.only_required"), "P41") == ["export.mlflow"]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"only_required": True}, False),
        ({"copy_artifacts": False}, False),
        ({"exclude_patterns": ["*_user_simulator_*"]}, False),
        ({"exclude_patterns": ["*.html"]}, True),
        ({"exclude_patterns": 5}, True),
    ],
)
def test_the_keys_in_tau2_s_results_are_not_exported(tmp_path: Path, changes: dict[str, Any], found: bool) -> None:
    text = put(TAU2, "export.mlflow", {"experiment_name": "e", "only_required": False, **changes})
    assert bool(_found(tmp_path, text, "P42")) is found


def test_a_process_run_may_export_tau2_whole_for_its_keys_are_masked(tmp_path: Path) -> None:
    settings = {"tracking_uri": "http://h", "experiment_name": "e", "only_required": False}
    text = put(_process("mlflow", settings), "evaluation.tasks[0].name", "tau2_bench.tau2_bench_telecom")
    assert _found(tmp_path, text, "P42") == []


def test_other_tasks_may_be_exported_whole(tmp_path: Path) -> None:
    assert _found(tmp_path, MOE, "P42") == []


def test_a_filter_of_metrics_is_read_in_a_process_run_only(tmp_path: Path) -> None:
    assert _found(tmp_path, put(MOE, "export.mlflow.log_metrics", ["accuracy"]), "P43") == ["export.mlflow.log_metrics"]
    settings = {"tracking_uri": "http://h", "experiment_name": "e", "log_metrics": ["accuracy"]}
    assert _found(tmp_path, _process("mlflow", settings), "P43") == []
