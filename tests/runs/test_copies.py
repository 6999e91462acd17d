"""Private copies of runs that lie elsewhere: one copier at a time, and what nobody uses or holds goes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quantgate.errors import StorageError
from quantgate.runs import copies
from quantgate.system import locks

MONTH = 40 * 86_400


def _copy(folder: Path, name: str, age: float) -> copies.Copy:
    place = folder / name
    place.mkdir()
    (place / "data").write_text("x" * 1000)
    copies.lock_of(place).touch()
    return copies.Copy(place, place, time.time() - age)


def test_taking_the_lock_says_that_the_copy_is_in_use(tmp_path: Path) -> None:
    lock = tmp_path / "copy.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    with copies.locked(tmp_path / "copy", 1):
        assert time.time() - lock.stat().st_mtime < 60


def test_a_lock_that_is_gone_at_that_moment_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = locks.try_exclusive

    def removed_meanwhile(descriptor: int) -> bool:
        (tmp_path / "copy.lock").unlink()
        return take(descriptor)

    monkeypatch.setattr(locks, "try_exclusive", removed_meanwhile)
    with copies.locked(tmp_path / "copy", 1):
        assert not (tmp_path / "copy.lock").exists()


def test_a_copy_that_somebody_holds_is_not_removed_and_no_lock_ever_is(tmp_path: Path) -> None:
    held, free, mine = (_copy(tmp_path, name, MONTH) for name in ("held", "free", "mine"))
    with copies.locked(held.place, 1):
        copies.prune([held, free, mine], mine.place, mine.place)
        assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["held", "mine"]
        with pytest.raises(StorageError, match="Another call"), copies.locked(held.place, 0.0):
            pass
    assert len(list(tmp_path.glob("*.lock"))) == 3


def test_the_copies_that_were_not_used_for_longest_go_until_the_others_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [_copy(tmp_path, name, age) for name, age in (("new", 60), ("day", 86_400), ("week", 7 * 86_400))]
    monkeypatch.setattr(copies, "MOST_BYTES", 2500)
    copies.prune(found, tmp_path / "other", tmp_path / "other")
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["day", "new"]
    monkeypatch.setattr(copies, "MOST_BYTES", 0)
    copies.prune(found, tmp_path / "other", tmp_path / "other")
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["new"], "what is just being read was removed"
