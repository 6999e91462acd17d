"""Writes what docs/architecture.md and AGENTS.md say of the rooms: the tables and the picture, from the import graph.

A room is a module or package directly below `quantgate`; its line is the first paragraph of its own docstring; its row in the
picture is its layer in pyproject.toml's contract. `make docs` calls `renew`. `differing` leaves the tables' numbers out of account:
they change with every edit, and are those of the last `make docs`.
"""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
from architecture_picture import picture

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "server" / "quantgate"
PAGE = ROOT / "docs" / "architecture.md"
AGENTS = ROOT / "AGENTS.md"
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
ENTRY = "__main__"
"""`python -m quantgate`: it only calls `cli`, and is no room."""


@dataclass(frozen=True)
class Room:
    """A module or package directly below `quantgate`.

    Attributes:
        name: As it is imported.
        package: Whether it is a folder.
        line: What it is, in its own words.
        modules: How many modules it has.
        lines: How many lines they have, with comments and blank ones.
        imports: The rooms that it imports from.
    """

    name: str
    package: bool
    line: str
    modules: int
    lines: int
    imports: frozenset[str]

    @property
    def shown(self) -> str:
        """Its name as the tables have it."""
        return f"{self.name}/" if self.package else self.name


def layers() -> list[list[str]]:
    """The rooms of each layer, from the top, as import-linter's contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = [c for c in contracts if c.get("containers") == ["quantgate"]]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


@cache
def rooms() -> dict[str, Room]:
    """Every room by its name, in the order of the layers."""
    graph = grimp.build_graph("quantgate", cache_dir=None)
    found = sorted(graph.find_children("quantgate") - {f"quantgate.{ENTRY}"})
    for module in found:
        graph.squash_module(module)
    imports = {module: graph.find_modules_directly_imported_by(module) - {module} for module in found}
    order = [f"quantgate.{name}" for layer in layers() for name in layer]
    return {
        name: _room(name, frozenset(_name(m) for m in imports[module] if "." in m))
        for module in sorted(found, key=lambda m: order.index(m) if m in order else len(order))
        for name in [_name(module)]
    }


def _name(module: str) -> str:
    return module.removeprefix("quantgate.")


def _room(name: str, imports: frozenset[str]) -> Room:
    folder = PACKAGE / name
    files = sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{name}.py"]
    first = folder / "__init__.py" if folder.is_dir() else files[0]
    told = ast.get_docstring(ast.parse(first.read_text(encoding="utf-8"))) or ""
    line = " ".join(told.split("\n\n")[0].split())
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    return Room(name, folder.is_dir(), line, len(files), lines, imports)


def direct(imports: dict[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The imports that no way through other rooms implies (the transitive reduction of the graph)."""

    @cache
    def below(name: str) -> frozenset[str]:
        return imports[name].union(*(below(other) for other in imports[name]))

    return {
        name: frozenset(o for o in others if not any(o in below(between) for between in others - {o}))
        for name, others in imports.items()
    }


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def words_markdown() -> str:
    """AGENTS.md's table: each room and what it is, from the top."""
    rows = [f"| `{room.shown}` | {_cell(room.line)} |" for room in rooms().values()]
    return "\n".join(["| room | what is in it |", "| --- | --- |", *rows])


def sizes_markdown() -> str:
    """The page's table: each room with its size and what it imports from, from the top."""
    order = list(rooms())
    rows = [
        f"| `{room.shown}` | {room.modules} | {room.lines:,} | {', '.join(sorted(room.imports, key=order.index)) or '–'} |"
        for room in rooms().values()
    ]
    total = f"| in all | {sum(r.modules for r in rooms().values())} | {sum(r.lines for r in rooms().values()):,} | |"
    return "\n".join(["| room | modules | lines | imports from |", "| --- | ---: | ---: | --- |", *rows, total])


def svg() -> str:
    """The picture: each layer a row, each room a box, each import that no other implies a line."""
    edges = direct({name: room.imports for name, room in rooms().items()})
    return picture(layers(), {name: sorted(edges[name]) for name in rooms()}, {n: r.shown for n, r in rooms().items()})


def _wanted() -> dict[Path, str]:
    made = {PICTURE: svg()}
    for file, name, content in [(PAGE, "rooms", sizes_markdown()), (AGENTS, "rooms", words_markdown())]:
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, rest = file.read_text(encoding="utf-8").split(begin, 1)
        made[file] = f"{before}{begin}\n{content}\n{end}{rest.split(end, 1)[1]}"
    return made


def _without_numbers(text: str) -> str:
    return re.sub(r"(?<=\| )[\d,]+(?= \|)", "n", text)


def differing() -> list[str]:
    """The files that do not say what the import graph and the docstrings say, but for the tables' numbers."""
    return [
        file.relative_to(ROOT).as_posix()
        for file, text in _wanted().items()
        if not file.is_file() or _without_numbers(file.read_text(encoding="utf-8")) != _without_numbers(text)
    ]


def renew() -> None:
    """Write the tables and the picture."""
    for file, text in _wanted().items():
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    renew()
