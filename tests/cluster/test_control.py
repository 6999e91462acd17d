"""The script that ends and resubmits jobs, run by the real shell here.

The scheduler's programs are stand-ins that log their calls; `squeue` shows what a test wrote, less what `scancel` ended.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from quantgate.cluster import control, exchange
from quantgate.errors import BadInput, ClusterError, Refused, Unreachable

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
        self.shell = ["sh"]
        self.given: dict[str, str] = {}
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
        env = {"PATH": f"{self.stubs}:{os.environ['PATH']}", "STUBS": str(self.stubs), **self.given}
        argv = [*self.shell, *argv[1:]]
        done = subprocess.run(argv, input=stdin, capture_output=True, env=env, timeout=seconds, check=False)
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


def test_only_a_task_s_own_logs_and_script_make_a_job_one_of_the_run(host: Host, root: Path) -> None:
    for folder in ("notes", "v1.x"):
        (root / folder / "logs").mkdir(parents=True)
        (root / folder / ".slurm_job_id.list").write_text("3\n4\n", "utf-8")
    # A script of another place names that as its task's directory, through a link into this run.
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "ifeval.0").symlink_to(root / "ifeval.0")
    (root / "ifeval.0" / "run.sub").write_text(f'TASK_DIR="{elsewhere}/ifeval.0"\n', "utf-8")
    host.queue(
        _job("1", "RUNNING", f"{root}/notes/logs/job.out"),
        _job("2", "RUNNING", "/own.log", command=f"{root}/notes/run.sub"),
        _job("3", "RUNNING", f"{root}/v1.x/logs/slurm-%A.log"),
        _job("4", "RUNNING", "/own.log", command=f"{SPOOL} 3"),
        _job("5", "RUNNING", f"{root}/../logs/job.out"),
        _job("6", "RUNNING", f"{elsewhere}/mmlu.1/logs/slurm-%A.log"),
    )
    ended = _cancel(host, root)
    assert (ended.sent, ended.before, host.calls("scancel")) == ((), (), [])


def test_a_directory_of_many_runs_is_refused(host: Host, root: Path) -> None:
    host.queue(_job("1", "RUNNING", f"{root.parent}/mmlu.1/logs/slurm-%A.log"))
    for place in (root.parent, root / "ifeval.0", root.with_name("20251121_120000-"), Path("/")):
        with pytest.raises(Refused, match="not the directory of one run"):
            _cancel(host, place, stamp=STAMP)
    assert not (host.stubs / "log").exists()


def test_without_a_directory_the_stamp_alone_makes_a_job_one_of_the_run(host: Host, root: Path) -> None:
    host.queue(
        _job("1", "RUNNING", f"{root}/ifeval.0/logs/slurm-%A.log", comment=STAMP),
        _job("2", "RUNNING", f"{root}/mmlu.1/logs/slurm-%A.log"),
        _job("3", "RUNNING", "/dev/null", command="/mmlu.1/run.sub"),
    )
    ended = control.cancel(host, "", stamp=STAMP)  # type: ignore[arg-type]
    assert (ended.sent, ended.cancelled()) == ((("1", "?"),), {"?": ("1",)})
    for none in ("", "two words"):
        with pytest.raises(BadInput, match="Neither a directory nor a stamp"):
            control.cancel(host, "", stamp=none)  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"]], ids=["dash", "bash"])
@pytest.mark.parametrize(
    "text", ["x[$(touch RAN)]", "x[`touch RAN`].1.node", "0899.1.node", "now", "", "9" * 30, "$(touch RAN)", "-1.1.n"]
)
def test_a_lock_that_holds_no_time_is_no_command_and_no_resume_that_goes_on(
    host: Host, root: Path, shell: list[str], text: str
) -> None:
    ran = root / "ran"
    host.shell = shell
    (root / ".quantgate_resume").mkdir()
    (root / ".quantgate_resume" / "owner").write_text(text.replace("RAN", f"'{ran}'"), "utf-8")
    ended = _cancel(host, root)
    assert (ended.after, ended.fault) == ((), "")
    with pytest.raises(ClusterError, match="Another resume"):
        _resubmit(host, root, "ifeval.0")
    assert not ran.exists()


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"]], ids=["dash", "bash"])
def test_a_lock_that_was_left_is_set_aside_where_its_text_cannot_lead(host: Host, root: Path, shell: list[str]) -> None:
    host.shell = shell
    (root / ".quantgate_resume.left.1700000000.").mkdir()
    (root / ".quantgate_resume").mkdir()
    (root / ".quantgate_resume" / "owner").write_text("1700000000./../../moved\n", "utf-8")
    assert _resubmit(host, root, "ifeval.0").queued == (("ifeval.0", "900"),)
    assert not (root.parent / "moved").exists()
    assert (root / ".quantgate_resume.left.1700000000" / "owner").is_file()


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"]], ids=["dash", "bash"])
def test_a_resumed_job_gets_the_environment_of_the_user_and_nothing_of_the_script(
    host: Host, root: Path, shell: list[str]
) -> None:
    host.shell = shell
    (host.stubs / "answer").write_text('env >"$STUBS/env"\n', "utf-8")
    script = (Path(control.__file__).parent / "control.sh").read_text("utf-8")
    set_there = r"(?m)^ *([A-Za-z_]+)=|\bfor ([A-Za-z_]+) in|\bread -r ([a-z_ ]+)|[ (]([a-z_]+)=[$0-9]"
    found = {name for match in re.findall(set_there, script) for name in " ".join(match).split()}
    ours = found - {"OURS", "ours", "BEGIN"} | {"ROOT", "STAMP", "SECONDS_GIVEN", "CDPATH"}
    assert {"name", "job", "code", "limit", "rows", "place", "ROOT", "WHICH"} <= ours

    def seen() -> dict[str, str]:
        host.queue()
        assert _resubmit(host, root, "ifeval.0", stamp=STAMP).queued
        lines = (host.stubs / "env").read_text("utf-8").splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines) if name in ours}

    assert seen() == {}
    host.given = {"LC_ALL": "C.UTF-8", "ROOT": '/opt/it\'s "$(echo mine)" `id`', "STAMP": "", "CDPATH": "/opt"}
    assert seen() == host.given
    host.given = {name: f"of the user's {name}" for name in sorted(ours - {"LC_ALL"})}
    assert seen() == host.given


def test_a_run_that_is_named_through_a_link_is_found_by_the_path_of_its_launch(
    host: Host, root: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(root.parent)
    host.queue(_job("1", "RUNNING", f"{root}/ifeval.0/logs/slurm-%A.log"))
    assert _cancel(host, link / root.name).cancelled() == {"ifeval.0": ("1",)}
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


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        # The queue cannot be looked at afterwards: whatever sbatch said, a job may be in it.
        ("touch \"$STUBS/down\"; echo 'sbatch: error: Unable to contact' >&2; exit 1", "cannot be seen"),
        ('touch "$STUBS/down"; echo 12; exit 1', "cannot be seen"),
        ("exit 143", "no clear answer"),
        ("echo 'sbatch: error: Zero Bytes were transmitted or received' >&2; exit 1", "no clear answer"),
    ],
)
def test_a_submission_that_failed_without_a_refusal_is_uncertain(
    host: Host, root: Path, answer: str, told: str
) -> None:
    (host.stubs / "answer").write_text(answer + "\n", "utf-8")
    done = _resubmit(host, root, "ifeval.0")
    assert (done.queued, done.uncertain) == ((), ("ifeval.0",))
    assert told in done.refused[0][1]


def test_a_refusal_while_the_queue_answers_is_certain(host: Host, root: Path) -> None:
    (host.stubs / "answer").write_text("echo 'sbatch: error: Invalid account' >&2; exit 1\n", "utf-8")
    done = _resubmit(host, root, "ifeval.0")
    assert (done.refused[0][1], done.uncertain) == ("sbatch refused it: sbatch: error: Invalid account", ())


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
