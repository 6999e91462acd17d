"""Writes the parts of the documents that list what the code has: the README's table of tools, and recipes/env.example.

`python scripts/generate_docs.py` writes them; `--check` only says whether they are current (exit 1 when not).
"""

from __future__ import annotations

import sys
from pathlib import Path

from quantgate.benchmarks.env_example import write_env_example
from quantgate.tools import TOOLS

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- tools:begin -->", "<!-- tools:end -->"


def tool_table() -> str:
    """The table of tools in Markdown: step, name, what it does (the first sentence of its description)."""
    rows = ["| step | tool | what it does |", "| --- | --- | --- |"]
    for spec in TOOLS:
        text = " ".join((spec.function.__doc__ or "").split())
        rows.append(f"| {spec.step} | `{spec.name}` | {text.split('. ')[0].rstrip('.')} |")
    return "\n".join(rows)


def with_table(text: str) -> str:
    """A document with the table between its markers made anew."""
    before, rest = text.split(BEGIN, 1)
    _, after = rest.split(END, 1)
    return f"{before}{BEGIN}\n{tool_table()}\n{END}{after}"


def main() -> int:
    """Write or check; 1 when a check finds an outdated document."""
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    current = with_table(text)
    if "--check" in sys.argv:
        return 0 if current == text else 1
    readme.write_text(current, encoding="utf-8")
    write_env_example()
    return 0


if __name__ == "__main__":
    sys.exit(main())
