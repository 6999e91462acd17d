"""Whether runs can be launched from this machine at all."""

from __future__ import annotations

from ..errors import LauncherError
from ..system import processes

ELSEWHERE = (
    "start quantgate where there is one: in WSL 2 on this machine, or on the cluster's login node (`quantgate serve` over ssh); "
    "configs, checkpoints, clusters and finished runs can be read, checked, verified and compared from here"
)


def reason_against() -> str:
    """Why nothing can be launched from here; empty when it can."""
    if processes.RUNS_SHELL_SCRIPTS:
        return ""
    return "NEL 0.2.6 launches with bash, rsync and ssh's shared connections, which Windows does not have"


def require_launches() -> None:
    """Refuse a launch or a resume on a system that NEL cannot launch from.

    Raises:
        LauncherError: It is Windows.
    """
    if reason := reason_against():
        raise LauncherError(
            f"No run can be launched from this machine: {reason}", fix=f"{ELSEWHERE}; nothing was launched"
        )
