"""Plays many runs, each in an enclosure of its own, some beside each other; writes the record and tells what was found."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import enclosure, record
from .world import BASELINE

RUN_SECONDS = 1200.0
"""After this time a run of the campaign is ended from outside: the campaign itself hangs."""
SLURM_TOGETHER = 6
"""Runs that share one cluster, one after the other."""


@dataclass(frozen=True)
class Order:
    """Runs that one enclosure plays.

    Attributes:
        most: Faults in one at most.
        plan: As JSON, instead of what the seed draws.
    """

    world: str
    seeds: tuple[int, ...]
    most: int = 3
    plan: str = ""


@dataclass
class Campaign:
    """The runs of a campaign.

    Args:
        out: Where the record and what is kept of violations go.
        tree: The copy of the repository that is tried.
        lanes: Enclosures at the same time.
        minutes: After which no further run is begun.
    """

    out: Path
    tree: Path = enclosure.ROOT
    lanes: int = 2
    minutes: float = 1e6
    found: int = 0
    played: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def file(self) -> Path:
        """The record."""
        return self.out / "record.jsonl"

    def prepare(self) -> None:
        """Play a run without faults, once: the others go on from its canary and are compared with it."""
        (self.out / "kept").mkdir(parents=True, exist_ok=True)
        if not (self.out / "kept" / BASELINE).exists():
            self.enclosed(Order("process", (0,), most=0))

    def play(self, orders: Sequence[Order]) -> None:
        """Play all that there is time for."""
        self.prepare()
        waiting: queue.Queue[Order] = queue.Queue()
        for order in orders:
            waiting.put(order)
        latest = time.monotonic() + self.minutes * 60
        threads = [threading.Thread(target=self._lane, args=(waiting, latest)) for _ in range(self.lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, waiting: queue.Queue[Order], latest: float) -> None:
        while time.monotonic() < latest:
            try:
                order = waiting.get_nowait()
            except queue.Empty:
                return
            self.enclosed(order)

    def enclosed(self, order: Order) -> list[dict[str, Any]]:
        """Play runs in an enclosure of their own; their records, which are written down too."""
        words = [order.world, *map(str, order.seeds), "--most", str(order.most), "--plan", order.plan]
        rows = []
        command = enclosure.command(self.out / "kept", self.tree, "tests.faults.one", *words)
        errors = self.out / "stderr.log"
        with (
            errors.open("ab") as log,
            subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            ) as process,
        ):
            limit = threading.Timer(RUN_SECONDS * len(order.seeds), process.kill)
            limit.start()
            assert process.stdout is not None
            left = set(order.seeds)
            for line in process.stdout:
                if line.startswith("{"):
                    row = json.loads(line)
                    left.discard(row["seed"])
                    rows.append(row)
                    self._note(row)
            limit.cancel()
        for seed in sorted(left):
            rows.append({"seed": seed, "world": order.world, "broken": f"it ended without a record (see {errors})"})
            self._note(rows[-1])
        return rows

    def _note(self, row: dict[str, Any]) -> None:
        with self._lock:
            row["at"] = round(time.time())
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            self.played += 1
            self.found += bool(row.get("violations") or "broken" in row)
            print(record.line(row), flush=True)


def orders(world: str, runs: int, first: int) -> list[Order]:
    """The runs of a campaign; for "all", one in six on a cluster and one in thirty with a real model.

    Args:
        world: "process", "slurm", "model" or "all".
        runs: How many.
        first: The first seed.
    """
    slurm = {"slurm": runs, "all": max(1, runs // 6)}.get(world, 0)
    model = {"model": runs, "all": max(1, runs // 30)}.get(world, 0)
    seeds = list(range(first, first + runs))
    plain = [Order("process", (seed,)) for seed in seeds[slurm + model :]]
    special = [
        Order("slurm", tuple(seeds[i : min(i + SLURM_TOGETHER, slurm)])) for i in range(0, slurm, SLURM_TOGETHER)
    ] + [Order("model", (seed,)) for seed in seeds[slurm : slurm + model]]
    # Spread, so that a campaign that is ended early has some of each.
    step = max(1, len(plain) // (len(special) + 1))
    for number, order in enumerate(special):
        plain.insert(number * (step + 1), order)
    return plain


def tell(campaign: Campaign) -> int:
    """Say what came of it; the exit code."""
    print(f"{campaign.played} runs, {campaign.found} with violations; {campaign.file}")
    return 1 if campaign.found else 0


def fail(text: str) -> int:
    """Say why there is no campaign; the exit code."""
    print(text, file=sys.stderr)
    return 2
