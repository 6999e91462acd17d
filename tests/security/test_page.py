"""The page on threats names tests and modules that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    cells = [row.split("|")[5] for row in PAGE.splitlines() if row.startswith("| ") and not row.startswith("| ---")][1:]
    named = {name.rstrip("/") for cell in cells for name in re.findall(r"`([\w/]+)`", cell)}
    named |= {name.rstrip("/") for cell in cells for name in re.findall(r"`([\w/]+/)`", cell)}
    assert len(named) > 12
    missing = [n for n in named if not (ROOT / "tests" / f"{n}.py").exists() and not (ROOT / "tests" / n).is_dir()]
    assert missing == []


def test_every_module_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:launcher|tools|gates)/\w+)`", PAGE.replace("/test_", "/-")))
    assert len(named) >= 4
    assert [n for n in named if not (ROOT / "server" / "quantgate" / f"{n}.py").exists()] == []
