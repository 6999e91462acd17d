from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest

from quantgate.errors import BadInput
from quantgate.runs.logs import LogFile, foreign_links, log_files, read_tail
from quantgate.runs.rundir import TaskDir
from quantgate.runs.scanner.pages import MAX_BYTES

from .building import empty_task, real_copy

KEY = "nvapi-" + "k" * 40


@pytest.fixture
def task(tmp_path: Path) -> TaskDir:
    return empty_task(tmp_path)


def _log(task: TaskDir, content: bytes, name: str = "client_stdout.log") -> LogFile:
    (task.logs / name).write_bytes(content)
    return next(f for f in log_files(task) if f.path.name == name)


def test_each_log_has_its_role_and_stage_files_are_no_logs(task: TaskDir) -> None:
    names = {
        "client_stdout.log": "client",
        "client-77.log": "client",
        "server_stdout.log": "server",
        "server-0-77-1.log": "server",
        "slurm-77.log": "slurm",
        "proxy-77.log": "proxy",
        "export-77.log": "export",
        "install.log": "install",
        "stdout.log": "runner",
    }
    for name in [*names, "stage.exit", "runner.json"]:
        (task.logs / name).write_text("x")
    assert {f.path.name: f.role for f in log_files(task)} == names
    assert log_files(task)[0].role == "client"


def test_the_end_of_a_real_log_is_its_last_lines(tmp_path: Path) -> None:
    file = log_files(real_copy(tmp_path).tasks[0])[0]
    lines = file.path.read_text().splitlines()
    entry = read_tail(file, lines=7)
    assert entry.text.splitlines() == lines[-7:]
    assert entry.bytes_total == file.path.stat().st_size


def test_pages_from_the_end_join_to_the_whole_log(task: TaskDir) -> None:
    content = "".join(f"line {i} {'y' * (i % 97)}\n" for i in range(5000))
    file = _log(task, content.encode())
    pages, before = [], 0
    while True:
        entry = read_tail(file, lines=300, before=before)
        pages.append(entry.text)
        before = entry.next_before
        if before == 0:
            break
    assert "".join(reversed(pages)) == content
    assert len(pages) == 17


def test_a_last_line_without_a_newline_is_a_line(task: TaskDir) -> None:
    assert read_tail(_log(task, b"one\ntwo\nthree"), lines=2).text == "two\nthree"


def test_an_empty_log_is_an_empty_page(task: TaskDir) -> None:
    entry = read_tail(_log(task, b""))
    assert (entry.text, entry.bytes_total, entry.next_before) == ("", 0, 0)


def test_a_line_longer_than_an_answer_comes_in_parts_of_bounded_size(task: TaskDir) -> None:
    content = b"start " + b"z" * 200_000 + b" end"
    file = _log(task, content)
    text, before, answers = "", 0, 0
    while True:
        entry = read_tail(file, before=before)
        assert len(entry.text.encode()) <= MAX_BYTES
        text, before, answers = entry.text + text, entry.next_before, answers + 1
        if before == 0:
            break
    assert text.encode() == content
    assert answers == 4


def test_many_lines_are_capped_by_number_and_by_bytes(task: TaskDir) -> None:
    file = _log(task, b"short\n" * 2000)
    assert len(read_tail(file, lines=100_000).text.splitlines()) == 500
    long = _log(task, (b"w" * 999 + b"\n") * 400, "stdout.log")
    text = read_tail(long, lines=400).text
    assert len(text) <= MAX_BYTES
    assert set(map(len, text.splitlines())) == {999}


def test_a_sparse_ten_gigabyte_log_is_read_from_its_end_only(task: TaskDir) -> None:
    file = _log(task, b"")
    with file.path.open("r+b") as handle:
        handle.seek(10 * 2**30)
        handle.write(b"\nthe last words\n")
    entry = read_tail(file, lines=1)
    assert entry.text == "the last words\n"
    assert entry.next_before == 10 * 2**30 + 1


def test_terminal_escapes_and_hidden_characters_are_taken_out(task: TaskDir) -> None:
    raw = "\x1b[31mred\x1b[0m \x1b]8;;https://x.example\x07link\x1b]8;;\x07 \u202eback\u202c\x00 \x1b[2J\x07end\n".encode()
    assert read_tail(_log(task, raw)).text == "red link back end\n"


def test_a_redrawn_progress_bar_shows_its_last_state(task: TaskDir) -> None:
    assert read_tail(_log(task, b" 10%|#\r 50%|##\r100%|###\nnext\r\n")).text == "100%|###\nnext\n"


def test_bytes_that_are_not_text_are_replaced(task: TaskDir) -> None:
    assert read_tail(_log(task, b"a\xff\xfe\xfdb\n")).text == "a\ufffdb\n"


def test_a_secret_is_masked_also_where_the_edge_of_a_page_cuts_it(task: TaskDir) -> None:
    file = _log(task, f"key {KEY} tail\n".encode() * 3)
    total = file.size
    for before in range(1, total + 1):
        entry = read_tail(file, lines=1, before=before)
        assert "kkkkkkkk" not in entry.text, before


def test_a_private_key_is_masked_on_a_page_that_begins_inside_it(task: TaskDir) -> None:
    body = "\n".join("A1b2" * 16 for _ in range(30))
    file = _log(task, f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nafter\n".encode())
    text = read_tail(file, lines=5).text
    assert "A1b2" not in text
    assert "after" in text


def test_an_offset_beyond_the_file_is_its_end_and_a_negative_one_is_refused(task: TaskDir) -> None:
    file = _log(task, b"one\ntwo\n")
    assert read_tail(file, lines=1, before=10**12).text == "two\n"
    with pytest.raises(BadInput, match="next_before"):
        read_tail(file, before=-1)


@pytest.mark.parametrize("lines", [0, -5])
def test_no_lines_at_all_is_bad_input(task: TaskDir, lines: int) -> None:
    with pytest.raises(BadInput, match="asks for nothing"):
        read_tail(_log(task, b"x\n"), lines=lines)


def test_pages_of_a_log_that_grows_meanwhile_join_without_a_gap(task: TaskDir) -> None:
    file = _log(task, b"".join(b"line %d\n" % i for i in range(100)))
    newest = read_tail(file, lines=40)
    with file.path.open("ab") as handle:
        handle.write(b"later\n" * 1000)
    above = read_tail(file, lines=500, before=newest.next_before)
    assert above.text + newest.text == "".join(f"line {i}\n" for i in range(100))
    assert not above.shrunk


def test_a_log_that_was_replaced_by_a_shorter_one_while_it_was_paged_says_so(task: TaskDir) -> None:
    file = _log(task, b"old line\n" * 1000)
    above = read_tail(file, lines=10).next_before
    fresh = file.path.with_suffix(".new")
    fresh.write_bytes(b"new line\n" * 3)
    fresh.replace(file.path)
    entry = read_tail(file, lines=2, before=above)
    assert (entry.text, entry.shrunk, entry.bytes_total) == ("new line\nnew line\n", True, 27)


def test_a_line_of_a_hundred_megabytes_costs_no_more_than_a_page(task: TaskDir) -> None:
    file = _log(task, b"")
    with file.path.open("wb") as handle:
        for _ in range(100):
            handle.write(b"\x1b[1mab" * ((1 << 20) // 6))
    tracemalloc.start()
    try:
        entry = read_tail(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert entry.bytes_total > 99 << 20
    assert entry.bytes_total - entry.next_before <= MAX_BYTES
    assert peak < 8 << 20


def test_a_character_that_a_page_s_edge_would_divide_stays_whole(task: TaskDir) -> None:
    content = "é漢🦙" * 30_000
    file = _log(task, content.encode())
    text, before = "", 0
    while True:
        entry = read_tail(file, before=before)
        text, before = entry.text + text, entry.next_before
        if before == 0:
            break
    assert text == content


def test_a_known_secret_of_no_known_shape_is_masked_at_every_edge(
    task: TaskDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "correct horse battery staple")
    content = b"".join(b"x" * (i % 7) + b" correct horse battery staple y\n" for i in range(4))
    file = _log(task, content)
    for before in range(1, len(content) + 1):
        for lines in (1, 2):
            text = read_tail(file, lines=lines, before=before).text
            assert not any(word in text for word in ("corre", "orse", "batt", "taple")), (before, lines)


def test_a_secret_in_a_line_longer_than_a_page_is_masked_at_the_cut(task: TaskDir) -> None:
    for shift in range(0, 50, 7):
        file = _log(task, b"a" * 300 + b" " + KEY.encode() + b" " + b"b" * (MAX_BYTES - 20 - shift))
        first = read_tail(file)
        assert first.next_before > 0
        above = read_tail(file, before=first.next_before)
        assert "kkkkkkkk" not in first.text + above.text, shift


def test_a_link_out_of_the_run_is_no_log_and_one_inside_is(task: TaskDir, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere.txt"
    secret.write_text("not for the eye\n")
    _log(task, b"own\n", "client-1.log")
    (task.logs / "client-2.log").symlink_to("client-1.log")
    (task.logs / "client-3.log").symlink_to(secret)
    (task.logs / "client-4.log").symlink_to(task.logs / "nowhere" / ".." / ".." / ".." / ".." / "elsewhere.txt")
    assert [f.path.name for f in log_files(task)] == ["client-2.log", "client-1.log"], "the newest job's first"
    assert foreign_links(task) == ["client-3.log", "client-4.log"]


def test_a_logs_directory_that_leads_out_of_the_run_holds_no_log_of_it(task: TaskDir, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "client_stdout.log").write_text("not for the eye\n")
    task.logs.rmdir()
    task.logs.symlink_to(outside)
    assert log_files(task) == []
    assert foreign_links(task) == ["client_stdout.log"]


def test_a_pipe_in_the_logs_is_never_opened(task: TaskDir) -> None:
    os.mkfifo(task.logs / "client-1.log")
    assert log_files(task) == []


def test_a_log_that_went_away_is_bad_input(task: TaskDir) -> None:
    file = _log(task, b"x")
    file.path.unlink()
    with pytest.raises(BadInput, match="cannot be read"):
        read_tail(file)
