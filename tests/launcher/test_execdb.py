"""NEL's record of jobs, as real files: what is broken in it is passed over, in bounded memory, and nothing is read twice."""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from quantgate.launcher import execdb

ID = "0123456789abcdef"


@pytest.fixture
def file() -> Path:
    path = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    path.parent.mkdir(parents=True)
    return path


def _row(invocation_id: str = ID, index: int = 0, **changes: Any) -> str:
    """A record in the order in which NEL 0.2.6 writes its fields."""
    row = {
        "invocation_id": invocation_id,
        "job_id": f"{invocation_id}.{index}",
        "timestamp": 1.5,
        "executor": "local",
        "data": {"output_dir": f"/out/{invocation_id}/t.{index}"},
        "config": {"evaluation": {"tasks": [{"name": "t"}]}},
    }
    return json.dumps({**row, **changes}) + "\n"


def test_jobs_are_found_by_the_beginning_of_their_invocation(file: Path) -> None:
    file.write_text(_row() + _row(index=1) + _row("f" * 16))
    assert list(execdb.jobs("0123")) == [f"{ID}.0", f"{ID}.1"]
    assert execdb.jobs(ID)[f"{ID}.1"] == execdb.Job(f"{ID}.1", ID, "local", f"/out/{ID}/t.1", 1.5)
    assert execdb.jobs("") == {}
    assert [i.invocation_id for i in execdb.invocations()] == [ID, "f" * 16]


def test_the_container_of_a_job_is_read(file: Path) -> None:
    file.write_text(_row(data={"output_dir": "/out/t.0", "container": "client-t-20260102_030405_123456"}))
    assert execdb.jobs(ID)[f"{ID}.0"].container == "client-t-20260102_030405_123456"


def test_no_file_is_no_jobs() -> None:
    assert (execdb.jobs(ID), execdb.invocations()) == ({}, [])


@pytest.mark.parametrize(
    "broken",
    [
        b'{"invocation_id": "0123',
        b"\x00\xff\xfe\x80 binary \x1b[31m",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"invocation_id": 7, "job_id": [], "executor": null}',
        b'{"invocation_id": "", "job_id": "", "executor": ""}',
        b'{"invocation_id": "' + b"a" * 10_000 + b'", "job_id": "x", "executor": "local"}',
        b'{"invocation_id": "0123456789abcdef", "job_id": "0123456789abcdef.9", "executor": "local", "data": [1]}',
        b'"0123456789abcdef"',
        b"null",
        b"",
    ],
)
def test_a_line_that_is_no_record_hides_none_of_the_others(file: Path, broken: bytes) -> None:
    file.write_bytes(_row().encode() + broken + b"\n" + _row(index=1).encode())
    assert list(execdb.jobs(ID)) == [f"{ID}.0", f"{ID}.1"]


def test_the_record_after_half_a_record_is_not_lost(file: Path) -> None:
    """NEL appends; after a crash in the middle of a write the next record stands on the same line."""
    file.write_text(_row()[:80] + _row(index=1) + _row(index=2))
    assert list(execdb.jobs(ID)) == [f"{ID}.1", f"{ID}.2"]
    assert [record["job_id"] for record in execdb.records(ID)] == [f"{ID}.1", f"{ID}.2"]
    assert execdb.config_of(ID) == {"evaluation": {"tasks": [{"name": "t"}]}}


def test_an_id_in_another_field_is_not_an_invocation(file: Path) -> None:
    inside = json.dumps({"invocation_id": ID, "job_id": f"{ID}.0", "executor": "local"})
    file.write_text(_row("f" * 16, config={"note": ID, "text": inside}, data={"output_dir": f"/out/{ID}"}))
    assert execdb.jobs(ID) == {}


def test_random_bytes_are_survived(file: Path) -> None:
    source = random.Random(5)
    for _ in range(20):
        file.write_bytes(source.randbytes(20_000) + b"\n" + _row().encode() + source.randbytes(500))
        assert list(execdb.jobs(ID)) == [f"{ID}.0"]


def test_a_line_of_a_hundred_megabytes_is_passed_over_in_bounded_memory(file: Path) -> None:
    with file.open("wb") as out:
        out.write(_row().encode())
        for _ in range(100):
            out.write(b'{"invocation_id": "0123456789abcdef", ' + b"x" * (1 << 20))
        out.write(b"\n" + _row(index=1).encode())
    tracemalloc.start()
    try:
        assert list(execdb.jobs(ID)) == [f"{ID}.0", f"{ID}.1"]
        assert tracemalloc.get_traced_memory()[1] < 6 * execdb.MAX_LINE
    finally:
        tracemalloc.stop()


def test_what_was_read_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("".join(_row(f"{n:016x}") for n in range(500)))
    assert len(execdb.invocations()) == 500
    seen: list[bytes] = []
    decoded = execdb._decoded
    monkeypatch.setattr(execdb, "_decoded", lambda line: seen.append(line) or decoded(line))
    with file.open("a") as out:
        out.write(_row())
    assert list(execdb.jobs(ID)) == [f"{ID}.0"]
    assert len(seen) == 1


def test_a_record_is_seen_while_its_line_is_being_finished(file: Path) -> None:
    file.write_text(_row() + _row(index=1)[:-30])
    assert list(execdb.jobs(ID)) == [f"{ID}.0"]
    with file.open("a") as out:
        out.write(_row(index=1)[-30:-1])
    assert list(execdb.jobs(ID)) == [f"{ID}.0", f"{ID}.1"]
    with file.open("a") as out:
        out.write("\n" + _row(index=2))
    assert list(execdb.jobs(ID)) == [f"{ID}.0", f"{ID}.1", f"{ID}.2"]


def test_a_job_that_is_written_again_counts_as_it_was_written_last(file: Path) -> None:
    file.write_text(_row() + _row(data={"output_dir": "/elsewhere/t.0"}))
    assert execdb.jobs(ID)[f"{ID}.0"].output_dir == "/elsewhere/t.0"


@pytest.mark.parametrize("how", ["replaced", "shortened", "rewritten"])
def test_a_file_that_was_exchanged_is_read_anew(file: Path, how: str) -> None:
    file.write_text(_row("a" * 16) * 3)
    assert execdb.jobs("a" * 16)
    if how == "replaced":
        file.with_suffix(".new").write_text(_row("b" * 16) * 5)
        file.with_suffix(".new").replace(file)
    elif how == "shortened":
        file.write_text(_row("b" * 16))
    else:
        file.write_text(_row("b" * 16) * 5)
    assert (execdb.jobs("a" * 16), len(execdb.jobs("b" * 16))) == ({}, 1)


def test_the_number_of_jobs_that_are_kept_is_bounded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execdb, "MOST_JOBS", 10)
    file.write_text("".join(_row(f"{n:016x}") for n in range(25)))
    assert [i.invocation_id for i in execdb.invocations()] == [f"{n:016x}" for n in range(15, 25)]
