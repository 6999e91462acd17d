"""docs/architecture.md, its picture and AGENTS.md's table of rooms say what the import graph and the docstrings say."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "quantgate"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    """The program that writes the page: scripts/architecture.py."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
        return importlib.import_module("architecture")


def test_page_picture_and_table_of_rooms_are_those_of_the_import_graph(architecture: ModuleType) -> None:
    assert architecture.differing() == [], "make docs"


@pytest.mark.parametrize("gone", [False, True], ids=["appears", "goes"])
def test_an_import_between_rooms_that_appears_or_goes_is_found(
    architecture: ModuleType, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = dict(architecture.rooms())
    tools, other = rooms["tools"], frozenset({"nemotron" if gone else "statistics"})
    rooms["tools"] = replace(tools, imports=tools.imports - other if gone else tools.imports | other)
    monkeypatch.setattr(architecture, "rooms", lambda: rooms)
    assert "docs/architecture.md" in architecture.differing()


def test_a_room_that_says_something_else_of_itself_is_found(
    architecture: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = dict(architecture.rooms())
    rooms["errors"] = replace(rooms["errors"], line="Something else.")
    monkeypatch.setattr(architecture, "rooms", lambda: rooms)
    assert architecture.differing() == ["AGENTS.md"]


def test_every_room_says_in_its_docstring_what_it_is(architecture: ModuleType) -> None:
    assert [room.name for room in architecture.rooms().values() if not room.line.endswith(".")] == []


def test_the_lines_that_are_drawn_imply_exactly_the_imports_that_there_are(architecture: ModuleType) -> None:
    imports = {name: room.imports for name, room in architecture.rooms().items()}
    drawn = architecture.direct(imports)

    def reached(edges: dict[str, frozenset[str]], name: str) -> frozenset[str]:
        return edges[name].union(*(reached(edges, other) for other in edges[name]))

    assert {name: reached(drawn, name) for name in imports} == {name: reached(imports, name) for name in imports}
    for name, others in drawn.items():
        for other in others:
            fewer = {**drawn, name: others - {other}}
            assert other not in reached(fewer, name), f"{name} → {other} is implied"


def test_every_room_has_a_box_of_its_own_in_the_row_of_its_layer(architecture: ModuleType) -> None:
    root = ElementTree.fromstring(architecture.PICTURE.read_text(encoding="utf-8"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert sorted(texts) == sorted(room.shown for room in architecture.rooms().values())
    boxes = [
        (int(b.attrib["x"]), int(b.attrib["y"]), int(b.attrib["width"]))
        for b in root.iter(f"{SVG}rect")
        if "x" in b.attrib
    ]
    by_row: dict[int, list[tuple[int, int]]] = {}
    for x, y, width in boxes:
        by_row.setdefault(y, []).append((x, x + width))
    assert [len(by_row[y]) for y in sorted(by_row)] == [len(layer) for layer in architecture.layers()]
    for spans in by_row.values():
        ordered = sorted(spans)
        assert all(left[1] < right[0] for left, right in pairwise(ordered))
    assert max(right for spans in by_row.values() for _, right in spans) < int(root.attrib["width"])


def test_the_same_graph_gives_the_same_picture(architecture: ModuleType) -> None:
    assert architecture.svg() == architecture.svg()


def test_the_table_of_processes_names_every_module_that_is_started_by_itself() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.split("## Processes")[1].split("## ")[0]
    started = [
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if '__name__ == "__main__"' in file.read_text(encoding="utf-8")
    ]
    named = re.findall(r"`([\w/]+(?:\.py)?)`", table)
    assert [module for module in started if module not in named and module.removesuffix(".py") not in named] == []


def test_the_doors_that_import_linter_holds_are_on_the_page() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    contracts = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    doors = re.findall(r'allowed_importers = \["quantgate\.(\w+)"\]', contracts)
    assert doors
    assert [door for door in doors if f"| `{door}/` |" not in page] == []
