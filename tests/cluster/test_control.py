"""The script that ends and resubmits jobs, run by the real shell here.

The scheduler's programs are stand-ins that log their calls; `squeue` shows what a test wrote, less what `scancel` ended.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from quantgate.cluster import control, exchange
from quantgate.errors import BadInput, ClusterError, Unreachable

SCRIPT = Path(control.__file__).with_name("control.sh")
STAMP = "quantgate:0123456789abcdef"
WIDTHS = (20, 20, 60, 400, 4200, 4200, 4200)
SPOOL = "/var/spool/slurmd/job00007/slurm_script"
PROGRAMS = {
    # The jobs that were to be ended are gone at the next look.
    "squeue": 'echo squeue >>"$STUBS/log"; [ -e "$STUBS/down" ] && { echo "squeue: error: no controller" >&2; exit 1; }\n'
    'grep -v -F -f "$STUBS/ended" "$STUBS/queue" || true',
    "scancel": 'echo "scancel $*" >>"$STUBS/log"\n'
    'for i; do [ -e "$STUBS/deny.$i" ] && { echo "scancel: error: $i: denied" >&2; exit 1; }\n'
    'printf "%-20s\\n" "$i" >>"$STUBS/ended"; done; exit 0',
    "sbatch": 'echo "sbatch $* in $(pwd)" >>"$STUBS/log"; [ -e "$STUBS/answer" ] && . "$STUBS/answer"; echo 900',
}


class Host:
    """Stands for a connection: the command runs on this machine, with the stand-ins first on PATH."""

    host = "login"

    def __init__(self, folder: Path) -> None:
        self.stubs = folder
        for name, text in PROGRAMS.items():
            (folder / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
            (folder / name).chmod(0o755)
        (folder / "ended").write_text("no job\n", "utf-8")
        self.queue()

    def queue(self, *rows: Sequence[str]) -> None:
        """What squeue tells: id, state, reason, dependency, command, output, comment."""
        lines = ["".join(v.ljust(w) for v, w in zip(row, WIDTHS, strict=True)) for row in rows]
        (self.stubs / "queue").write_text("".join(line + "\n" for line in lines), "utf-8")

    def calls(self, program: str) -> list[str]:
        """Calls of one program so far."""
        file = self.stubs / "log"
        return [c for c in file.read_text("utf-8").splitlines() if c.startswith(program)] if file.exists() else []

    def run(self, argv: Sequence[str], *, stdin: bytes, seconds: float, changes: bool) -> exchange.Done:
        """As the real one, for what `control` uses of it."""
        assert changes
        env = {"PATH": f"{self.stubs}:{os.environ['PATH']}", "STUBS": str(self.stubs)}
        done = subprocess.run(list(argv), input=stdin, capture_output=True, env=env, timeout=seconds, check=False)
        return exchange.Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def host(tmp_path: Path) -> Host:
    folder = tmp_path / "stubs"
    folder.mkdir()
    return Host(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "a run" / "20251121_120000-0123456789abcdef"
    (place / "ifeval.0" / "logs").mkdir(parents=True)
    (place / "ifeval.0" / "run.sub").write_text(f'TASK_DIR="{place}/ifeval.0"\n', "utf-8")
    return place


def _job(
    number: str, state: str, output: str, *, command: str = SPOOL, comment: str = "(null)", waits: str = ""
) -> tuple[str, ...]:
    return (number, state, "None", waits or "(null)", command, output, comment)


def _cancel(host: Host, root: Path, *tasks: str, stamp: str = "") -> control.Ended:
    return control.cancel(host, str(root), tasks, stamp=stamp)  # type: ignore[arg-type]


def _resubmit(host: Host, root: Path, *tasks: str, stamp: str = "") -> control.Resubmitted:
    return control.resubmit(host, str(root), tasks, stamp=stamp)  # type: ignore[arg-type]


def test_a_job_is_known_by_its_output_its_script_its_stamp_or_the_job_that_it_follows(host: Host, root: Path) -> None:
    logs = f"{root}/ifeval.0/logs/slurm-%A.log"
    host.queue(
        _job("1", "RUNNING", logs),
        _job("2", "RUNNING", "/elsewhere.log", command=f"{root}/ifeval.0/run.sub"),
        _job("3", "PENDING", "/elsewhere.log", comment=f"mine {STAMP}"),
        _job("4", "PENDING", "/elsewhere.log", command=f"{SPOOL} 2"),
        _job("5", "PENDING", "/elsewhere.log", command=f"{SPOOL} 4"),
    )
    ended = _cancel(host, root, stamp=STAMP)
    assert {job for job, _ in ended.sent} == {"1", "2", "3", "4", "5"}
    assert ended.cancelled() == {"?": ("3",), "ifeval.0": ("4", "5", "1", "2")}
    # What waits is ended before what runs.
    assert host.calls("scancel") == ["scancel 3 4 5", "scancel 1 2"]


def test_jobs_of_others_are_not_ended(host: Host, root: Path) -> None:
    (root / "ifeval.0" / ".slurm_job_id.list").write_text("11\n12\n", "utf-8")
    other = f"{root}x/ifeval.0/logs/slurm-%A.log"
    host.queue(
        _job("9", "RUNNING", f"{root}xy/logs/slurm-%A.log"),
        _job("10", "RUNNING", other, comment=f"{STAMP}0"),
        _job("11", "RUNNING", "/data/another_run/mmlu.0/logs/slurm-%A.log"),
        _job("12", "RUNNING", "/data/another_run/mmlu.0/logs/slurm-%A.log", command=f"{SPOOL} 11"),
        _job("13", "RUNNING", f"{root}/notes/job.out", command=f"{root}/notes/train.sh"),
        _job("14", "PENDING", "/own.log", command=f"{root}/ifeval.0/run.sub.bak", waits="afternotok:11(unfulfilled)"),
    )
    ended = _cancel(host, root, stamp=STAMP)
    assert (ended.sent, ended.before, host.calls("scancel")) == ((), (), [])


def test_a_run_that_is_named_through_a_link_is_found_by_the_path_of_its_launch(
    host: Host, root: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    host.queue(_job("1", "RUNNING", f"{root}/ifeval.0/logs/slurm-%A.log"))
    assert _cancel(host, link).cancelled() == {"ifeval.0": ("1",)}
    assert (root / "ifeval.0" / "logs" / "stage.cancelled").read_text("utf-8").startswith("1 ")


def test_what_the_scheduler_will_not_end_is_told_in_its_words_and_not_claimed(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "CANCEL_SECONDS", 1)
    logs = f"{root}/ifeval.0/logs/slurm-%A.log"
    host.queue(_job("1", "RUNNING", logs), _job("2", "RUNNING", f"{root}/mmlu.1/logs/slurm-%A.log"))
    (host.stubs / "deny.1").touch()
    ended = _cancel(host, root)
    assert [str(j) for j in ended.left()] == ["job 1 is RUNNING"]
    assert ended.refused == ("scancel: error: 1: denied",)
    assert ended.cancelled() == {"mmlu.1": ("2",)}
    assert not (root / "ifeval.0" / "logs" / "stage.cancelled").exists()


def test_a_job_that_ended_by_itself_was_not_cancelled(host: Host, root: Path) -> None:
    logs = f"{root}/ifeval.0/logs/slurm-%A.log"
    host.queue(_job("1", "RUNNING", logs))
    completed = "".join(v.ljust(w) for v, w in zip(_job("1", "COMPLETED", logs), WIDTHS, strict=True))
    (host.stubs / "scancel").write_text(f"#!/bin/sh\nprintf '%s\\n' '{completed}' >\"$STUBS/queue\"\n", "utf-8")
    ended = _cancel(host, root)
    assert (ended.sent, ended.cancelled(), ended.left()) == ((("1", "ifeval.0"),), {}, ())
    assert not (root / "ifeval.0" / "logs" / "stage.cancelled").exists()


def test_a_queue_that_does_not_answer_stops_everything(host: Host, root: Path) -> None:
    (host.stubs / "down").touch()
    ended = _cancel(host, root)
    assert (ended.fault, ended.after, ended.sent) == ("squeue: squeue: error: no controller", None, ())
    with pytest.raises(ClusterError, match="nothing was submitted: squeue: squeue: error: no controller"):
        _resubmit(host, root, "ifeval.0")
    assert host.calls("scancel") + host.calls("sbatch") == []
    assert not (root / ".quantgate_resume").exists()


def test_the_script_does_nothing_before_all_of_it_has_arrived(host: Host, root: Path) -> None:
    host.queue(_job("1", "RUNNING", f"{root}/ifeval.0/logs/slurm-%A.log"))
    whole = SCRIPT.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == 10][:-1]
    for verb in ("cancel", "resume"):
        for end in ends[::6] + ends[-12:]:
            host.run(
                ["sh", "-s", "--", verb, "5", "-", str(root), "ifeval.0"], stdin=whole[:end], seconds=10, changes=True
            )
    assert not (host.stubs / "log").exists()
    assert sorted(p.name for p in root.iterdir()) == ["ifeval.0"]


def test_a_submission_without_an_answer_is_looked_for_in_the_queue(host: Host, root: Path) -> None:
    answer = host.stubs / "answer"
    row = "".join(
        v.ljust(w) for v, w in zip(_job("77", "PENDING", f"{root}/ifeval.0/logs/slurm-%A.log"), WIDTHS, strict=True)
    )
    answer.write_text(
        f"printf '%s\\n' '{row}' >\"$STUBS/queue\"; echo 'sbatch: error: timed out' >&2; exit 1\n", "utf-8"
    )
    assert _resubmit(host, root, "ifeval.0").queued == (("ifeval.0", "77"),)
    host.queue()
    answer.write_text("exit 124\n", "utf-8")
    told = _resubmit(host, root, "ifeval.0")
    assert (told.queued, told.uncertain) == ((), ("ifeval.0",))
    assert "no clear answer" in told.refused[0][1]


def test_the_id_of_a_job_is_found_among_what_a_site_lets_sbatch_say(host: Host, root: Path) -> None:
    (host.stubs / "answer").write_text("echo 'NOTE: 3 projects'; echo '812;alpha'; exit 0\n", "utf-8")
    assert _resubmit(host, root, "ifeval.0").queued == (("ifeval.0", "812"),)
    assert host.calls("sbatch") == [f"sbatch --parsable run.sub in {root}/ifeval.0"]
    assert (root / "ifeval.0" / ".slurm_job_id.list").read_text("utf-8") == "812\n"


def test_names_and_paths_that_a_program_could_misread_are_not_sent(host: Host, root: Path) -> None:
    for place, task in ((str(root), "-x"), (str(root), "a\nb"), ("-rf", "ifeval.0"), ("", "ifeval.0")):
        with pytest.raises(BadInput):
            control.resubmit(host, place, [task])  # type: ignore[arg-type]
    assert not (host.stubs / "log").exists()


def test_a_run_that_is_gone_or_cannot_be_written_is_told(host: Host, root: Path) -> None:
    with pytest.raises(ClusterError, match="is gone"):
        _resubmit(host, root.with_name("absent"), "ifeval.0")
    with pytest.raises(ClusterError, match="cannot be seen"):
        _resubmit(host, root / "no" / "where", "ifeval.0")


def test_an_answer_that_breaks_off_is_none(host: Host, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Host.run

    def cut(self: Host, argv: Sequence[str], **options: object) -> exchange.Done:
        done = real(self, argv, **options)  # type: ignore[arg-type]
        return exchange.Done(done.code, done.out[:-6], done.err)

    monkeypatch.setattr(Host, "run", cut)
    with pytest.raises(Unreachable, match="in the middle of its answer"):
        _cancel(host, root)
