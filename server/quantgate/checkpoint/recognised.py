"""What is recognised, as rows for the README's table: from methods.yaml alone."""

from __future__ import annotations

from typing import NamedTuple

from . import tables
from .markdown_table import markdown_table

_WORDS = {True: "yes", False: "no", None: "not known"}


class RecognisedRow(NamedTuple):
    """One method or algorithm.

    Attributes:
        bits: Weights and activations, such as `4 / 16`; `varies` where the checkpoint says it.
        serving: `yes`, `no` or `not known`, in the order of `frameworks()`.
    """

    name: str
    about: str
    bits: str
    serving: tuple[str, ...]


def frameworks() -> tuple[str, ...]:
    """The names of the frameworks, in the order of the table's columns."""
    return tuple(tables.methods().frameworks.values())


def recognised_rows() -> list[RecognisedRow]:
    """One row per ModelOpt algorithm and per method of others."""
    table = tables.methods()
    rows = [_row(f"ModelOpt {name}", method) for name, method in table.modelopt.items()]
    rows.append(_row("ModelOpt, KV cache only", table.kv_only))
    return rows + [_row(name, method) for name, method in table.foreign.items()]


def _row(name: str, method: tables.Method) -> RecognisedRow:
    def word(bits: int) -> str:
        return str(bits) if bits else "varies"

    bits = f"{word(method.bits)} / {word(method.activation_bits)}"
    keys = tables.methods().frameworks
    answers = tuple(_WORDS[method.serving[key].supported if key in method.serving else None] for key in keys)
    return RecognisedRow(name, method.about, bits, answers)


def recognised_markdown() -> str:
    """The rows as a table in Markdown."""
    rows = [(f"`{row.name}`", row.about, row.bits, *row.serving) for row in recognised_rows()]
    return markdown_table(("recorded as", "what it is", "bits, weights / activations", *frameworks()), rows)
