"""A world that refuses: a machine on which no further process starts and no name resolves."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class _NoPrograms(subprocess.Popen):  # type: ignore[type-arg]
    """Stands for a machine that starts no further process."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.returncode = -1
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def __del__(self, *_: Any) -> None:
        """Nothing was started."""


def _nobody(*_: Any, **__: Any) -> Any:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@contextmanager
def refusing(room: Path) -> Iterator[None]:
    """A world in which no program starts and no name resolves; the working directory is the room."""
    kept = subprocess.Popen, socket.getaddrinfo, socket.create_connection
    subprocess.Popen, socket.getaddrinfo, socket.create_connection = _NoPrograms, _nobody, _nobody  # type: ignore[misc]
    before = Path.cwd()
    os.chdir(room)
    try:
        yield
    finally:
        subprocess.Popen, socket.getaddrinfo, socket.create_connection = kept  # type: ignore[misc]
        os.chdir(before)
