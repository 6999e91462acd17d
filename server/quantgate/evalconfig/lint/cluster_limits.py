"""Rules about what the cluster's scheduler allows: partitions, accounts, times, nodes. Skipped without the preflight."""

from __future__ import annotations

from collections.abc import Iterable

from .execution import walltime_seconds
from .rule import Hit, Need, Rule, Subject
from .slurm import partitions
from .structure import FACTS

SLURM = "Slurm 24.11 sbatch(1), sinfo(1), sacctmgr(1)"
MAX_NAMED = 10


def partition_away(subject: Subject) -> Iterable[Hit]:
    """A partition that the cluster does not have, or that takes no jobs."""
    known = subject.there.partitions if subject.sight else None
    if known is None:
        return
    for key in ("partition", "cpu_partition"):
        for name in _listed(subject.text("execution", key)):
            if name not in known:
                there = ", ".join(sorted(known)[:MAX_NAMED]) or "none that you may see"
                yield Hit(f"execution.{key}", f"The cluster has no partition {name[:80]!r}", f"one of: {there}")
            elif known[name].state != "up":
                yield Hit(
                    f"execution.{key}", f"The partition {name} is {known[name].state}: jobs wait there or are refused"
                )


def account_away(subject: Subject) -> Iterable[Hit]:
    """An account that this user may not charge, or that the partition does not admit."""
    account = subject.text("execution", "account")
    if subject.sight is None or not account or "<" in account:
        return
    sight = subject.there
    mine = sorted({a.account for a in sight.associations or ()})
    if sight.associations is not None and account not in mine and (mine or sight.enforced):
        own = ", ".join(mine[:MAX_NAMED])
        yield Hit(
            "execution.account",
            f"{sight.user} may not charge the account {account[:80]!r} on this cluster",
            f"one of: {own}" if own else "ask the cluster's administrators for an account",
            "error" if sight.enforced is not False else "warning",
        )
        return
    for partition in partitions(subject):
        if (partition.accounts and account not in partition.accounts) or account in partition.denied:
            yield Hit(
                "execution.account", f"The partition {partition.name} does not admit the account {account[:80]!r}"
            )


def too_long(subject: Subject) -> Iterable[Hit]:
    """A walltime above the limit of the partition or of the account."""
    wanted = walltime_seconds(subject.at("execution", "walltime"))
    found = partitions(subject)
    limits = [p.limit for p in found if p.limit is not None]
    if wanted and found and len(limits) == len(found) and wanted > max(limits):
        names = ", ".join(p.name for p in found)
        yield Hit(
            "execution.walltime",
            f"walltime is above the limit of the partition {names}, {_clock(max(limits))}",
            _below(max(limits)),
        )
        return
    account, mine = subject.text("execution", "account"), {p.name for p in found}
    own = [
        a.limit
        for a in (subject.sight.associations or () if subject.sight else ())
        if a.account == account and a.limit is not None and (not a.partition or a.partition in mine)
    ]
    if wanted and own and wanted > min(own):
        message = f"walltime is above the limit of the account {account[:80]}, {_clock(min(own))}: the job would wait for ever"
        yield Hit("execution.walltime", message, _below(min(own)))


def too_many_nodes(subject: Subject) -> Iterable[Hit]:
    """More nodes than the partition has, or than are up now."""
    nodes, found = subject.at("execution", "num_nodes"), partitions(subject)
    if not found or not isinstance(nodes, int):
        return
    most, up = max(p.nodes for p in found), max(p.usable for p in found)
    names = ", ".join(p.name for p in found)
    if nodes > most:
        yield Hit("execution.num_nodes", f"The partition {names} has {most} nodes, and {nodes} are asked for")
    elif nodes > up:
        message = f"Of the partition {names} {up} nodes are up, and {nodes} are asked for: the job waits until more are"
        yield Hit("execution.num_nodes", message, "ask the administrators, or take another partition", "warning")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip() and "<" not in part]


def _below(limit: int) -> str:
    return f"set execution.walltime to at most {_clock(limit)}; a follow-on job goes on where it ends"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


_CLUSTER: tuple[Need, ...] = ("cluster",)

RULES = (
    Rule(
        "L03",
        "error",
        "Partition that is not there, or takes no jobs",
        "look them up: sinfo -o '%P %a'",
        SLURM,
        partition_away,
        needs=_CLUSTER,
    ),
    Rule(
        "L04",
        "error",
        "Account that may not be charged",
        "look them up: sacctmgr show assoc user=$USER",
        SLURM,
        account_away,
        needs=_CLUSTER,
    ),
    Rule(
        "S07",
        "error",
        "Walltime above the partition's limit",
        "look up the limit: sinfo -o '%P %l'",
        FACTS,
        too_long,
        needs=_CLUSTER,
    ),
    Rule(
        "L09",
        "error",
        "More nodes than the partition has",
        "lower execution.num_nodes, or take another partition",
        SLURM,
        too_many_nodes,
        needs=_CLUSTER,
    ),
)
