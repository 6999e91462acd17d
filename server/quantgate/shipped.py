"""The documents that ship with the package: SKILL.md, skills/, recipes/ and references/.

In a wheel they are package data; in a checkout they are the folders at the top, so that an edit is served at once.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """The directory that holds SKILL.md, skills/, recipes/ and references/."""
    packed = _PACKAGE / "_shipped"
    return packed if packed.is_dir() else _PACKAGE.parent.parent


def recipes_dir() -> Path:
    """The directory of the recipes: tasks/ and examples/."""
    return root() / "recipes"
