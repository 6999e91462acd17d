"""Locks on open files, which the system drops when their holder closes the file or dies.

POSIX systems have `flock`, Windows has locked ranges of bytes (`msvcrt.locking`). Those know no shared locks and do not pass to
children.
"""

from __future__ import annotations

import errno
import os
import sys
import time

REPLACED_WHILE_OPEN = sys.platform != "win32"
"""Whether a file that is open here can be replaced or removed; on Windows it cannot, so the lock must lie beside it."""
_PAUSE = 0.02

if sys.platform == "win32":
    import msvcrt

    # Beyond what any file holds that we lock: on Windows nobody else reads a locked byte.
    _AT = 0x7FFF0000
    # EACCES by the documentation of `_locking`; Wine 8 gives none.
    _TAKEN = (errno.EACCES, errno.EDEADLK, 0)

    def try_exclusive(descriptor: int) -> bool:
        """Lock an open file alone, if nobody has a lock on it.

        Raises:
            OSError: The file system has no locks.
        """
        os.lseek(descriptor, _AT, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
        return True

    def try_shared(descriptor: int) -> bool:
        """Lock an open file with others, if nobody has it alone; on Windows as `try_exclusive` does.

        Raises:
            OSError: The file system has no locks.
        """
        return try_exclusive(descriptor)

else:
    import fcntl

    def try_exclusive(descriptor: int) -> bool:
        """Lock an open file alone, if nobody has a lock on it.

        Raises:
            OSError: The file system has no locks.
        """
        return _flocked(descriptor, fcntl.LOCK_EX)

    def try_shared(descriptor: int) -> bool:
        """Lock an open file with others, if nobody has it alone.

        Raises:
            OSError: The file system has no locks.
        """
        return _flocked(descriptor, fcntl.LOCK_SH)

    def _flocked(descriptor: int, how: int) -> bool:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def exclusive(descriptor: int) -> None:
    """Lock an open file alone; waits until nobody else has a lock on it."""
    while not try_exclusive(descriptor):
        time.sleep(_PAUSE)
