"""Keeps the test cluster alive for a world: `python -m tests.agent.harness.slurm_cluster BASE IMAGES READY` until it is killed.

The cluster is Slurm itself (tests/integration/slurm); only its container images are stand-ins. BASE is removed at the end.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import threading
from pathlib import Path

from tests.integration.slurm.cluster import Cluster


def main() -> None:
    """Start the cluster, write READY, and wait for a signal."""
    base, images, ready = (Path(word) for word in sys.argv[1:4])
    ended = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: ended.set())
    try:
        with Cluster(base, images=json.loads(images.read_text("utf-8"))):
            ready.write_text("ready\n", "utf-8")
            ended.wait()
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
