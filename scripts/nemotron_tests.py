"""The tests of each row of the table of incompatibilities, by name: test_row_<id>__… in tests/nemotron/test_migration.py."""

from __future__ import annotations

import ast
from pathlib import Path

from quantgate.nemotron import incompatibilities

TESTS = Path(__file__).resolve().parent.parent / "tests" / "nemotron" / "test_migration.py"


def by_row() -> dict[str, list[str]]:
    """The names of the tests by the row's id, in the order of the file."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(TESTS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_row_"):
            row, _, _ = node.name.removeprefix("test_row_").partition("__")
            found.setdefault(row, []).append(node.name)
    return found


def incompatibilities_markdown() -> str:
    """The table with the tests beside it; a row without one is an error."""
    return incompatibilities.table_markdown(by_row())
