"""What a job of a config holds on a cluster: GPUs and hours, by what it asks of Slurm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...evalconfig.node_gpus import node_gpus


def gpus(config: Mapping[str, Any]) -> int | None:
    """GPUs of one job, those of auxiliary deployments among them; None when the config does not tell."""
    execution = config.get("execution") or {}
    nodes = execution.get("num_nodes")
    auxiliary = config.get("auxiliary_deployments") or {}
    others = [_nodes(a) for a in auxiliary.values()] if isinstance(auxiliary, Mapping) else [None]
    if not isinstance(nodes, int) or None in others:
        return None
    if execution.get("gres") in (None, "") and execution.get("gpus_per_node") is None:
        return 0
    per_node = node_gpus(execution).count
    return per_node * (nodes + sum(n or 0 for n in others)) if per_node else None


def _nodes(deployment: Any) -> int | None:
    if not isinstance(deployment, Mapping) or deployment.get("type", "none") == "none":
        return 0
    given = deployment.get("num_nodes", 1)
    return given if isinstance(given, int) else None


def hours_at_most(config: Mapping[str, Any]) -> float | None:
    """Hours that one task's chain of jobs may take; None without a limit.

    NEL (0.2.6) lets a follow-on start while the jobs before it took less than `max_walltime` together: the last one may then take
    a whole `walltime` on top, when one before it was preempted.
    """
    from ...evalconfig.lint.execution import walltime_seconds

    execution = config.get("execution") or {}
    one, chain = walltime_seconds(execution.get("walltime")), walltime_seconds(execution.get("max_walltime"))
    return (one + chain) / 3600 if one and chain else None
