"""Makes `skills/evaluation/` a whole skill folder: copies of SKILL.md, references/ and recipes/ from the top.

Clients, plugins and validators want a skill's files inside its folder; the code and the readers of this repository want them at the
top. The top is the source. Links are no way out: a checkout on Windows has none.

`python scripts/copy_skill.py` renews the copies; `--check` only names those that differ (exit 1 when one does).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "skills" / "evaluation"
FOLDERS = ("references", "recipes")


def sources() -> dict[Path, Path]:
    """Where each copy comes from: its path below the skill's folder, and the file at the top."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    wanted = [path for path in files if "__pycache__" not in path.parts]
    return {path.relative_to(ROOT): path for path in [ROOT / "SKILL.md", *sorted(wanted)]}


def differing() -> list[Path]:
    """Copies, below the skill's folder, that are missing, differ from their source, or have none."""
    wanted = sources()
    there = {path.relative_to(COPY) for path in COPY.rglob("*") if path.is_file()}
    stale = [
        path
        for path, source in wanted.items()
        if path not in there or (COPY / path).read_bytes() != source.read_bytes()
    ]
    return [*stale, *sorted(there - set(wanted))]


def renew() -> list[Path]:
    """Write what differs and remove copies without a source; returns what was changed."""
    wanted = sources()
    changed = differing()
    for path in changed:
        target = COPY / path
        if path not in wanted:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wanted[path].read_bytes())
    return changed


def main() -> int:
    """Renew, or check; 1 when a check finds a copy that differs."""
    if "--check" not in sys.argv:
        renew()
        return 0
    stale = differing()
    sys.stderr.write("".join(f"not current: skills/evaluation/{path.as_posix()}; run make docs\n" for path in stale))
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
