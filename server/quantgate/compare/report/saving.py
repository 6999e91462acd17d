"""Keeps a report: always under the state directory by its id, and where the caller wants it."""

from __future__ import annotations

from pathlib import Path

from ... import workspace
from ...errors import BadInput
from ...evalconfig import atomic_file
from ..outcome import Comparison
from . import identity

_SUFFIXES = (".html", ".htm")
_LARGEST = 32 * 1024 * 1024


def save(comparison: Comparison, path: str = "") -> Path:
    """Write both forms of a comparison's report, and say where its page is.

    Args:
        comparison: What it says.
        path: The page's file (".html"), or a directory that gets it under its id; empty for the state directory alone. The
            Markdown is written beside it. Only a report may stand there already.

    Raises:
        BadInput: The path is no place for it, or holds something that is no report.
        StorageError: It cannot be written.
    """
    from .markdown import markdown
    from .pages import html

    name = identity.report_id(comparison)
    wanted = _pair(_target(path, name)) if path else ()
    before = [_replaceable(file) for file in wanted]
    forms = [html(comparison).encode("utf-8", "replace"), markdown(comparison).encode("utf-8", "replace")]
    kept = _pair(workspace.reports_dir() / f"{name}.html")
    for file, form in zip(kept, forms, strict=True):
        atomic_file.replace(file, form, expected=None, what="report")
    for file, form, held in zip(wanted, forms, before, strict=False):
        atomic_file.replace(file, form, expected=held, what="report")
    return (wanted or kept)[0]


def _pair(page: Path) -> tuple[Path, Path]:
    return page, page.with_suffix(".md")


def _target(path: str, name: str) -> Path:
    try:
        return _place(Path(path).expanduser(), name)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadInput(f"The report's path is none: {reason}", fix="give a plain path that ends in .html") from None


def _place(given: Path, name: str) -> Path:
    target = given / f"{name}.html" if given.is_dir() else given
    if target.suffix.lower() not in _SUFFIXES:
        fix = "give a path that ends in .html, or a directory that exists"
        raise BadInput("A report is an HTML file", where=str(given), fix=fix)
    if not target.parent.is_dir():
        raise BadInput(
            "There is no such directory for the report", where=str(target.parent), fix="make it, or give another path"
        )
    return target.resolve()


def _replaceable(file: Path) -> bytes | None:
    """What the file holds, which must be a report; None when there is no file."""
    try:
        if not file.exists():
            return None
        content = b"" if not file.is_file() or file.stat().st_size > _LARGEST else file.read_bytes()
    except OSError as error:
        raise BadInput(f"Cannot look at what is at the report's path: {error.strerror}", where=str(file)) from None
    if not identity.is_ours(content):
        raise BadInput(
            "There is something else at the report's path, and it was not overwritten",
            where=str(file),
            fix="give another path, or move that away",
        )
    return content
