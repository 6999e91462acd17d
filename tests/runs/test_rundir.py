from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from quantgate.errors import BadInput
from quantgate.runs.rundir import RunDir

from .building import NAME, REAL, TASK, empty_task, real_copy


def test_the_name_of_a_run_tells_its_invocation_and_its_start() -> None:
    run = RunDir.find(REAL)
    assert run.invocation_id == "5f3c9a1e7b2d4860"
    assert run.started is not None
    assert run.started.replace(tzinfo=None) == datetime(2026, 11, 21, 9, 54, 53)
    assert [(t.name, t.index, t.directory) for t in run.tasks] == [("ifbench.ifbench", 0, TASK)]


@pytest.mark.parametrize("inside", [TASK, f"{TASK}/artifacts"])
def test_a_task_directory_stands_for_its_run_with_that_task_only(tmp_path: Path, inside: str) -> None:
    run = real_copy(tmp_path)
    empty_task(tmp_path, "gpqa.gpqa_diamond.1")
    found = RunDir.find(run.path / inside)
    assert found.invocation_id == run.invocation_id
    assert [t.directory for t in found.tasks] == [TASK]


def test_tasks_come_in_the_order_of_the_config(tmp_path: Path) -> None:
    for name in ("b.10", "c.9", "a.2"):
        empty_task(tmp_path, name)
    assert [t.index for t in RunDir.find(tmp_path / NAME).tasks] == [2, 9, 10]


def test_the_output_of_nemo_evaluator_without_a_launcher_is_one_task_without_an_index(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "results.yml").write_text("results: {}\n")
    run = RunDir.find(tmp_path / "out")
    assert run.invocation_id == ""
    assert [(t.index, t.artifacts) for t in run.tasks] == [(None, tmp_path / "out")]


def test_a_run_that_has_no_task_yet_is_a_run(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    assert RunDir.find(tmp_path / NAME).tasks == ()


def test_a_renamed_copy_of_a_run_is_still_read(tmp_path: Path) -> None:
    real_copy(tmp_path).path.rename(tmp_path / "from-a-colleague")
    run = RunDir.find(tmp_path / "from-a-colleague")
    assert (run.invocation_id, len(run.tasks)) == ("", 1)


@pytest.mark.parametrize("what", ["missing", "file", "other"])
def test_what_is_not_a_run_is_refused_with_a_fix(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "file":
        path.write_text("x")
    elif what == "other":
        (path / "docs.1").mkdir(parents=True)
    with pytest.raises(BadInput, match="Fix:"):
        RunDir.find(path)


def test_two_tasks_of_one_name_are_not_confused(tmp_path: Path) -> None:
    empty_task(tmp_path, "ifbench.ifbench.0")
    empty_task(tmp_path, "ifbench.ifbench.1")
    run = RunDir.find(tmp_path / NAME)
    assert run.task("ifbench.ifbench") is None
    second = run.task("ifbench.ifbench.1")
    assert second is not None
    assert second.index == 1


@pytest.mark.parametrize(
    ("file", "text", "launcher"),
    [
        ("run.sh", "docker run --rm image\n", "docker"),
        ("run.sub", "#!/bin/bash\n", "slurm"),
        (".slurm_job_id.list", "123\n", "slurm"),
        ("command.sh", "nemo-evaluator run_eval\n", "process"),
        ("logs/runner.json", "{}", "process"),
    ],
)
def test_the_files_of_a_task_tell_what_started_it(tmp_path: Path, file: str, text: str, launcher: str) -> None:
    task = empty_task(tmp_path)
    (task.path / file).write_text(text)
    assert task.launcher() == launcher
