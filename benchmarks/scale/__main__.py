"""Measure some axes, or all, and write the page: `python -m benchmarks.scale [--quick] [--before] [AXIS…]`."""

from __future__ import annotations

import argparse
import os
import sys
import time

from . import figures, ledgers, logs, page, servers, sweeps

AXES = {"ledgers": ledgers.measure, "sweeps": sweeps.measure, "servers": servers.measure, "logs": logs.measure}


def main() -> int:
    """Print every figure as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("axes", nargs="*", choices=[*AXES, "page"], help="which to measure; page: only write the page")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; nothing is kept")
    parser.add_argument("--before", action="store_true", help="keep the figures as those of the code before a mend")
    given = parser.parse_args()
    for axis in given.axes or AXES:
        if axis == "page":
            continue
        found = []
        for figure in AXES[axis](quick=given.quick):
            found.append(figure)
            print(
                f"{axis}: {figure.what}, {figure.size:,} {figure.of}: {figure.value:,.2f} {figure.unit} {figure.note}",
                flush=True,
            )
        if not given.quick:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
            about = {"measured": time.strftime("%Y-%m-%d"), "processors": os.cpu_count(), "memory_gb": round(memory)}
            figures.keep(about, found, before=given.before)
    if not given.quick:
        page.PAGE.write_text(page.written(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
