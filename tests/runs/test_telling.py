"""What the logs of a failed task say first."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.runs.logs import log_files, read_tail
from quantgate.runs.rundir import TaskDir
from quantgate.runs.telling import MOST_BYTES, telling_lines

from .building import empty_task, real_copy

KEY = "nvapi-" + "k" * 40
TRACE = 'Traceback (most recent call last):\n  File "/opt/harness/run.py", line 12, in main\n    ask(prompt)\n{error}\n'


@pytest.fixture
def task(tmp_path: Path) -> TaskDir:
    return empty_task(tmp_path)


def _write(task: TaskDir, text: str, name: str = "client_stdout.log") -> None:
    (task.logs / name).write_text(text)


def test_the_last_traceback_is_told_whole_and_nothing_around_it(task: TaskDir) -> None:
    first, last = TRACE.format(error="ValueError: an early one"), TRACE.format(error="KeyError: 'choices'")
    _write(task, f"begin\n{first}" + "quiet line\n" * 20 + last + "shutting down\n" * 60)
    (told,) = telling_lines(task)
    assert told.text == last
    assert told.file == "client_stdout.log"


def test_a_chain_of_tracebacks_is_told_together(task: TaskDir) -> None:
    chain = (
        TRACE.format(error="ConnectionRefusedError: [Errno 111]")
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + TRACE.format(error="RuntimeError: gave up")
    )
    _write(task, "start\n" + chain)
    (told,) = telling_lines(task)
    assert told.text == chain


def test_without_a_traceback_the_first_fatal_line_is_told_with_its_neighbours(task: TaskDir) -> None:
    _write(
        task, "".join(f"line {i}\n" for i in range(50)) + "torch.OutOfMemoryError: CUDA out of memory.\n" + "end\n" * 50
    )
    (told,) = telling_lines(task)
    assert told.text == "line 48\nline 49\ntorch.OutOfMemoryError: CUDA out of memory.\nend\nend\n"


def test_both_sides_are_told_when_the_server_fell(task: TaskDir) -> None:
    _write(task, TRACE.format(error="ConnectionRefusedError: [Errno 111]"))
    _write(task, TRACE.format(error="RuntimeError: engine died"), "server_stdout.log")
    assert [t.file for t in telling_lines(task)] == ["client_stdout.log", "server_stdout.log"]


def test_a_page_before_its_offset_holds_the_lines_and_what_is_above(task: TaskDir) -> None:
    _write(task, "above\n" + TRACE.format(error="KeyError: 'x'") + "below\n" * 5)
    (told,) = telling_lines(task)
    page = read_tail(log_files(task)[0], lines=5, before=told.before).text
    assert page.splitlines()[0] == "above"
    assert page.endswith("KeyError: 'x'\n")


def test_what_is_told_is_redacted_and_bounded(task: TaskDir) -> None:
    _write(task, "z" * 300_000 + "\n" + TRACE.format(error=f"PermissionError: key {KEY} refused {'w' * 100_000}"))
    (told,) = telling_lines(task)
    assert "kkkkkkkk" not in told.text
    assert "PermissionError" in told.text
    assert len(told.text) <= MOST_BYTES


def test_a_healthy_log_tells_nothing(tmp_path: Path) -> None:
    assert telling_lines(real_copy(tmp_path).tasks[0]) == []
