"""Which paths and skills the documents of the skills name, and which of them lead nowhere."""

from __future__ import annotations

import re
from pathlib import Path

_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
_PATH = re.compile(r"`((?:references|recipes|\.\.)/[\w./-]*)`")
_FILE_OF_A_SKILL = re.compile(r"`([\w-]+\.md)`\s+(?:of|in)\s+the\s+`([\w-]+)`\s+skill")
_SKILL = re.compile(r"`([\w-]+)`\s+skill\b")


def documents(skills: Path) -> list[Path]:
    """Every Markdown file below a folder of skills."""
    return sorted(skills.glob("**/*.md"))


def named_paths(document: Path, skills: Path) -> list[Path]:
    """The paths that a document names, as they would lie on the disk: links from the document, others from its skill's folder."""
    text = document.read_text(encoding="utf-8")
    folder = skills / document.relative_to(skills).parts[0]
    return [
        *(document.parent / target for target in _LINK.findall(text)),
        *(folder / path for path in _PATH.findall(text)),
        *(skills / skill / name for name, skill in _FILE_OF_A_SKILL.findall(text)),
        *(skills / skill / "SKILL.md" for skill in _SKILL.findall(text)),
    ]


def dead_ends(skills: Path) -> list[str]:
    """What is named in the skills below a folder and is not there, or lies outside of that folder."""
    inside = skills.resolve()
    return [
        f"{document.relative_to(skills)}: {path.relative_to(skills)}"
        for document in documents(skills)
        for path in named_paths(document, skills)
        if not path.exists() or not path.resolve().is_relative_to(inside)
    ]
