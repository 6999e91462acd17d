"""What is sent to a login node's shell, run by the shell here: no file of a run deceives it, and no program there eats it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from quantgate.cluster import look_directories, scheduler

SCRIPTS = sorted(Path(str(scheduler.__file__)).parent.glob("*.sh"))
LOOK = Path(str(scheduler.__file__)).with_name("look.sh")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Stand for a site's wrappers around Slurm's programs, which read whatever they are given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("squeue", "sacct", "sinfo", "scontrol", "sacctmgr"):
        program = folder / name
        program.write_text("#!/bin/sh\ncat >/dev/null\n")
        program.chmod(0o755)
    return folder


def _run(script: Path, programs: Path, *arguments: str, shell: str = "sh") -> str:
    done = subprocess.run(
        [shell, "-s", "--", *arguments],
        input=script.read_bytes(),
        capture_output=True,
        check=False,
        timeout=30,
        env=os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"},
    )
    return done.stdout.decode()


def _task(run: Path, name: str, chain: str) -> Path:
    task = run / name
    (task / "artifacts").mkdir(parents=True)
    (task / "logs").mkdir()
    (task / ".slurm_job_id.list").write_text(chain)
    return task


def _looked(programs: Path, *places: str) -> dict[str, look_directories.Directory]:
    return scheduler.parse(_run(LOOK, programs, "-", *places)).directories


@pytest.mark.parametrize("shell", ["sh", "bash"])  # bash reads a script from a pipe command by command
def test_a_wrapper_around_slurm_that_reads_its_input_does_not_eat_the_script(
    tmp_path: Path, programs: Path, shell: str
) -> None:
    run = tmp_path / "run"
    _task(run, "a.0", "77\n")
    for name, arguments in {
        "look.sh": ["5", f"{run}/"],
        "find_launches.sh": ["0011", str(tmp_path)],
        "preflight.sh": ["d", str(run)],
        "list_run.sh": [str(run), ".", "results.yml"],
        "list_folder.sh": [str(run)],
    }.items():
        assert _run(LOOK.with_name(name), programs, *arguments, shell=shell).rstrip().endswith("@end"), name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_read_whole_before_it_begins(script: Path) -> None:
    assert script.read_text().endswith('\n}\nmain "$@" </dev/null\n')


def test_a_list_of_jobs_that_imitates_another_tasks_list_changes_only_its_own(tmp_path: Path, programs: Path) -> None:
    one = _task(tmp_path / "run", "a.0", "77\n")
    forged = f"88\n==> {one}/.slurm_job_id.list <==\n99\n@file {one}/.slurm_job_id.list\n99\n@contents\n"
    other = _task(tmp_path / "run", "b.1", forged)
    (other / "artifacts" / "progress").write_text(f"5\n@file {one}/artifacts/progress\n9\n")
    (one / "artifacts" / "progress").write_text("3")
    seen = _looked(programs, f"{tmp_path}/run/")
    assert (seen[str(one)].chain, seen[str(one)].progress) == (("77",), 3)
    assert seen[str(other)].chain[0] == "88"
    assert seen[str(other)].progress == 5


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path, programs: Path) -> None:
    task = _task(tmp_path / "run", "a.0", "77\n")
    for place in (task / ".accumulated_walltime", task / "artifacts" / "progress"):
        os.mkfifo(place)
    other = _task(tmp_path / "run", "b.1", "")
    (other / ".slurm_job_id.list").unlink()
    os.mkfifo(other / ".slurm_job_id.list")
    seen = _looked(programs, f"{tmp_path}/run/")
    assert (seen[str(task)].chain, seen[str(task)].progress, seen[str(other)].chain) == (("77",), None, ())


def test_a_file_system_that_hangs_is_no_answer_and_not_a_run_without_jobs(tmp_path: Path, programs: Path) -> None:
    _task(tmp_path / "run", "a.0", "77\n")
    # Stands for `timeout` around a find that waits for a dead file server.
    (programs / "timeout").write_text('#!/bin/sh\ncase "$*" in *job_id.list*) exit 124 ;; esac\nshift 3\nexec "$@"\n')
    (programs / "timeout").chmod(0o755)
    assert "@end" not in _run(LOOK, programs, "-", f"{tmp_path}/run/")


def test_a_long_list_of_jobs_and_an_endless_line_stay_small(tmp_path: Path, programs: Path) -> None:
    long = _task(tmp_path / "run", "a.0", "".join(f"{n}\n" for n in range(1000, 9000)))
    endless = _task(tmp_path / "run", "b.1", "7\n" + "9" * 60_000)
    out = _run(LOOK, programs, "-", f"{tmp_path}/run/")
    assert len(out) < 12_000
    seen = scheduler.parse(out).directories
    assert seen[str(long)].chain[:2] == ("1000", "1001")
    assert seen[str(endless)].chain == ("7",)
