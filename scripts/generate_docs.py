"""Writes the parts of the documents that list what the code and its tables have.

Each stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.

`python scripts/generate_docs.py` writes them; `--check` only says which are not current (exit 1 when one is not).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import architecture
import manifests
import tool_documents
from copy_skill import differing, renew
from nemotron_tests import incompatibilities_markdown
from statistics_tables import oracles_markdown, side_by_side_markdown

from quantgate.benchmarks.env_example import write_env_example
from quantgate.checkpoint.card.topics import topics_markdown
from quantgate.checkpoint.recognised import recognised_markdown
from quantgate.checkpoint.recommend_tables import benchmark_tables_markdown
from quantgate.compare.comparability import fields_markdown
from quantgate.evalconfig.lint.rules_table import rules_markdown
from quantgate.launcher.adapter_fields import interceptors_markdown
from quantgate.results.checks.table import checks_markdown
from quantgate.tools import TOOLS, calling

ROOT = Path(__file__).resolve().parent.parent


def tool_table() -> str:
    """The table of tools in Markdown: step, name, what it does (the first sentence of its description)."""
    rows = ["| step | tool | what it does |", "| --- | --- | --- |"]
    for spec in TOOLS:
        rows.append(f"| {spec.step} | `{spec.name}` | {calling.description(spec).split('. ')[0].rstrip('.')} |")
    return "\n".join(rows)


BLOCKS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "tools", tool_table),
    ("README.md", "formats", recognised_markdown),
    ("references/quantization-benchmarks.md", "benchmarks", benchmark_tables_markdown),
    ("references/model-card-research.md", "topics", topics_markdown),
    ("references/interceptors.md", "fields", interceptors_markdown),
    ("references/run-validation.md", "checks", checks_markdown),
    ("references/comparing-runs.md", "compared", fields_markdown),
    ("docs/rules.md", "rules", rules_markdown),
    ("docs/nemotron.md", "incompatibilities", incompatibilities_markdown),
    ("docs/tools.md", "cost", tool_documents.cost_markdown),
    ("docs/tools.md", "tools", tool_documents.tools_markdown),
    ("docs/statistics.md", "oracles", oracles_markdown),
    ("docs/statistics.md", "side-by-side", side_by_side_markdown),
)


def with_block(text: str, name: str, content: str) -> str:
    """A document with one generated part made anew."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, rest = text.split(begin, 1)
    _, after = rest.split(end, 1)
    return f"{before}{begin}\n{content}\n{end}{after}"


def main() -> int:
    """Write or check; 1 when a check finds an outdated document."""
    outdated = []
    if "--check" in sys.argv:
        outdated += [f"server/quantgate/{path}" for path in tool_documents.differing()]
    else:
        # First: the cost of the list of tools is that of the entries.
        tool_documents.renew_entries()
    for file, name, make in BLOCKS:
        path = ROOT / file
        text = path.read_text(encoding="utf-8")
        current = with_block(text, name, make())
        if current != text:
            outdated.append(f"{file} ({name})")
            if "--check" not in sys.argv:
                path.write_text(current, encoding="utf-8")
    if "--check" in sys.argv:
        outdated += [f"skills/evaluation/{path.as_posix()}" for path in differing()]
        outdated += manifests.differing() + architecture.differing()
        sys.stderr.write("".join(f"not current: {entry}; run make docs\n" for entry in outdated))
        return 1 if outdated else 0
    write_env_example()
    renew()
    manifests.renew()
    architecture.renew()
    return 0


if __name__ == "__main__":
    sys.exit(main())
