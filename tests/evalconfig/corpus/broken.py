"""The cases: keys, values, deployments, tasks, and files that are hardly configs."""

from . import commands, files, hunt, keys, scheduling, servers, tasks, values
from .case import Case


def cases() -> list[Case]:
    """Every broken config of the corpus."""
    return [
        *keys.cases(),
        *values.cases(),
        *scheduling.cases(),
        *servers.cases(),
        *tasks.cases(),
        *files.cases(),
        *hunt.cases(),
        *commands.cases(),
    ]
