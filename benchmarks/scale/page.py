"""The page on limits, docs/scale.md, from the figures that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .figures import Figure, load

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Limit:
    """One row of the table of limits.

    Attributes:
        what: What is made large.
        cost: A key of the figures that tells how far it was measured: (axis, what, unit); the largest size counts.
        breaks: Where it breaks, in words.
        then: What happens there.
        do: What a user does.
    """

    what: str
    cost: tuple[str, str, str]
    breaks: str
    then: str
    do: str


ONE_RUN = "one run of so many jobs"
MANY_RUNS = "50 runs, with so many jobs of the user in the queue"
CHAINS = "1,000 tasks, each a chain of jobs, so many in all"
AGAIN = "run of a config that was run there so often before"
USERS = "users who wait all the time, extrapolated"
CALLS = "calls of squeue and sacct"
SCAN = "a scan"
IDLE = "memory of an idle server, private"
OLDEST = "the oldest id, completed by its first 8 characters"

LIMITS = (
    Limit(
        "runs in the ledger", ("ledgers", "status(), again", "ms"),
        "by extrapolation at some millions of runs, when `status()` takes 10 s",
        "the answer comes late", "give ids: their cost does not grow",
    ),
    Limit(
        "NEL's record of jobs", ("ledgers", "status() in a server that has just started", "ms"),
        "50,000 jobs are remembered; each new server reads the file once",
        "an older run of plain NEL is an unknown id; launches of quantgate are in the ledger and stay known", "give its directory",
    ),
    Limit(
        "beginnings of ids", ("ledgers", "status of the first 4 characters of an id", "ms"),
        "4 characters mean several of 10,000 ids in one of seven cases",
        "the call is refused and names them", "give 8 characters",
    ),
    Limit(
        "tasks of one run on a cluster", ("sweeps", ONE_RUN, "ms"),
        "by extrapolation at 17,000 tasks, or some 30,000 jobs of one user in the queue: the reply passes 8 MB",
        "unreachable, with these words, never failed", "name one task as `host:/path`",
    ),
    Limit(
        "tasks in one answer of `status`", ("sweeps", ONE_RUN, "tokens of the answer"),
        "120 tasks",
        "120 are shown, those that failed first; a warning counts all by state", "name one task as `host:/path`",
    ),
    Limit(
        "runs in one answer of `status`", ("sweeps", MANY_RUNS, "tokens of the answer"),
        "50 runs by name, 10 without", "`omitted` counts the others", "ask in turns of 50",
    ),
    Limit(
        "jobs in the chains of one look", ("sweeps", CHAINS, "ms"),
        "2,500 ids in one `sacct`; more take several, of 20 s each at most and 45 s together",
        "unreachable when the accounting is slower", "ask for fewer runs at once",
    ),
    Limit(
        "earlier runs of one config on a cluster", ("sweeps", AGAIN, CALLS),
        "none found: one look for all of them", "the look is larger", "nothing",
    ),
    Limit(
        "users on one cluster", ("servers", USERS, "calls of squeue and sacct a minute"),
        "a site's own rule; slurmctld and slurmdbd answer these calls one user beside the other",
        "a cluster that answers slowly is asked less: ten times as long as it took passes between two looks",
        "wait with `wait_seconds`, do not ask in a loop",
    ),
    Limit(
        "servers on one login node", ("servers", IDLE, "MB"),
        "the memory: 200 idle servers, extrapolated, hold {servers_gb:.0f} GB", "the node swaps",
        "serve all of a group by one server over HTTP (docs/serving.md)",
    ),
    Limit(
        "bytes of logs in one scan", ("logs", SCAN, "GB read"),
        "what 45 s read: the processors work {per_gb:.1f} s on each GB, side by side",
        "the verdict is at best suspicious, and a warning tells how many GB and logs were not read",
        "name a task or a source, and scan those in turn",
    ),
    Limit(
        "logs of one run", ("logs", "a scan with so many files in logs/", "ms"),
        "200 logs of a task, 1,000 of a run", "the answer counts those that were left out", "name a task or a source",
    ),
    Limit(
        "files in a task's directory", ("logs", "status of a task with so many files in logs/", "ms"),
        "none found up to here; each look lists the directory",
        "it takes longer; over a link one line for each folder comes back", "nothing",
    ),
)  # fmt: skip

MENDED = (
    ("A look at a run of 1,000 tasks: lists of the shell were made word by word, and every task went through the whole queue",
     ("sweeps", ONE_RUN, 1_000, "ms")),
    ("… of 3,000 tasks", ("sweeps", ONE_RUN, 3_000, "ms")),
    ("The answer to it", ("sweeps", ONE_RUN, 1_000, "tokens of the answer")),
    ("Chains of 20,000 jobs: the ids did not fit into one word", ("sweeps", CHAINS, 20_000, CALLS)),
    ("A launch whose config was run on the cluster 50 times before", ("sweeps", AGAIN, 50, CALLS)),
    ("200 users who wait", ("servers", USERS, 200, "calls of squeue and sacct a minute")),
    ("A scan of 1 TB: clients that give a call 60 s got no answer", ("logs", SCAN, 1_000, "s")),
    ("The oldest of 10,000 ids, completed by its beginning", ("ledgers", OLDEST, 10_000, "found")),
)  # fmt: skip

COSTS = {
    "ledgers": "Runs in the ledger",
    "sweeps": "Jobs on a cluster",
    "servers": "Servers and users",
    "logs": "Logs",
}


def written() -> str:
    """The whole page."""
    about, figures, before = load()
    parts = [
        "# How far it goes",
        "",
        "What breaks first when ledgers, sweeps, users and logs are a hundred times those of a desk. Written by `python -m "
        "benchmarks.scale` from `benchmarks/scale/results.json`; no figure here was typed.",
        "",
        f"Measured on {about.get('measured', '?')}, {about.get('processors', '?')} processors, {about.get('memory_gb', '?')} GB, "
        "beside much other work: times are processor time of quantgate and its children, not of the clock, unless the unit says s. "
        "Ledgers are synthetic rows of the real schema. Sweeps run against a replayed scheduler: real commands in a real shell, "
        "with the kernel's limits on arguments, and `squeue` and `sacct` that print rows as wide as the real ones. 1 TB of logs is "
        "1,000 names of one file of 1 GB, read anew each time. 200 servers are extrapolated from "
        f"{_counts(figures)}. A look's cost for "
        "Slurm's daemons is that of a real Slurm of one node.",
        "",
        "## Limits",
        "",
        "| what | measured up to | cost there | breaks at | what happens then | what to do |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_limit(limit, figures) for limit in LIMITS),
        "",
        "## What broke first, and was mended",
        "",
        "| what | before | now |",
        "| --- | --- | --- |",
        *(f"| {what} | {_shown(before, key)} | {_shown(figures, key)} |" for what, key in MENDED),
        "",
        "## Cost by size",
    ]
    for axis, title in COSTS.items():
        parts += ["", f"### {title}", "", *_costs([f for f in figures if f.axis == axis])]
    return "\n".join(parts) + "\n"


def _limit(limit: Limit, figures: Sequence[Figure]) -> str:
    axis, what, unit = limit.cost
    known = [f for f in figures if (f.axis, f.what, f.unit) == (axis, what, unit)]
    largest = max(known, key=lambda f: f.size, default=None)
    reached = f"{largest.size:,} {largest.of}" if largest else NOT_MEASURED
    reached += " (extrapolated)" if "extrapolated" in what else ""
    cost = f"{_number(largest.value)} {unit}" if largest else NOT_MEASURED
    breaks = limit.breaks.format(servers_gb=_servers(figures), per_gb=_per_gigabyte(figures))
    return f"| {limit.what} | {reached} | {cost} | {breaks} | {limit.then} | {limit.do} |"


def _counts(figures: Sequence[Figure]) -> str:
    sizes = sorted({f.size for f in figures if f.what == IDLE})
    return f"{', '.join(map(str, sizes[:-1]))} and {sizes[-1]}" if len(sizes) > 1 else "one"


def _servers(figures: Sequence[Figure]) -> float:
    each = [f.value for f in figures if f.what == IDLE]
    return 200 * each[-1] / 1000 if each else 0.0


def _per_gigabyte(figures: Sequence[Figure]) -> float:
    return next((f.value for f in figures if f.what == SCAN and f.size == 1 and "per GB" in f.unit), 0.0)


def _shown(figures: Sequence[Figure], key: tuple[str, str, int, str]) -> str:
    found = next((f for f in figures if f.key == key), None)
    if found is None:
        return NOT_MEASURED
    if found.value < 0:
        return f"no answer ({found.note})"
    return f"{_number(found.value)} {found.unit}" + (f" ({found.note})" if found.note else "")


def _costs(figures: Sequence[Figure]) -> list[str]:
    """A line for each quantity, its sizes side by side."""
    lines = ["| what | unit | by size |", "| --- | --- | --- |"]
    rows: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        rows.setdefault((figure.what, figure.unit), []).append(figure)
    for (what, unit), found in rows.items():
        cells = "; ".join(
            f"{f.size:,} {f.of}: {_number(f.value) if f.value >= 0 else 'no answer'}"
            for f in sorted(found, key=lambda f: f.size)
        )
        lines.append(f"| {what} | {unit} | {cells} |")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2g}"
