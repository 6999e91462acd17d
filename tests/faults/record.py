"""The record of a campaign, one line of JSON for each run, and the tables that docs/faults.md shows of it.

`python -m tests.faults.record RECORD …` puts records together into `RECORD`, the one that is kept, and writes the page's tables.
"""

from __future__ import annotations

import collections
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
RECORD = HERE / "record.jsonl"
SEEDS = HERE / "seeds.yaml"
PAGE = HERE.parents[1] / "docs" / "faults.md"
BEGIN, END = "<!-- tables: python -m tests.faults.record -->", "<!-- end of tables -->"

WORLDS = {
    "process": "one machine, runs as processes",
    "model": "the same, with the real small model",
    "slurm": "a real Slurm cluster of one node, over SSH",
}
FAULTS = {
    "server_kill": "server killed",
    "server_term": "server told to end (SIGTERM)",
    "server_eof": "client gone (input closed)",
    "server_stop": "server suspended",
    "child_kill": "NEL's process killed during a dry run or launch",
    "point": "server or NEL's process ended at a named place in a launch",
    "runner_kill": "runner killed, harness goes on",
    "harness_kill": "harness killed",
    "power_cut": "every process killed at once",
    "endpoint_kill": "model server killed",
    "endpoint_stop": "model server hangs",
    "disk_results": "disk of the run directories full",
    "disk_state": "disk of the ledger full",
    "packets": "packets dropped by the kernel (5 to 50 %)",
    "sshd_kill": "sshd killed, all sessions ended",
    "sessions_kill": "all SSH sessions ended",
    "slurmctld_kill": "slurmctld killed",
    "slurmd_kill": "slurmd killed",
}


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a record."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]


def line(row: dict[str, Any]) -> str:
    """A run in a line; with violations, its plan too, so that it can be played again."""
    if "broken" in row:
        return f"{row['world']} {row['seed']}: the campaign itself broke: {row['broken'][-600:]}"
    faults = ", ".join(f"{f['kind']}@{f['phase']}{'' if f['hit'] else ' (missed)'}" for f in row["faults"]) or "none"
    text = f"{row['world']} {row['seed']}: {row['verdict'] or 'not done'} in {row['seconds']:.0f} s; {faults}"
    for violation in row["violations"]:
        text += f"\n  VIOLATION {violation['invariant']}: {violation['what'][:600]}"
    if row["violations"]:
        text += f"\n  plan: {json.dumps(row['planned'])}"
    return text


def kept(row: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a row: a clean run's plan follows from its faults."""
    dropped = {"planned"} if not row.get("violations") else set()
    return {name: value for name, value in row.items() if name not in dropped}


def tables(rows: Sequence[dict[str, Any]], seeds: Sequence[dict[str, Any]]) -> str:
    """The tables of the page.

    Args:
        rows: Of the record.
        seeds: Of seeds.yaml.
    """
    played = [row for row in rows if "broken" not in row and row["faults"]]
    lines = ["| world | runs | with the real harness | faults that hit | ended with a valid verdict | median seconds |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for world, text in WORLDS.items():
        lines.append(_world(text, [row for row in played if row["world"] == world]))
    lines.append(_world("**all**", played))
    hit = collections.Counter(f["kind"] for row in played for f in row["faults"] if f["hit"])
    lines += ["", "| fault | times |", "| --- | --- |"]
    lines += [f"| {text} | {hit[kind]} |" for kind, text in FAULTS.items()]
    found = [row for row in played if row["violations"]]
    lines += ["", "| | |", "| --- | --- |", f"| runs without a violation | {len(played) - len(found)} |"]
    lines += [f"| runs with a violation | {len(found)} |"]
    lines += [
        f"| violations found and mended, each replayed by CI or held by tests | {sum('mended' in seed for seed in seeds)} |"
    ]
    lines += [f"| violations left | {sum('left' in seed for seed in seeds)} |", ""]
    return "\n".join([*lines, *(_seed(seed) for seed in seeds)])


def _world(text: str, rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return f"| {text} | 0 | | | | |"
    real = sum(row.get("harness", "real") == "real" for row in rows)
    hits = sum(fault["hit"] for row in rows for fault in row["faults"])
    valid = sum(row["verdict"].startswith("valid") for row in rows)
    seconds = statistics.median(row["seconds"] for row in rows)
    return f"| {text} | {len(rows)} | {real} | {hits} | {valid} | {seconds:.0f} |"


def _seed(seed: dict[str, Any]) -> str:
    what = seed.get("mended") or f"Left: {seed['left']}"
    held = f" Held by {seed['held_by']}." if "held_by" in seed else ""
    return f"- {seed['plan']['world']} {seed['plan']['seed']}: {' '.join(what.split())}{held}"


def page(text: str, made: str) -> str:
    """The page with these tables between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{made}\n{END}{rest.partition(END)[2]}"


def main(files: Sequence[str]) -> None:
    """Put records together, if any are given, and write the tables."""
    if files:
        rows = [kept(row) for file in files for row in read(Path(file))]
        RECORD.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows), "utf-8")
    made = tables(read(RECORD), yaml.safe_load(SEEDS.read_text("utf-8")))
    PAGE.write_text(page(PAGE.read_text("utf-8"), made), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
