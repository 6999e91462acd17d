"""A task's directory that is a link may lead anywhere: it is named and never read. A run that is reached by a link is read."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.cluster.exchange import Done
from quantgate.runs.clusters import remote_logs, remote_scan
from quantgate.runs.clusters.remote import RemoteRun
from quantgate.runs.logs import foreign_links, log_files
from quantgate.runs.rundir import RunDir
from quantgate.runs.scanner import pages, program
from quantgate.runs.scanning import scan

from .building import TASK, empty_task

LINKED = "linked.1"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a log of its own, and a task that leads to somebody else's."""
    task = empty_task(tmp_path)
    (task.logs / "client-77.log").write_text("own\n")
    private = tmp_path / "private"
    (private / "logs").mkdir(parents=True)
    (private / "logs" / "client-99.log").write_text("CUDA out of memory: my secret\n")
    (task.path.parent / LINKED).symlink_to(private)
    return task.path.parent


def _scanned(run: Path) -> dict[str, Any]:
    return program.scan(scan.request([], "", [], "") | {"run": str(run), "task": ""})


def _paged(run: Path, task: str = "") -> dict[str, Any]:
    asked = {"run": str(run), "task": task, "role": "", "file": "", "lines": 5, "before": 0, "most": 9, "alone": False}
    return pages.pages(asked)


def test_the_scan_on_a_cluster_does_not_follow_it(run: Path) -> None:
    answer = _scanned(run)
    assert (answer["files"], answer["outside"], answer["classes"]) == (1, [LINKED], [])
    assert scan.report(answer).verdict == "suspicious"


def test_pages_on_a_cluster_do_not_follow_it(run: Path) -> None:
    answer = _paged(run)
    assert [p["task"] for p in answer["pages"]] == [TASK]
    assert answer["outside"] == [LINKED]
    named = _paged(run, LINKED)
    assert (named["tasks"], named["pages"], named["outside"]) == ([LINKED], [], [LINKED])


class _HereWithoutPython:
    """Stands for the link to a login node that has a shell and no more."""

    host = "login"

    def run(self, argv: list[str], *, stdin: bytes, seconds: float) -> Done:
        if argv[0] == "python3":
            return Done(127, "", "python3: not found")
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=seconds, check=False)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_scan_without_python_does_not_follow_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_scan, "connection", lambda host: _HereWithoutPython())
    report = remote_scan.scan_remote(RemoteRun("login", str(run)))
    assert (report.files, report.outside, report.classes) == (1, (LINKED,), ())
    assert report.verdict == "suspicious"


def test_logs_and_the_scan_on_this_machine_do_not_follow_it(run: Path) -> None:
    task = RunDir.find(run).task(LINKED)
    assert task is not None
    assert (log_files(task), foreign_links(task)) == ([], ["client-99.log"])
    assert scan.scan([task]).outside == (f"{LINKED}/client-99.log",)


def test_a_run_that_is_reached_by_a_link_is_read(run: Path, tmp_path: Path) -> None:
    (run / LINKED).unlink()
    (tmp_path / "elsewhere").mkdir()
    moved = run.rename(tmp_path / "elsewhere" / run.name)
    run.symlink_to(moved)
    assert (_scanned(run)["files"], _scanned(run)["outside"]) == (1, [])
    assert [p["task"] for p in _paged(run)["pages"]] == [TASK]
    assert scan.scan(RunDir.find(run).tasks).verdict == "clean"


class _Files:
    """Stands for SFTP to a login node whose files are here."""

    def listdir_attr(self, path: str) -> list[Any]:
        rows = []
        for entry in Path(path).iterdir():
            seen = entry.lstat()
            rows.append(SimpleNamespace(filename=entry.name, **{n: getattr(seen, n) for n in _OF_A_FILE}))
        return rows

    def lstat(self, path: str) -> Any:
        return Path(path).lstat()

    def open(self, path: str, mode: str) -> Any:
        if path.endswith("closed.log"):
            raise PermissionError(13, "Permission denied")
        file = Path(path).open(mode)  # noqa: SIM115 - closed by whoever opened it
        return closing(
            SimpleNamespace(seek=file.seek, read=file.read, stat=lambda: Path(path).stat(), close=file.close)
        )


_OF_A_FILE = ("st_mode", "st_size", "st_mtime")


class _WithFiles(_HereWithoutPython):
    @contextmanager
    def sftp(self) -> Iterator[Any]:
        yield _Files()


def test_without_python_a_log_that_cannot_be_read_is_named_and_the_others_are_shown(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run / TASK / "logs" / "closed.log").write_text("mode 000\n")
    monkeypatch.setattr(remote_logs, "connection", lambda host: _WithFiles())
    asked = {"task": "", "source": "all", "file": "", "lines": 5, "before": 0, "most": 9}
    read = remote_logs.read_pages(RemoteRun("login", str(run)), **asked)  # type: ignore[arg-type]
    assert [(e.file, e.text) for e in read.entries] == [("client-77.log", "own\n")]
    assert any(f"{TASK}/closed.log: Permission denied" in note for note in read.notes)
