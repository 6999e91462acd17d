"""The stand-in for the Hub of the checkpoint's tests, as a process of its own: `python -m tests.agent.harness.hub FILES READY`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.checkpoint import hub_stand_in


def main() -> None:
    """Serve until killed; READY gets the address."""
    files, ready = Path(sys.argv[1]), Path(sys.argv[2])
    with hub_stand_in.running(files) as hub:
        temporary = ready.with_suffix(".new")
        temporary.write_text(hub.url, "utf-8")
        temporary.replace(ready)
        threading.Event().wait()


if __name__ == "__main__":
    main()
