"""What a run's directory says of its launch: written whole, read with care."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from quantgate.launcher import stamp

STAMP = stamp.Stamp(
    "5f3c9a1e7b2d4860", "subset", 8, ("ifbench.ifbench",), 2, "f" * 64, "d" * 64, "the user is in a hurry"
)


def test_a_stamp_is_private_and_reads_back_as_it_was_written(tmp_path: Path) -> None:
    dated = STAMP.dated()
    file = stamp.write(tmp_path, dated)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stamp.read(tmp_path) == dated
    assert (dated.nel, dated.created[-6:]) == ("0.2.6", "+00:00")
    assert [p.name for p in tmp_path.iterdir()] == [stamp.FILE]


def test_a_secret_in_a_reason_is_masked_in_the_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_TOKEN", "secret-of-the-judge")
    stamp.write(tmp_path, dataclasses.replace(STAMP, skip_reason="the key secret-of-the-judge is slow"))
    assert "secret-of-the-judge" not in (tmp_path / stamp.FILE).read_text()


def test_a_disk_that_is_full_leaves_no_half_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        stamp.write(tmp_path, STAMP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"kind": "full"}',
        json.dumps({"invocation_id": "a", "kind": "certified"}),
        "[" * 100_000,
        json.dumps({"invocation_id": "a", "kind": "full", "skip_reason": "x" * stamp.MAX_BYTES}),
    ],
    ids=["empty", "list", "broken", "no id", "no such kind", "deep", "too large"],
)
def test_what_is_no_stamp_is_read_as_none(content: str, tmp_path: Path) -> None:
    (tmp_path / stamp.FILE).write_text(content)
    assert stamp.read(tmp_path) is None


def test_values_that_cannot_be_are_cut_or_dropped(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "invocation_id": "a" * 1000,
        "kind": "full",
        "sample_limit": -3,
        "tasks": ["t", 7, None],
        "tasks_in_config": True,
        "skip_reason": ["no"],
        "fingerprint": "f" * 9000,
    }
    (tmp_path / stamp.FILE).write_text(json.dumps(values))
    found = stamp.read(tmp_path)
    assert found is not None
    assert (found.sample_limit, found.tasks, found.tasks_in_config, found.skip_reason) == (0, ("t",), 0, "")
    assert (len(found.invocation_id), len(found.fingerprint)) == (64, stamp.MAX_TEXT)


def test_a_link_or_a_pipe_in_the_place_of_a_stamp_is_not_followed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    stamp.write(tmp_path / "a", STAMP)
    (tmp_path / "b" / stamp.FILE).symlink_to(tmp_path / "a" / stamp.FILE)
    os.mkfifo(tmp_path / "c" / stamp.FILE)
    assert stamp.read(tmp_path / "b") is None
    assert stamp.read(tmp_path / "c") is None
