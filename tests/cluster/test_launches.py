"""What a cluster tells of launches, read from recorded answers of `find_launches.sh` and from the script itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from quantgate.cluster import launches

ID, OTHER = "4f0c9d2e11aa22bb", "0123456789abcdef"
SEP = "\x1f"


def _answer(*queue: str, directory: str = "", code: str = "0", more: str = "") -> launches.Launch:
    lines = ["@clock 1000", f"@launch {ID}", "@listed"]
    if directory:
        lines += [f"@directory {directory}", "@changed 990"]
    text = "\n".join([*lines, *([more] if more else []), "@queue", *queue, f"@code {code}", "@end"]) + "\n"
    return launches.parse(text)[ID]


def test_a_job_is_found_by_the_stamp_in_its_comment() -> None:
    rows = [f"812{SEP}nightly quantgate:{ID}{SEP}/var/spool/slurm_script", f"813{SEP}quantgate:{OTHER}{SEP}/x"]
    assert _answer(*rows).jobs == ("812",)


def test_a_job_is_found_by_the_path_of_its_script_where_the_cluster_rewrites_comments() -> None:
    found = _answer(f"812{SEP}site policy{SEP}/out/20260101_000000-{ID}/task.0/run.sub")
    assert found.jobs == ("812",)


@pytest.mark.parametrize("comment", [f"quantgate:{ID}0", f"xquantgate:{ID}", f"quantgate:{ID[:-1]}", "quantgate:"])
def test_a_comment_that_only_looks_like_the_stamp_is_none(comment: str) -> None:
    assert _answer(f"812{SEP}{comment}{SEP}/somewhere/run.sub").jobs == ()


def test_jobs_that_started_are_found_by_the_list_in_their_directory() -> None:
    found = _answer(directory=f"/out/x-{ID}", more="@ran 7\n@ran 9\n@ran ;rm")
    assert (found.jobs, found.directory, found.age) == (("7", "9"), f"/out/x-{ID}", 10)


def test_a_queue_that_did_not_answer_is_a_problem_and_not_an_empty_one() -> None:
    found = _answer("slurm_load_jobs error: Unable to contact slurm controller", code="1")
    assert not found.queue_answered
    assert "Unable to contact slurm controller" in found.problem


def test_a_name_in_the_queue_cannot_pass_for_the_scripts_own_marks() -> None:
    found = _answer(f"5{SEP}a comment", f"@launch {ID}", "@busy", "@code 3", "x")
    assert not found.submitting
    assert found.queue_answered


def _tell(tmp_path: Path, squeue: str, output: Path) -> launches.Launch:
    """The real script, with a stand-in for squeue."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "squeue").write_text(f"#!/bin/sh\n{squeue}\n", "utf-8")
    (programs / "squeue").chmod(0o755)
    done = subprocess.run(
        ["sh", "-s", "--", ID, str(output)],
        input=launches._SCRIPT.read_bytes(),
        capture_output=True,
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        timeout=30,
        check=True,
    )
    return launches.parse(done.stdout.decode())[ID]


def test_the_script_tells_the_directory_its_age_and_the_jobs_that_started_in_it(tmp_path: Path) -> None:
    task = tmp_path / "out" / f"20260101_000000-{ID}" / "task.0"
    task.mkdir(parents=True)
    (task / ".slurm_job_id.list").write_text("812\n813\n", "utf-8")
    found = _tell(tmp_path, "exit 0", tmp_path / "out")
    assert (found.listed, found.directory, found.jobs) == (True, str(task.parent), ("812", "813"))
    assert found.age is not None
    assert found.age < 30
    assert not found.submitting


def test_the_script_sees_a_submission_that_is_under_way(tmp_path: Path) -> None:
    script = f"{tmp_path}/out/20260101_000000-{ID}/task.0/run.sub"
    slow = subprocess.Popen(["sh", "-c", 'sleep 30; : "$0"', script])
    try:
        assert _tell(tmp_path, "exit 0", tmp_path / "out").submitting
    finally:
        slow.kill()
        slow.wait()


def test_a_file_system_that_is_away_is_not_an_empty_one(tmp_path: Path) -> None:
    assert not _tell(tmp_path, "exit 0", tmp_path / "away" / "out").listed
