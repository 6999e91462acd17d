"""JSON files of a checkpoint, read with bounds.

A checkpoint comes from anywhere: its files may be pipes, loops of links, of any size, or not text at all.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import CheckpointError
from ..system import files

MAX_JSON_BYTES = 20 * 1024 * 1024
_WHY = {
    errno.ENOENT: "does not exist",
    errno.EACCES: "may not be read",
    errno.EPERM: "may not be read",
    errno.ELOOP: "is a loop of symbolic links",
    errno.EISDIR: "is a directory",
    errno.ENOTDIR: "lies below something that is not a directory",
    errno.ENAMETOOLONG: "has a name that is too long",
}


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file opened for reading, and its size in bytes; it never waits on a pipe.

    Raises:
        CheckpointError: The file does not exist, may not be read, or is not a regular file.
    """
    try:
        descriptor = files.open_to_read(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        stream = os.fdopen(descriptor, "rb")
    except OSError as error:  # a directory
        os.close(descriptor)
        raise _unreadable(path, error) from None
    with stream:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise CheckpointError(
                f"{path.name} is not a regular file", where=str(path), fix="replace it by the real file"
            )
        try:
            yield stream, info.st_size
        except OSError as error:
            raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError | ValueError) -> CheckpointError:
    number = error.errno if isinstance(error, OSError) else None
    why = _WHY.get(number or 0) or f"cannot be read ({getattr(error, 'strerror', None) or error})"
    return CheckpointError(f"{path.name} {why}", where=str(path), fix="check the path and its permissions")


def read_bytes(path: Path, limit: int = MAX_JSON_BYTES) -> bytes:
    """The whole of a small file.

    Args:
        path: The file.
        limit: Most bytes that are accepted.

    Raises:
        CheckpointError: It cannot be read, or is larger.
    """
    with open_regular(path) as (stream, size):
        if size > limit:
            raise CheckpointError(
                f"{path.name} has {size} bytes; a file of this kind has at most {limit}",
                where=str(path),
                fix="check that it is what its name says",
            )
        return stream.read(limit + 1)[:limit]


def decode(data: bytes, path: Path) -> str:
    """The bytes as UTF-8 text (a byte-order mark is dropped).

    Raises:
        CheckpointError: It is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{path.name} is not UTF-8 text (byte {error.start})", where=str(path), fix="export the file again"
        ) from None


def parse_object(text: str, path: Path) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        CheckpointError: Broken JSON (with file:line:column), nested too deeply, or not an object.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise CheckpointError(
            f"{path.name} is not valid JSON: {error.msg}",
            where=f"{path}:{error.lineno}:{error.colno}",
            fix="mend that line, or copy the file again",
        ) from None
    except RecursionError:
        raise CheckpointError(
            f"{path.name} is nested too deeply", where=str(path), fix="export the file again"
        ) from None
    except ValueError as error:  # an integer of thousands of digits
        raise CheckpointError(f"{path.name} holds an impossible number: {error}", where=str(path)) from None
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{path.name} holds a JSON {type(value).__name__}, not an object",
            where=str(path),
            fix="export the file again",
        )
    return value


def read_object(path: Path, limit: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The JSON object in a file of at most `limit` bytes.

    Raises:
        CheckpointError: It cannot be read, is too large, not UTF-8, not JSON, or not an object.
    """
    return parse_object(decode(read_bytes(path, limit), path), path)


def read_optional(path: Path, limit: int = MAX_JSON_BYTES) -> dict[str, Any] | None:
    """`read_object`, or None when there is no such file (a dangling link counts as a file that cannot be read)."""
    return read_object(path, limit) if os.path.lexists(path) else None


def text_field(data: Mapping[str, Any], *keys: str) -> str:
    """The first of these keys that holds a string, else the empty string."""
    return next((value for key in keys if isinstance(value := data.get(key), str) and value), "")


def whole_field(data: Mapping[str, Any], *keys: str) -> int:
    """The first of these keys that holds a positive whole number below 2^63, else 0."""
    for key in keys:
        value = data.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63:
            return value
    return 0
