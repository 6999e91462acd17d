"""Where a user's programs keep their settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def application_settings(home: Path) -> Path:
    """The directory in which a user's programs with windows keep their settings.

    Args:
        home: The user's home directory.
    """
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming")
    return Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
