"""Which file a config was compiled from: a note in quantgate's own state, so that no config can claim another's folder for its own.

The `.env` beside that file counts for the compiled config. Were the file named in the config itself, a config from elsewhere
could name any folder, and have its keys sent to an endpoint of its choice.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from . import workspace
from .system.files import open_plain

MOST = 2000
"""Notes that are kept; the oldest go first."""
_LONGEST = 16_384


def remember(config: Path, source: Path) -> None:
    """Note that a config was compiled from `source`.

    Raises:
        OSError: The note cannot be written.
    """
    note = _note(config)
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    said = {"config": str(config.resolve()), "source": str(source.resolve())}
    note.write_text(json.dumps(said), encoding="utf-8")
    notes = sorted(note.parent.glob("*.json"), key=lambda one: (one.stat().st_mtime, one.name))
    for old in notes[:-MOST]:
        old.unlink(missing_ok=True)


def source_of(config: Path) -> Path | None:
    """The file that a config was compiled from; None when it was not, or nobody noted it here."""
    try:
        with open_plain(_note(config)) as file:
            said = json.loads(file.read(_LONGEST))
    except (OSError, ValueError, RecursionError):
        return None
    fits = (
        isinstance(said, dict) and said.get("config") == str(config.resolve()) and isinstance(said.get("source"), str)
    )
    return Path(said["source"]) if fits else None


def _note(config: Path) -> Path:
    name = hashlib.sha256(str(config.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return workspace.state_dir() / "compiled" / f"{name}.json"
