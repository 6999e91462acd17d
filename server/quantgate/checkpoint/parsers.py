"""Which reasoning parser and which tool-call parser of a server belong to a model, by its family and chat template."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from . import tables
from .model_facts import ModelFacts


def reasoning_parser(facts: ModelFacts, framework: str) -> tables.ParserRow | None:
    """The row for the model's trace; its `parser` is empty where the framework has none. None: no row matches."""
    return _first(tables.serving().reasoning.get(framework, ()), facts)


def tool_parser(facts: ModelFacts, framework: str) -> tables.ParserRow | None:
    """The row for the model's tool calls, as `reasoning_parser`; None too when its template renders no tools."""
    row = _first(tables.serving().tools.get(framework, ()), facts)
    return row if row is not None and (facts.tool_calling or not row.template) else None


def parser_reason(row: tables.ParserRow, facts: ModelFacts) -> str:
    """Why a parser was chosen, with the files it was chosen from."""
    seen = [f"model_type {facts.model_type[:40]!r} in config.json"] if row.model_types else []
    if facts.chat_template and (row.any_of or row.all_of):
        marks = [m for m in (*row.all_of, *row.any_of) if m in facts.chat_template]
        seen.append(f"{marks[0]!r} in {facts.template_file}")
    note = f"; {row.note}" if row.note else ""
    return f"{' and '.join(seen)} ({row.source}){note}; confirm with the model card"


def _first(rows: Iterable[tables.ParserRow], facts: ModelFacts) -> tables.ParserRow | None:
    return next((row for row in rows if _matches(row, facts)), None)


def _matches(row: tables.ParserRow, facts: ModelFacts) -> bool:
    template = facts.chat_template
    if row.model_types and not any(fnmatchcase(facts.model_type, pattern) for pattern in row.model_types):
        return False
    if row.template and not template:
        return False
    if any(mark in template for mark in row.none_of) or not all(mark in template for mark in row.all_of):
        return False
    return not row.any_of or any(mark in template for mark in row.any_of)
