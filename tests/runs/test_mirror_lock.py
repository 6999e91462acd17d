"""The lock of a copied run: its time says when the copy was last used."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from quantgate.runs.clusters import mirrored
from quantgate.system import locks


def test_taking_the_lock_says_that_the_copy_is_in_use(tmp_path: Path) -> None:
    lock = tmp_path / "copy.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    with mirrored._locked(tmp_path / "copy", 1):
        assert time.time() - lock.stat().st_mtime < 60


def test_another_process_that_prunes_the_locks_file_at_that_moment_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = locks.try_exclusive

    def pruned_meanwhile(descriptor: int) -> bool:
        (tmp_path / "copy.lock").unlink()
        return take(descriptor)

    monkeypatch.setattr(locks, "try_exclusive", pruned_meanwhile)
    with mirrored._locked(tmp_path / "copy", 1):
        assert not (tmp_path / "copy.lock").exists()
