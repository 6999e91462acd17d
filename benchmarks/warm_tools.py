"""Every read-only tool, warm over stdio, against the command of `nel` that a user would type instead.

`check_config` is asked about text that it has not seen before; each of its rounds is another of recipes/examples. Where no command
of `nel` does the like, the other side is a script such as a user would write, or none.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from . import made_runs
from .kept import ROOT
from .measured import Effort, Result, Row, alone, compared, in_turn, milliseconds, seconds, timed
from .tool_server import ToolServer

FASTER = 20.0
CHECKPOINT = ROOT / "tests" / "data" / "checkpoints" / "nvfp4_default"
QUERIES = ("gpqa", "code", "math", "tool calling", "long context", "safety", "ifbench")
BY_HAND = """
import json, sys
import numpy as np
from statsmodels.stats.contingency_tables import mcnemar
sides = []
for path in sys.argv[1:]:
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    sides.append({row["prompt"]: row["follow_all_instructions"] for row in rows})
pairs = np.array([(sides[0][p], sides[1][p]) for p in sides[0] if p in sides[1]])
table = [[np.sum((pairs[:, 0] == a) & (pairs[:, 1] == b)) for b in (True, False)] for a in (True, False)]
print(mcnemar(table))
"""
"""Two runs compared by hand: their answers paired, and McNemar's test."""


class Bench:
    """A warm server and what is asked of it."""

    def __init__(self, server: ToolServer, folder: Path, effort: Effort) -> None:
        self.server, self.folder, self.effort = server, folder, effort
        self.ids = made_runs.local_runs(folder, 2)

    def call(self, tool: str, **arguments: Any) -> Callable[[], object]:
        """A call that does not take place yet."""
        return lambda: self.server.call(tool, **arguments)

    def paired(
        self,
        key: str,
        call: Callable[[], object],
        against: str,
        other: Callable[[], object],
        limit: float | None = None,
    ) -> Row:
        """A row of a tool beside a command; the tool was called before."""
        call()
        rounds = in_turn(timed(call, other), self.effort.rounds(7))
        return compared(key, f"{key}, warm", against, milliseconds(rounds), unit="ms", reads="speed", limit=limit)

    def single(self, key: str, call: Callable[[], object]) -> Row:
        """A row of a tool that has no like."""
        call()
        return alone(key, f"{key}, warm", [1000 * seconds(call) for _ in range(self.effort.rounds(11))], unit="ms")

    def status(self) -> Row:
        """Against `nel status`."""
        command = self.call("status", invocation_ids=self.ids[:1])
        return self.paired("status", command, "nel status", lambda: made_runs.nel_status(self.ids[:1]), FASTER)

    def list_tasks(self) -> Row:
        """Against `nel ls tasks`; every round asks for something else."""
        queries = itertools.cycle(QUERIES)
        call = lambda: self.server.call("list_tasks", query=next(queries))  # noqa: E731 - one expression, named
        return self.paired("list_tasks", call, "nel ls tasks", lambda: made_runs.nel("ls", "tasks"), FASTER)

    def check_config(self) -> Row:
        """Against `nel run --dry-run`."""
        paths = made_runs.examples(self.folder)
        for path in paths:
            self.server.call("check_config", config=str(path))
        figures = []
        for number, path in enumerate(paths if not self.effort.quick else paths[:2]):
            new = path.with_stem(f"{path.stem}_{number}")
            new.write_text(path.read_text("utf-8") + f"# not seen before: {number}\n", "utf-8")
            dry = ("run", "--config", path, "--dry-run")
            sides = timed(self.call("check_config", config=str(new)), partial(made_runs.nel, *dry, check=False))
            figures += in_turn(sides, 1)
        return compared(
            "check_config", "check_config, warm, of a config not seen before", "nel run --dry-run", milliseconds(figures),
            unit="ms", reads="speed", limit=FASTER, note="each round another of recipes/examples",
        )  # fmt: skip

    def logs(self) -> Row:
        """Against `nel logs`, which follows for ever: until its first line."""
        argv = [made_runs.program("nel"), "logs", self.ids[0]]

        def first_line() -> None:
            with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                assert process.stdout is not None
                seen = process.stdout.readline()
                process.kill()
            if not seen:
                raise SystemExit("nel logs printed nothing")

        call = self.call("logs", invocation_id=self.ids[0])
        return self.paired("logs", call, "nel logs, until its first line", first_line)

    def grep_slurm_logs(self) -> Row:
        """Against copying the logs and grep."""

        def copied() -> None:
            with tempfile.TemporaryDirectory() as there:
                made_runs.nel("info", "--copy-logs", there, self.ids[0])
                subprocess.run(["grep", "-rciE", "error|out of memory|429", there], check=False, capture_output=True)

        call = self.call("grep_slurm_logs", invocation_id=self.ids[0])
        return self.paired("grep_slurm_logs", call, "nel info --copy-logs, then grep", copied)

    def verify_run(self) -> Row:
        """Against the list of artifacts, which a person must still judge."""
        call = self.call("verify_run", run=self.ids[0])
        other = lambda: made_runs.nel("info", "--artifacts", self.ids[0])  # noqa: E731 - one expression, named
        return self.paired("verify_run", call, "nel info --artifacts (judges nothing)", other)

    def compare_runs(self) -> Row:
        """Against a script with statsmodels."""
        files = [
            next(self.folder.glob(f"*-{one}")) / made_runs.TASK / "artifacts" / "eval_results_loose.jsonl"
            for one in self.ids
        ]
        argv = [sys.executable, "-c", BY_HAND, *map(str, files)]
        call = self.call("compare_runs", baseline=self.ids[0], candidate=self.ids[1])
        other = lambda: subprocess.run(argv, check=True, capture_output=True)  # noqa: E731 - one expression, named
        return self.paired("compare_runs", call, "a script: json, then McNemar by statsmodels", other)

    def rows(self) -> Iterator[Row]:
        """All of them, in the order of the tools."""
        yield self.single("check_environment", self.call("check_environment"))
        yield self.list_tasks()
        yield self.single("read_model_config", self.call("read_model_config", model=str(CHECKPOINT)))
        yield self.single("detect_quantization", self.call("detect_quantization", model=str(CHECKPOINT)))
        yield self.check_config()
        yield self.status()
        yield self.logs()
        yield self.grep_slurm_logs()
        yield self.verify_run()
        yield self.compare_runs()


def measure(effort: Effort) -> Result:
    """A row for each read-only tool."""
    folder = Path(tempfile.mkdtemp())
    # The examples' variables are in the environment before the server starts, as a user's are.
    made_runs.examples(folder)
    with ToolServer(cwd=folder) as server:
        server.begin()
        return Result(tuple(Bench(server, folder, effort).rows()))
