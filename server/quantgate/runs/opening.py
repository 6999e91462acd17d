"""How the files of a run are opened: a named pipe in its directory would keep a reader waiting for ever."""

from __future__ import annotations

from ..system.files import open_plain as open_file

__all__ = ["open_file"]
