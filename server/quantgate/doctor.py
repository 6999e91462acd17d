"""`quantgate doctor`: what check_environment sees, in lines for people.

A line begins with `ok`, `!` (not there, and perhaps not needed) or `x` (in the way of an evaluation).
"""

from __future__ import annotations

import sys
from typing import TextIO

from .gates.permission.shown import in_full
from .tools.check_environment import CheckEnvironmentResult, Cluster, Credential, check_environment

OK, NOTE, BAD = "ok", "!", "x"
MOST = 12
"""The longest list of names in one line."""


def doctor(*, workspace: str = "", config: str = "", host: str = "", out: TextIO | None = None) -> int:
    """Look and print.

    Args:
        workspace: A workspace or the root of several.
        config: A launcher config whose variables are looked up.
        host: A cluster's login host, looked at over SSH.
        out: Where to print (default: standard output).

    Returns:
        0 if nothing is in the way of an evaluation, else 1.

    Raises:
        BadInput: As check_environment.
    """
    stream = out or sys.stdout
    found = check_environment(workspace=workspace, config=config, host=host)
    rows = [*_machine(found), *_credentials(found, config), *_clusters(found, host), *_work(found)]
    for mark, what, text in rows:
        print(f"{mark:<2} {what:<11} {_line(text)}", file=stream)
    for warning in found.warnings:
        print(f"{NOTE:<2} {'note':<11} {_line(warning)}", file=stream)
    for blocker in found.blockers:
        print(f"{BAD:<2} {'blocker':<11} {_line(blocker)}", file=stream)
    # A cluster that was asked for and does not answer is no blocker for a run elsewhere, but it is the answer here.
    ready = found.ready and all(mark != BAD for mark, _, _ in rows)
    print("Ready." if ready else "Not ready: see the lines with x.", file=stream)
    return 0 if ready else 1


_Row = tuple[str, str, str]


def _machine(found: CheckEnvironmentResult) -> list[_Row]:
    launcher = found.launcher
    same = launcher.version == launcher.validated_version
    if not launcher.version:
        version = "not installed"
    elif same:
        version = launcher.version
    else:
        version = f"{launcher.version}; tested with {launcher.validated_version}"
    engine = found.containers
    return [
        (OK if same else NOTE if launcher.version else BAD, "launcher", f"NeMo Evaluator Launcher {version}"),
        (OK, "containers", engine.engine) if engine.usable else (NOTE, "containers", engine.reason),
    ]


def _credentials(found: CheckEnvironmentResult, config: str) -> list[_Row]:
    present = [c for c in found.credentials if c.set]
    absent = [c for c in found.credentials if not c.set]
    rows = [(OK, "variable", f"{c.name} is set ({c.found_in})") for c in present]
    if config:
        return rows + [(BAD, "variable", f"{c.name} is not set; needed by {c.needed_by}") for c in absent]
    # Without a config these are what some recipe asks for: not a fault, and one line is enough.
    return rows + (
        [(NOTE, "variables", f"not set, and needed by some recipes only: {_names(absent)}")] if absent else []
    )


def _names(rows: list[Credential]) -> str:
    more = f" and {len(rows) - MOST} more" if len(rows) > MOST else ""
    return ", ".join(c.name for c in rows[:MOST]) + more


def _clusters(found: CheckEnvironmentResult, host: str) -> list[_Row]:
    if not found.clusters:
        return [(NOTE, "cluster", "none in clusters.yaml; --host NAME looks at one")]
    return [(_mark(c, host), "cluster", f"{c.host}: {_about(c)}") for c in found.clusters]


def _mark(cluster: Cluster, host: str) -> str:
    if cluster.reachable:
        return OK
    return BAD if host else NOTE


def _about(cluster: Cluster) -> str:
    known = [f"Slurm {cluster.slurm}" if cluster.slurm else "", cluster.partitions, cluster.reason]
    return "; ".join(part for part in known if part)


def _work(found: CheckEnvironmentResult) -> list[_Row]:
    if not found.workspaces:
        return [(NOTE, "workspace", "none found; --workspace DIR or MODELOPT_WORKSPACE_ROOT names one")]
    return [
        (
            OK,
            "workspace",
            f"{w.path}: {_count(w.checkpoints, 'checkpoint')}, {_count(w.configs, 'config')}, {_count(w.runs, 'run')}",
        )
        for w in found.workspaces
    ]


def _count(items: list[str], noun: str) -> str:
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def _line(text: str) -> str:
    """One line, redacted, with nothing in it that a terminal would act on."""
    return " ".join(in_full(text).split())
