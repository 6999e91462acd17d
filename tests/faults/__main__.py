"""`python -m tests.faults`: play the campaign."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import driver, enclosure


def main() -> int:
    """Play what the command line asks for; 1 when an invariant was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="the first run's seed; the others follow")
    parser.add_argument("--world", choices=["all", "process", "slurm", "model"], default="all")
    parser.add_argument("--minutes", type=float, default=1e6, help="after which no further run is begun")
    parser.add_argument("--lanes", type=int, default=2, help="runs at the same time")
    parser.add_argument("--tree", type=Path, default=enclosure.ROOT, help="a copy of the repository to try")
    parser.add_argument("--out", type=Path, default=enclosure.ROOT / "build" / "faults")
    asked = parser.parse_args()
    if missing := enclosure.missing():
        return driver.fail(missing)
    campaign = driver.Campaign(asked.out.absolute(), asked.tree.absolute(), asked.lanes, asked.minutes)
    campaign.play(driver.orders(asked.world, asked.runs, asked.seed))
    return driver.tell(campaign)


if __name__ == "__main__":
    sys.exit(main())
