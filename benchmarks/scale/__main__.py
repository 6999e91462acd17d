"""Measure some axes, or all, and write the page: `python -m benchmarks.scale [--quick] [--before] [AXIS…]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from . import figures, ledgers, logs, page, servers, sweeps

AXES = {"ledgers": ledgers.measure, "sweeps": sweeps.measure, "servers": servers.measure, "logs": logs.measure}


def main() -> int:
    """Print every figure as it comes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("axes", nargs="*", help=f"which to measure: {', '.join(AXES)}; page: only write the page")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it works; nothing is kept")
    parser.add_argument("--before", action="store_true", help="keep the figures as those of the code before a mend")
    given = parser.parse_args()
    if strange := set(given.axes) - {*AXES, "page"}:
        parser.error(f"no axis: {', '.join(sorted(strange))}")
    flags = [f"--{name}" for name in ("quick", "before") if getattr(given, name)]
    axes = [axis for axis in given.axes or AXES if axis != "page"]
    if len(axes) > 1:
        # Each by a process of its own: what one leaves in memory is no cost of the next.
        one = [sys.executable, "-m", "benchmarks.scale", *flags]
        codes = [subprocess.run([*one, axis], check=False).returncode for axis in axes]
        return max(map(abs, codes))
    for axis in axes:
        _measure(axis, quick=given.quick, before=given.before)
    if not given.quick:
        page.PAGE.write_text(page.written(), encoding="utf-8")
    return 0


def _measure(axis: str, *, quick: bool, before: bool) -> None:
    found = []
    begun, load = time.perf_counter(), os.getloadavg()[0]
    for figure in AXES[axis](quick=quick):
        found.append(figure)
        print(
            f"{axis}: {figure.what}, {figure.size:,} {figure.of}: {figure.value:,.2f} {figure.unit} {figure.note}",
            flush=True,
        )
    if not quick:
        minutes = (time.perf_counter() - begun) / 60
        about = {"measured": time.strftime("%Y-%m-%d"), "minutes": round(minutes, 1), "load": round(load, 1)}
        figures.keep(axis, {**about, "machine": _machine()}, found, before=before)


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} processors, {memory:.0f} GB"


if __name__ == "__main__":
    sys.exit(main())
