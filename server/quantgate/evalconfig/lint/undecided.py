"""What a config leaves undecided: rules that need to see more than this machine shows."""

from __future__ import annotations

from collections.abc import Sequence

from . import cluster_files
from .rule import Need, Rule, Subject


def skipped(subject: Subject, rules: Sequence[Rule]) -> list[str]:
    """One line for each reason, with the rules that could not be decided for it, or not in full."""
    by_reason: dict[str, list[str]] = {}
    for rule in rules:
        for need in rule.needs:
            reason = _unmet(subject, need, rule.id)
            if reason and not (rule.decided and rule.decided(subject)):
                by_reason.setdefault(reason, []).append(rule.id)
    return [f"{', '.join(dict.fromkeys(ids))}: {reason}" for reason, ids in by_reason.items()]


def notes(subject: Subject) -> tuple[str, ...]:
    """What the rules relied on that may be old by now."""
    source = subject.model.inspection.source if subject.model and subject.model.inspection else None
    return (f"The rules on the checkpoint saw {source.note}",) if source and source.remote else ()


def _unmet(subject: Subject, need: Need, rule: str) -> str:
    if need == "cluster" and subject.sight is not None:
        return cluster_files.unseen(subject, rule)
    if need == "cluster":
        host = str(subject.at("execution", "hostname") or "")[:80]
        on_cluster = subject.composed.executor in ("slurm", "lepton")
        looks = "check_config with preflight=true looks" if subject.composed.executor == "slurm" else "nobody looked"
        return f"only the cluster {host} can tell: {looks}" if on_cluster else ""
    model = subject.model
    if model is None:
        return "the config names no checkpoint; edit_config(model=…) declares the one behind an endpoint"
    if model.inspection is not None or model.error or model.megatron_parent:
        return ""
    if model.other_format:
        return f"{model.name[:120]} is no Transformers checkpoint"
    return f"{model.name[:120]} is not on this machine, and nothing is recorded of it{_readable(subject, model.name)}"


def _readable(subject: Subject, name: str) -> str:
    host = str(subject.at("execution", "hostname") or "")
    if subject.composed.executor != "slurm" or not name.startswith("/"):
        return ""
    return f"; preflight=true or read_model_config(model={f'{host}:{name}'[:200]!r}) reads it there"
