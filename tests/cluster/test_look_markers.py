"""What look.sh says of a run's markers: it lists the directories before it looks, and what it may not see is not absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.cluster import scheduler
from quantgate.cluster.look_directories import Directory

NOBODY = 65534


@pytest.fixture
def task() -> Iterator[Path]:
    """A task's directory that every user can reach."""
    base = Path(tempfile.mkdtemp())  # pytest's own may be closed to others
    base.chmod(0o755)
    place = base / "ifbench.ifbench.0"
    (place / "artifacts").mkdir(parents=True)
    (place / ".slurm_job_id.list").write_text("812\n")
    yield place
    (place / "artifacts").chmod(0o755)
    shutil.rmtree(base)


def _looked(task: Path, extra: Path | None = None) -> Directory:
    """What the script says, run here as a user whom a mode keeps out."""
    search = f"{extra}:{os.environ['PATH']}" if extra else os.environ["PATH"]
    done = subprocess.run(
        ["sh", "-s", "--", "-", str(task)],
        input=scheduler._SCRIPT.read_bytes(),
        capture_output=True,
        check=True,
        cwd="/",
        env={"PATH": search},
        timeout=60,
        **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}),
    )
    return scheduler.parse(done.stdout.decode()).directories[str(task)]


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o711])
def test_artifacts_that_cannot_be_searched_are_not_seen_and_their_jobs_are(task: Path, mode: int) -> None:
    (task / "artifacts" / "results.yml").write_text("x: 1")
    # Of its owner and of others the same: the test may run as either.
    (task / "artifacts").chmod(mode if os.getuid() == 0 else mode & 0o077)
    seen = _looked(task)
    assert (seen.exists, seen.chain) == (None, ("812",))


def test_a_task_without_artifacts_is_seen(task: Path) -> None:
    (task / "artifacts").rmdir()
    seen = _looked(task)
    assert (seen.exists, seen.results) == (True, False)
    (task / "artifacts").mkdir()


def test_results_that_only_a_listing_makes_visible_are_seen(task: Path) -> None:
    tools = task.parent / "bin"
    tools.mkdir()
    # Stands in for a client that learns of new files when a directory is listed.
    (tools / "ls").write_text(
        f'#!/bin/sh\ncase "$*" in *"{task}/artifacts"*) : >"{task}/artifacts/results.yml" ;; esac\n'
    )
    (tools / "ls").chmod(0o755)
    (task / "artifacts").chmod(0o777)
    assert _looked(task, tools).results
