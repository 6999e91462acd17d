"""The documents that ship with the package: recipes, references and skills."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp.server import MCPServer

from ... import shipped
from ...errors import StorageError, UnknownName
from .answered import answered

MOST_BYTES = 256 << 10
MOST_HEADING = 200


@dataclass(frozen=True)
class Shelf:
    """Documents of one kind.

    Attributes:
        kind: What one of them is called.
        plural: The authority of its address: `quantgate://<plural>/<name>`.
        description: What they are for.
        pattern: Where they are, below the root of what is shipped.
        name: The name of a document, by its file.
    """

    kind: str
    plural: str
    description: str
    pattern: str
    name: Callable[[Path], str]

    @property
    def uri(self) -> str:
        """The address of the list."""
        return f"quantgate://{self.plural}"

    def files(self) -> dict[str, Path]:
        """The documents by name, in order."""
        return {self.name(file): file for file in sorted(shipped.root().glob(self.pattern))}


SHELVES = (
    Shelf(
        "recipe",
        "recipes",
        "How to run one benchmark well: tasks, settings, scale, cost. Read it before adding that benchmark.",
        "recipes/tasks/*.md",
        lambda file: file.stem,
    ),
    Shelf(
        "reference",
        "references",
        "Depth on one topic of the evaluation skill.",
        "references/*.md",
        lambda file: file.stem,
    ),
    Shelf(
        "skill",
        "skills",
        "The steps of a job, for an agent: evaluation is the main one.",
        # A page beside a skill, such as the Slurm set-up, goes by its own name: a client without files must reach it too.
        "skills/*/*.md",
        lambda file: file.parent.name if file.name == "SKILL.md" else file.stem,
    ),
)


def register(server: MCPServer[Any]) -> None:
    """Offer the list of each shelf, and each document as Markdown."""
    for shelf in SHELVES:
        server.resource(
            shelf.uri,
            name=shelf.plural,
            title=shelf.plural.capitalize(),
            description=f"The {shelf.plural}: name, heading and address of each.",
            mime_type="application/json",
        )(_lister(shelf))
        server.resource(
            f"{shelf.uri}/{{name}}",
            name=shelf.kind,
            title=f"A {shelf.kind}",
            description=shelf.description,
            mime_type="text/markdown",
        )(_reader(shelf))


def names(plural: str) -> list[str]:
    """The names on a shelf; empty where there is no such shelf."""
    return next((list(shelf.files()) for shelf in SHELVES if shelf.plural == plural), [])


def _lister(shelf: Shelf) -> Callable[[], dict[str, Any]]:
    def listed() -> dict[str, Any]:
        return {shelf.plural: answered(lambda: _rows(shelf))}

    return listed


def _rows(shelf: Shelf) -> list[dict[str, str]]:
    return [
        {"name": name, "heading": _heading(file), "uri": f"{shelf.uri}/{name}"} for name, file in shelf.files().items()
    ]


def _reader(shelf: Shelf) -> Callable[[str], str]:
    def read(name: str) -> str:
        return answered(lambda: _document(shelf, name))

    return read


def _document(shelf: Shelf, name: str) -> str:
    # Looked up, never joined to a path: what a client sends is no part of one.
    files = shelf.files()
    if name not in files:
        raise UnknownName(shelf.kind, name[:80], fix="one of " + ", ".join(files))
    return _text(files[name])


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES).decode("utf-8", errors="replace")
    except OSError as error:
        raise StorageError(
            f"Cannot read a document of the package: {error.strerror}", where=str(file), fix="install quantgate again"
        ) from None


def _heading(file: Path) -> str:
    lines = (line for line in _text(file).splitlines() if line.startswith("# "))
    return next(lines, "").removeprefix("# ").strip()[:MOST_HEADING]
