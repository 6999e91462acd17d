"""`logs` of runs on a cluster, over a real sshd: the right files, by byte offset, redacted, none of them read as a whole."""

from __future__ import annotations

import shutil
import time

import pytest

from quantgate.cluster import connection
from quantgate.cluster.exchange import Done
from quantgate.errors import BadInput, UnknownName
from quantgate.runs.logs import log_files, read_tail
from quantgate.runs.rundir import RunDir
from quantgate.runs.scanner.pages import share
from quantgate.tools.logs import logs

from .cluster import Cluster
from .remote_run import TASK, RemoteLogs, remote_run


@pytest.fixture
def run(reached: Cluster) -> RemoteLogs:
    return remote_run(reached)


@pytest.fixture(params=["python3", "sftp"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With python3 on the login node; and as if it had none, where SFTP is what is left."""
    if request.param == "sftp":
        true_run = connection.Connection.run

        def run(self: connection.Connection, argv: list[str], **options: object) -> Done:
            return true_run(self, ["no-python3-here", *argv[1:]] if argv[0] == "python3" else argv, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(connection.Connection, "run", run)
    return str(request.param)


def _numbered(count: int) -> str:
    return "".join(f"line {n} {'y' * (n % 97)}\n" for n in range(count))


@pytest.mark.usefixtures("way")
class TestPages:
    def test_pages_from_the_end_join_to_the_whole_log_and_are_those_of_a_local_run(self, run: RemoteLogs) -> None:
        file = run.write("client-77.log", _numbered(1500))
        local = log_files(RunDir.find(run.path).tasks[0])[0]
        pages, before = [], 0
        while True:
            (entry,) = logs(run.address, file=file.name, lines=400, before=before).entries
            assert entry.text == read_tail(local, 400, before, share(1)).text
            assert entry.bytes_total == file.stat().st_size
            pages.append(entry.text)
            before = entry.next_before
            if before == 0:
                break
        assert "".join(reversed(pages)) == file.read_text()
        assert len(pages) == 5

    def test_the_newest_jobs_files_come_first_and_every_source_is_named(self, run: RemoteLogs) -> None:
        names = [
            "client-78.log",
            "server-0-78-0.log",
            "server-1-78-0.log",
            "slurm-78.log",
            "proxy-78.log",
            "export-78.log",
        ]
        for name in ["client-77.log", *names]:
            run.write(name, f"{name}\n")
        answer = logs(run.address)
        assert {e.file for e in answer.entries} == set(names)
        assert answer.omitted == 1
        assert {e.file for e in logs(run.address, source="server").entries} == {
            "server-0-78-0.log",
            "server-1-78-0.log",
        }
        (old,) = logs(run.address, file="client-77.log").entries
        assert old.text == "client-77.log\n"

    def test_a_secret_that_the_edge_of_a_page_cuts_is_masked(self, run: RemoteLogs) -> None:
        key = "nvapi-" + "k" * 60
        text = f"begin\nkey={key}\nend\n"
        run.write("client-77.log", text)
        (entry,) = logs(run.address, file="client-77.log", before=text.index("kkkkkkkkkk") + 10).entries
        assert "kkkk" not in entry.text
        assert "kkkk" not in logs(run.address).model_dump_json()

    def test_a_link_out_of_the_run_is_named_and_not_read(self, run: RemoteLogs) -> None:
        private = run.cluster.home / "private.txt"
        private.write_text("not for the eye\n", "utf-8")
        log = run.write("client-77.log", "own\n")
        (log.parent / "server-0-77-0.log").symlink_to(private)
        answer = logs(run.address)
        assert [e.text for e in answer.entries] == ["own\n"]
        assert "server-0-77-0.log leads out of the run's directory" in "".join(answer.warnings)
        with pytest.raises(UnknownName):
            logs(run.address, file="server-0-77-0.log")

    def test_a_directory_of_logs_that_leads_out_of_the_run_holds_none(self, run: RemoteLogs) -> None:
        outside = run.cluster.home / f"outside {run.path.name}"
        outside.mkdir()
        (outside / "client-77.log").write_text("not for the eye\n", "utf-8")
        (run.path / TASK / "logs").rmdir()
        (run.path / TASK / "logs").symlink_to(outside)
        assert "not for the eye" not in logs(run.address).model_dump_json()

    def test_a_task_that_is_a_link_is_named_and_not_read(self, run: RemoteLogs) -> None:
        run.write("client-77.log", "own\n")
        other = remote_run(run.cluster)
        other.write("client-99.log", "not for the eye\n")
        (run.path / "linked.1").symlink_to(other.path / TASK)
        answer = logs(run.address)
        assert [e.text for e in answer.entries] == ["own\n"]
        assert "linked.1 leads out of the run's directory" in "".join(answer.warnings)

    def test_names_that_are_not_there_are_answered_with_those_that_are(self, run: RemoteLogs) -> None:
        run.write("client-77.log", "x\n")
        run.write("slurm-77.log", "x\n")
        with pytest.raises(UnknownName, match=r"client-77\.log"):
            logs(run.address, file="../../private.txt")
        with pytest.raises(UnknownName, match="client, slurm"):
            logs(run.address, source="proxy")
        with pytest.raises(UnknownName, match="absent"):
            logs(run.address, task="absent")
        with pytest.raises(BadInput, match="give `file`"):
            logs(run.address, before=1)
        shutil.rmtree(run.path)
        with pytest.raises(UnknownName, match="removed"):
            logs(run.address)


def test_the_end_of_a_huge_log_is_there_at_once(run: RemoteLogs) -> None:
    path = run.write("client-77.log", "begin\n")
    with path.open("r+b") as file:
        file.seek(10 * 2**30)
        file.write(b"\nlast but one\nlast\n")
    logs(run.address)
    started = time.monotonic()
    (entry,) = logs(run.address, lines=2).entries
    assert time.monotonic() - started < 5
    assert entry.text == "last but one\nlast\n"
    assert entry.bytes_total == path.stat().st_size


def test_all_files_of_all_tasks_come_in_one_round_trip(run: RemoteLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in (TASK, "other.1"):
        for name in ("client-77.log", "slurm-77.log"):
            run.write(name, f"{task} {name}\n", task=task)
    logs(run.address)
    programs: list[str] = []
    true_run = connection.Connection.run

    def counted(self: connection.Connection, argv: list[str], **options: object) -> Done:
        programs.append(argv[0])
        return true_run(self, argv, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(connection.Connection, "run", counted)
    assert len(logs(run.address).entries) == 4
    assert programs.count("python3") == 1
    # The other is the look that says how the run stands.
    assert len(programs) <= 2
