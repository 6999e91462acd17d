"""sensitivity.yaml as Markdown, for references/quantization-benchmarks.md."""

from __future__ import annotations

from . import tables
from .markdown_table import markdown_table
from .recommend import cost_of


def benchmark_tables_markdown() -> str:
    """The ranking, what changes it, and the sets of sensitivity.yaml; between the marks of quantization-benchmarks.md."""
    table = tables.sensitivity_table()
    ranking = [
        [
            row.sensitivity,
            f"`{row.recipe}`",
            f"`{row.task}`",
            row.because,
            "{}: {}".format(*cost_of(row)),
            f"{row.context:,}" if row.context else "–",
            ", ".join(row.needs) or "–",
        ]
        for row in table.benchmarks
    ]
    effects = [[e.when, ", ".join(f"`{r}`" for r in e.recipes), _plain(e.says), e.source] for e in table.effects]
    sets = [[s.name, ", ".join(f"`{r}`" for r in s.recipes), s.purpose] for s in table.sets]
    return "\n\n".join(
        (
            markdown_table(("sensitivity", "recipe", "task", "why", "cost of a full run", "context", "needs"), ranking),
            "What the kind of quantization adds:",
            markdown_table(("quantized", "recipes", "then", "source"), effects),
            "Sets by use:",
            markdown_table(("set", "recipes", "when"), sets),
        )
    )


def _plain(text: str) -> str:
    return text.replace(" ({kv})", "").replace(" ({vision})", "")
