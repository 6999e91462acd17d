"""Which reader reads a harness's per-sample files.

A harness without a reader has no table: its runs can be summed up, but not validated.
"""

from __future__ import annotations

from collections.abc import Callable

from ..runs.rundir import TaskDir
from .ifbench import read_ifbench
from .sample_table import SampleTable

Reader = Callable[[TaskDir, str], SampleTable | None]
"""Task and metric (empty for the harness's main one) to a table; None when no per-sample file is there."""


READERS: dict[str, Reader] = {"ifbench": read_ifbench}
"""The reader of each harness that has one."""


def has_reader(harness: str) -> bool:
    """Whether the per-sample files of a harness can be read."""
    return harness in READERS


def read_samples(task: TaskDir, harness: str, metric: str = "") -> SampleTable | None:
    """The samples of a task.

    Args:
        task: From a `RunDir`.
        harness: As in NEL's catalogue ("ifbench").
        metric: By its name in results.yml; empty for the harness's main one.

    Returns:
        None when the harness has no reader, or its per-sample file is not there.
    """
    reader = READERS.get(harness)
    return reader(task, metric) if reader is not None else None
