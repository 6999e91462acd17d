"""`python -m benchmarks.one NAME FILE [--quick]`: one benchmark in this process; what it found goes to the file."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from . import kept
from .measured import Effort


def main(name: str, file: str, *flags: str) -> None:
    """Measure and write."""
    found = importlib.import_module(f"benchmarks.{name}").measure(Effort(quick="--quick" in flags))
    Path(file).write_text(kept.encoded(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
