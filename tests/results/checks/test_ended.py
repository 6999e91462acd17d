from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.launcher.markers import INTERRUPTED_MARKER, SERVER_ERROR_MARKER
from quantgate.results.checks import ended
from quantgate.runs.rundir import RunDir
from quantgate.runs.status import State, TaskStatus

from ...runs.building import real_copy
from .test_answers import kind


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return real_copy(tmp_path)


@pytest.mark.parametrize(
    "state", ["pending", "running", "resuming", "failed", "cancelled", "interrupted", "unreachable", "unknown"]
)
def test_only_success_is_an_end_that_a_result_may_come_from(state: State) -> None:
    found = ended.finished(TaskStatus("t", state, "because", None, None, None))
    assert (kind(found), found.detail) == ("incomplete", f"{state}: because")
    assert kind(ended.finished(TaskStatus("t", "succeeded", "", None, None, None))) == "ok"


@pytest.mark.parametrize("marker", [INTERRUPTED_MARKER, SERVER_ERROR_MARKER])
def test_a_marker_of_an_early_end_counts_although_the_exit_code_is_zero(run: RunDir, marker: str) -> None:
    assert kind(ended.not_interrupted(run.tasks[0])) == "ok"
    (run.tasks[0].artifacts / marker).touch()
    found = ended.not_interrupted(run.tasks[0])
    assert (kind(found), found.detail) == ("incomplete", f"{marker} is there")
