"""Importing an image as a squash file: the script run by the shell here, with programs that stand for Slurm's and for enroot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from quantgate.cluster import squash_import
from quantgate.cluster.connection import Connection
from quantgate.cluster.exchange import Done
from quantgate.cluster.squash_import import Allocation
from quantgate.errors import BadInput, ClusterError, Unreachable

IMAGE, SOURCE = "nvcr.io/nvidia/nemo:25.11", "docker://nvcr.io#nvidia/nemo:25.11"
SBATCH = """#!/bin/bash
# Stands for sbatch: it runs the job at once, with its output where --output says.
echo "$@" >>"$MADE/sbatch.calls"
[ -e "$MADE/refuse" ] && { echo "sbatch: error: Invalid account" >&2; exit 1; }
while [ "${1#--}" != "$1" ]; do case $1 in --output=*) log=${1#--output=} ;; esac; shift; done
export SLURM_JOB_ID=$((4100 + $(wc -l <"$MADE/sbatch.calls")))
[ -e "$MADE/lost" ] || sh "$@" >"$log" 2>&1 </dev/null
echo $SLURM_JOB_ID
"""
ENROOT = """#!/bin/sh
# Stands for enroot: `enroot import --output FILE SOURCE` makes a file.
echo "[INFO] Querying registry for permission grant"
[ -e "$MADE/fail" ] && { echo "[ERROR] Could not process JSON input: 401 Unauthorized"; exit 1; }
echo "$4" >"$3"
"""


class Here:
    """Stands for a connection: it runs the script with the shell of this machine."""

    host = "login"

    def __init__(self, base: Path) -> None:
        self.base = base
        (base / "bin").mkdir()
        self.program("sbatch", SBATCH)
        self.program("enroot", ENROOT)
        self.program("squeue", '#!/bin/sh\ncat "$MADE/state" 2>/dev/null || { echo "Invalid job id" >&2; exit 1; }\n')

    def program(self, name: str, text: str) -> None:
        (self.base / "bin" / name).write_text(text)
        (self.base / "bin" / name).chmod(0o755)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: Any) -> Done:
        env = {"PATH": f"{self.base}/bin:{os.environ['PATH']}", "MADE": str(self.base)}
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=30, env=env)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def calls(self) -> list[str]:
        file = self.base / "sbatch.calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return Here(tmp_path)


def _import(here: Here, *, force: bool = False, allocation: Allocation | None = None) -> squash_import.Import:
    link = cast(Connection, here)
    target = here.base / "jobs" / "nemo.sqsh"
    job = squash_import.begin(link, IMAGE, SOURCE, str(target), allocation or Allocation("team", "batch"), force=force)
    squash_import.wait(link, job, seconds=5, sleep=lambda _: None)
    return job


def test_an_image_becomes_a_file_in_an_allocation_and_is_not_imported_twice(here: Here) -> None:
    first = _import(here)
    assert (here.base / "jobs" / "nemo.sqsh").read_text() == f"{SOURCE}\n"
    assert first.job_id == "4101"
    assert "--account=team --partition=batch" in here.calls()[0]
    assert _import(here).job_id == ""
    assert len(here.calls()) == 1
    assert _import(here, force=True).job_id == "4102"
    assert not list((here.base / "jobs").glob("*.part.*"))


def test_a_file_of_another_image_with_the_same_name_is_not_taken_for_it(here: Here) -> None:
    _import(here)
    (here.base / "jobs" / "nemo.sqsh.image").write_text("docker://nvcr.io#nvidia/nemo_25.11\n")
    assert _import(here).job_id == "4102"
    (here.base / "jobs" / "nemo.sqsh.image").unlink()  # one that a person put there
    assert _import(here).job_id == ""


def test_a_failed_import_names_the_image_shows_the_end_of_its_log_and_leaves_no_file(here: Here) -> None:
    (here.base / "fail").touch()
    with pytest.raises(ClusterError, match="401 Unauthorized") as failed:
        _import(here)
    assert IMAGE in str(failed.value)
    assert {entry.name for entry in (here.base / "jobs").iterdir()} == {
        "nemo.sqsh.import.sh", "nemo.sqsh.import.log", "nemo.sqsh.import.4101",
    }  # fmt: skip
    (here.base / "fail").unlink()
    assert _import(here).job_id == "4102"


def test_a_failed_import_by_force_leaves_the_file_that_was_there(here: Here) -> None:
    _import(here)
    (here.base / "fail").touch()
    with pytest.raises(ClusterError):
        _import(here, force=True)
    assert (here.base / "jobs" / "nemo.sqsh").read_text() == f"{SOURCE}\n"


def test_no_enroot_and_a_refused_job_are_told(here: Here) -> None:
    (here.base / "bin" / "enroot").unlink()
    with pytest.raises(ClusterError, match="there is no enroot on"):
        _import(here)
    (here.base / "refuse").touch()
    with pytest.raises(ClusterError, match="Invalid account"):
        _import(here)


@pytest.mark.parametrize(
    ("state", "says"), [("TIMEOUT", "its job ended as TIMEOUT"), (None, "left no note of its end")]
)
def test_a_job_that_ends_without_a_word_is_a_failure(here: Here, state: str | None, says: str) -> None:
    (here.base / "lost").touch()
    if state:
        (here.base / "state").write_text(state)
    with pytest.raises(ClusterError, match=says):
        _import(here)


def test_an_import_that_takes_too_long_goes_on(here: Here) -> None:
    (here.base / "lost").touch()
    (here.base / "state").write_text("PENDING\n")
    link, told = cast(Connection, here), list[str]()
    job = squash_import.begin(link, IMAGE, SOURCE, str(here.base / "x.sqsh"), Allocation())
    with pytest.raises(Unreachable, match="job 4101 is PENDING"):
        squash_import.wait(link, job, seconds=0, sleep=lambda _: None, told=told.append)
    assert told == [f"importing {IMAGE}: job 4101 is PENDING"]


@pytest.mark.parametrize(
    "allocation", [Allocation("$(id)"), Allocation(partition="--x"), Allocation(time="1h"), Allocation("a b")]
)
def test_what_slurm_has_no_word_for_is_not_sent(here: Here, allocation: Allocation) -> None:
    with pytest.raises(BadInput, match="of Slurm"):
        _import(here, allocation=allocation)
    assert here.calls() == []


def _begun(here: Here) -> squash_import.Import:
    target = str(here.base / "jobs" / "nemo.sqsh")
    return squash_import.begin(cast(Connection, here), IMAGE, SOURCE, target, Allocation(), force=True)


def test_the_end_of_an_import_can_be_looked_at_twice(here: Here) -> None:
    job = _begun(here)
    for _ in range(2):  # the first answer may be lost on its way
        squash_import.wait(cast(Connection, here), job, seconds=0, sleep=lambda _: None)


def test_a_lost_note_does_not_make_a_failure_of_a_file_that_the_job_made(here: Here) -> None:
    target = here.base / "jobs" / "nemo.sqsh"
    job = _begun(here)
    (target.parent / f"nemo.sqsh.import.{job.job_id}").unlink()
    script = target.parent / "nemo.sqsh.import.sh"
    os.utime(script, (target.stat().st_mtime - 60,) * 2)
    squash_import.wait(cast(Connection, here), job, seconds=0, sleep=lambda _: None)


@pytest.mark.parametrize("older", ["the file is older than the job", "the file is of another image"])
def test_a_lost_note_beside_another_file_is_a_failure(here: Here, older: str) -> None:
    target = here.base / "jobs" / "nemo.sqsh"
    job = _begun(here)
    (target.parent / f"nemo.sqsh.import.{job.job_id}").unlink()
    after = 60 if older == "the file is older than the job" else -60
    os.utime(target.parent / "nemo.sqsh.import.sh", (target.stat().st_mtime + after,) * 2)
    if after < 0:
        (target.parent / "nemo.sqsh.image").write_text("docker://another\n")
    with pytest.raises(ClusterError, match="left no note of its end"):
        squash_import.wait(cast(Connection, here), job, seconds=5, sleep=lambda _: None)


def test_a_file_that_cannot_be_put_in_place_is_not_noted_as_this_image(here: Here) -> None:
    _begun(here)
    (here.base / "jobs" / "nemo.sqsh.image").write_text("docker://older\n")
    here.program("mv", "#!/bin/sh\nexit 1\n")
    with pytest.raises(ClusterError, match="exit code 1"):
        squash_import.wait(cast(Connection, here), _begun(here), seconds=5, sleep=lambda _: None)
    assert (here.base / "jobs" / "nemo.sqsh.image").read_text() == "docker://older\n"
