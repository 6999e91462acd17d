"""What look.sh prints is read as it is meant; what cannot be read is not guessed."""

from __future__ import annotations

import pytest

from quantgate.cluster import scheduler
from quantgate.errors import BadInput, Unreachable

S = "\x1f"


def _answer(*lines: str) -> str:
    return "\n".join(["@clock 1000 7 me", *lines, "@end"])


def test_a_queue_that_does_not_answer_is_not_an_empty_queue() -> None:
    seen = scheduler.parse(
        _answer("@accounting", "@code 0", "@queue", "slurm_load_jobs error: Unable to contact", "@code 1")
    )
    assert seen.accounting == {}
    assert seen.queue is None
    assert seen.problems == ("squeue: slurm_load_jobs error: Unable to contact",)


def test_a_time_limit_is_said_as_one() -> None:
    seen = scheduler.parse(_answer("@accounting", "@code 124", "@queue", "@code 0"))
    assert seen.problems == ("sacct: no answer within its time limit",)


def test_who_cancelled_and_which_signal_are_kept() -> None:
    row = S.join(["812", "812", "CANCELLED by 1001", "0:15", "None", "5", "6", "9", "3", "60", "name", "me"])
    job = (scheduler.parse(_answer("@accounting", row, "@code 0", "@queue", "@code 0")).accounting or {})["812"]
    assert (job.state, job.by, job.signal, job.exit_code, job.ended, job.limit) == ("CANCELLED", "1001", 15, 0, 9, 60)


def test_an_array_is_found_by_its_index_and_by_its_raw_id() -> None:
    row = S.join(["9_3", "12", "COMPLETED", "0:0", "", "1", "2", "3", "1", "UNLIMITED", "n", "me"])
    seen = scheduler.parse(_answer("@accounting", row, "@code 0", "@queue", "@code 0")).accounting or {}
    assert set(seen) == {"9_3", "12"}
    assert seen["12"].limit is None


def test_a_waiting_array_keeps_its_id() -> None:
    row = S.join(["6_[1-3]", "PENDING", "Priority", "(null)", "(null)", "N/A", "1", "n", "/run.sub", "me"])
    (job,) = (scheduler.parse(_answer("@accounting", "@code 0", "@queue", row, "@code 0")).queue or {}).values()
    assert (job.job_id, job.state, job.reason, job.started) == ("6", "PENDING", "Priority", None)


def test_a_directory_is_there_gone_or_not_to_be_seen() -> None:
    seen = scheduler.parse(
        _answer(
            "@directory /r/a.0", "@has artifacts/results.yml", "@has run.sub", "@directory /r/b.1", "@absent", "@directory /r/c.2",
            "@unseen", "@chains", "@file /r/a.0/.slurm_job_id.list", "1", "2", "2", " @end", "rm -rf /", "@changes",
            "990.5 /r/a.0/logs/x.log", "991.1 /r/a.0/artifacts/y", "5 /r/a.0/artifacts/deep/y", "@contents",
            "@file /r/a.0/artifacts/progress", "7", "", "@file /r/a.0/.accumulated_walltime", "60", "@said",
            "/r/a.0/logs/slurm-2.log:ERROR: Maximum total walltime (1) exceeded", "@accounting", "@code 0", "@queue", "@code 0",
        )
    )  # fmt: skip
    a, b, c = (seen.directories[p] for p in ("/r/a.0", "/r/b.1", "/r/c.2"))
    assert (a.exists, a.chain, a.results, a.script, a.interrupted) == (True, ("1", "2"), True, True, False)
    assert (a.progress, a.accumulated, a.changed) == (7, 60, 991)
    assert a.said == (("2", "ERROR: Maximum total walltime (1) exceeded"),)
    assert (b.exists, c.exists) == (False, None)


def test_where_the_output_goes_is_kept_and_an_old_squeue_that_cannot_tell_it_is_read_too() -> None:
    new = S.join(
        ["6", "PENDING", "Priority", "(null)", "a b", "N/A", "1", "n", "(null)", "/r/a.0/logs/slurm-%A.log", "me"]
    )
    old = S.join(["7", "RUNNING", "None", "(null)", "(null)", "5", "1", "n", "/r/run.sub", "me"])
    queue = scheduler.parse(_answer("@accounting", "@code 0", "@queue", new, old, "@code 0")).queue or {}
    assert (queue["6"].output, queue["6"].command, queue["6"].comment) == ("/r/a.0/logs/slurm-%A.log", "", "a b")
    assert (queue["7"].output, queue["7"].command, queue["7"].started) == ("", "/r/run.sub", 5)


def test_the_names_of_who_cancelled_are_kept() -> None:
    seen = scheduler.parse(_answer("@accounting", "@code 0", "@users", "alex:1001", "odd", "@queue", "@code 0"))
    assert seen.users == {"1001": "alex"}


@pytest.mark.parametrize("text", ["", "Welcome to the cluster\n@clock 1 2 3\n@end", "@clock x y z\n@end"])
def test_an_answer_that_is_none_is_unreachable(text: str) -> None:
    with pytest.raises(Unreachable):
        scheduler.parse(text)


def test_more_ids_than_fit_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadInput, match="2001 job ids"):
        scheduler.look(None, [], [str(i) for i in range(2001)])  # type: ignore[arg-type]
