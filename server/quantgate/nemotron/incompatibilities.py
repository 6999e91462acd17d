"""The table of what NEL 0.2.6 does with Nemotron's configs: migration.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

from .change import Change


@cache
def table() -> dict[str, dict[str, str]]:
    """The rows of migration.yaml by id: what, error, mapping."""
    rows = yaml.safe_load(Path(__file__).with_name("migration.yaml").read_text(encoding="utf-8"))
    return {row["id"]: row for row in rows}


def change(row: str, what: str) -> Change:
    """A change that a row of the table explains."""
    return Change(what, f"NEL 0.2.6 with {table()[row]['what']}: {table()[row]['error']}", row)


def table_markdown(shown_by: Mapping[str, Sequence[str]]) -> str:
    """The table in Markdown.

    Args:
        shown_by: The names of the tests of each row, by its id.
    """
    rows = ["| | in a Nemotron config | NEL 0.2.6 | `quantgate eval` | shown by |", "| --- | --- | --- | --- | --- |"]
    for number, row in enumerate(table().values(), 1):
        tests = ", ".join(f"`{name}`" for name in shown_by[row["id"]])
        cells = [str(number), row["what"], row["error"], row["mapping"], tests]
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)
