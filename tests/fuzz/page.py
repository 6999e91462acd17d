"""docs/fuzzing.md: its tables, from the campaign's record and the list of what was found; `python -m tests.fuzz.page`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from .campaign import RECORD
from .targets import TARGETS, target

PAGE = Path(__file__).parents[2] / "docs" / "fuzzing.md"
FINDINGS = Path(__file__).with_name("findings.yaml")
_BEGIN, _END = "<!-- {}: written by `python -m tests.fuzz.page` -->", "<!-- end of {} -->"


def found() -> list[dict[str, Any]]:
    """What was found, in the order of its list."""
    rows: list[dict[str, Any]] = yaml.safe_load(FINDINGS.read_text(encoding="utf-8"))
    return rows


def tables() -> dict[str, str]:
    """The tables of the page, by name."""
    return {"campaign": _campaign(), "findings": _findings()}


def _campaign() -> str:
    runs = [json.loads(line) for line in RECORD.read_text(encoding="utf-8").splitlines()]
    lines = [
        "| target | what it reaches | executions | minutes | edges | findings |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name in TARGETS:
        own = [run for run in runs if run["target"] == name]
        what = (sys.modules[target(name).call.__module__].__doc__ or "").partition("\n")[0].rstrip(".")
        executions, minutes = sum(r["executions"] for r in own), sum(r["seconds"] for r in own) / 60
        edges = max((r["edges"] for r in own), default=0)
        kinds = len({row["what"] for row in found() if row["target"] == name})
        lines.append(f"| {name} | {what} | {executions:,} | {minutes:.1f} | {edges or 'not known'} | {kinds} |")
    return "\n".join(lines)


def _findings() -> str:
    lines = ["| target | what happened | how it was found | mended in | kept as |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {r['target']} | {r['what']} | {r['by']} | {r['mended']} | {r['kept']} |" for r in found()]
    return "\n".join(lines)


def written(page: str) -> str:
    """The page with its tables written anew."""
    for name, table in tables().items():
        begin, end = _BEGIN.format(name), _END.format(name)
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
