"""How the files of a run are opened: a named pipe in its directory would keep a reader waiting for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..system import files


def open_file(path: Path) -> BinaryIO:
    """A plain file, for reading.

    Raises:
        OSError: It cannot be opened, or is no plain file.
    """
    descriptor = files.open_to_read(path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    return os.fdopen(descriptor, "rb")
