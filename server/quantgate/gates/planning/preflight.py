"""The preflight of a config for Slurm: what its cluster has is looked at in one round trip, and the rules that need it are decided.

Nothing is made or changed on the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...cluster import hosts
from ...cluster.hosts import Host
from ...cluster.preflight import PathSeen, Sight
from ...cluster.preflight import look as look_at
from ...errors import BadInput, CheckpointError, ClusterError, StorageError
from ...evalconfig import lint
from ...evalconfig.document import ConfigDocument
from ...evalconfig.lint import cluster_files
from ...evalconfig.lint.report import Finding, Report
from ...evalconfig.lint.rule import Subject
from ..permission import contact

MAX_NAMED = 10
MAX_TEXT = 300


@dataclass(frozen=True)
class Preflight:
    """A config and its cluster.

    Attributes:
        report: What linting says with the cluster in sight; as it was without, when the cluster could not be seen.
        seen: What was seen, by name, in words.
        warnings: What a person should know beside the findings.
    """

    report: Report
    seen: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def preflight(path: Path, report: Report) -> Preflight:
    """Look at the cluster of a config.

    Args:
        path: The config.
        report: What linting it said; it composes.

    Raises:
        ConsentNeeded: Nobody named the host in clusters.yaml or ssh_config, and a person's yes is missing.
        BadInput: It names no host, or one that is none.
    """
    assert report.composed is not None
    document = ConfigDocument.load(path)
    subject = Subject(document, report.composed)
    host = _host(subject, path)
    # Only now: a server that starts does not need SSH.
    from ...cluster.connection import connection

    try:
        sight = look_at(connection(host.address), cluster_files.wanted_paths(subject))
        notes = [*hosts.differences(host), *_other_user(subject, host), *_record(subject, sight)]
    except ClusterError as error:
        seen = {"host": host.address, "reachable": "no", "reason": str(error)[: 2 * MAX_TEXT]}
        return Preflight(report, seen, (f"The cluster could not be looked at: {error}",))
    found = lint.check(path, sight)
    broken = next((note for note in notes if isinstance(note, Finding)), None)
    if broken is not None and broken.rule not in found.silenced:
        found = replace(found, findings=[broken, *found.findings])
    return Preflight(
        found, _seen(Subject(document, report.composed, sight), host), tuple(n for n in notes if isinstance(n, str))
    )


def _host(subject: Subject, path: Path) -> Host:
    name = subject.text("execution", "hostname")
    if not name or "<" in name:
        raise BadInput(
            "The config names no cluster yet",
            where=f"{path}: execution.hostname",
            fix="ask for the login node, and set it",
        )
    given = subject.document.plain.get("execution")
    user = given.get("username") if isinstance(given, Mapping) else None
    # NEL's own default is the name of the user here, which ssh_config may say better.
    own = user if isinstance(user, str) and "${" not in user and "???" not in user else ""
    return contact.allowed(name, own, where=f"{path}: execution.hostname")


def _other_user(subject: Subject, host: Host) -> list[str]:
    """NEL logs in as execution.username, by default the user here; this look went by ssh's own settings."""
    launching, looking = subject.text("execution", "username"), hosts.login(host)
    if not launching or launching == looking:
        return []
    return [
        f"A launch would log in to {host.address} as {launching[:MAX_TEXT]} (execution.username), and this look logged in as "
        f"{looking}: edit_config(set=['execution.username={looking}']) if that is the account"
    ]


def _record(subject: Subject, sight: Sight) -> list[str | Finding]:
    """Read the checkpoint there, for the rules that need it; what is known of it already is only compared."""
    from ...checkpoint.remote.address import Address
    from ...checkpoint.remote.fetch import fetch

    path = cluster_files.checkpoint(subject)
    seen = sight.paths.get(path)
    if seen is None or seen.found != "directory" or not seen.config_json or Path(path).exists():
        return []
    try:
        fetch(Address(sight.host, path))
    except StorageError as error:
        return [f"The checkpoint on {sight.host} was not read: {error}"]
    except CheckpointError as error:
        at = "deployment.checkpoint_path"
        text = f"The checkpoint cannot be read: {error.what}"
        return [Finding("D38", "error", at, text, error.fix or "export it again", subject.document.line_of(at))]
    return []


def _seen(subject: Subject, host: Host) -> dict[str, str]:
    sight = subject.there
    rows = {
        "host": sight.host,
        "reachable": "yes",
        "known_from": host.known_from or "a person's yes",
        "user": sight.user,
        "slurm": f"{sight.slurm or 'version not known'}, cluster {sight.cluster or 'not known'}",
        "output_dir": _place(sight.paths.get(subject.text("execution", "output_dir"))),
        "free_space": "not known" if sight.free_bytes is None else f"{sight.free_bytes / 1e9:.1f} GB",
        "checkpoint": _place(sight.paths.get(cluster_files.checkpoint(subject))),
        "mounts": _mounts(sight, subject),
        "partitions": partitions(sight),
        "accounts": _accounts(sight),
        "registries": _registries(sight),
        "programs": ", ".join(sorted(sight.programs)) or "none",
    }
    return {name: text[:MAX_TEXT] for name, text in rows.items() if text}


def _place(seen: PathSeen | None) -> str:
    if seen is None:
        return ""
    if seen.found == "absent":
        return f"absent; {seen.nearest} is there and may {'' if seen.writable else 'not '}be written"
    if seen.found == "unseen":
        return "not known: nothing can be seen there"
    rights = ", ".join([*(["readable"] if seen.readable else []), *(["writable"] if seen.writable else [])])
    return f"{seen.found}, {rights or 'neither readable nor writable'}"


def _mounts(sight: Sight, subject: Subject) -> str:
    asked = [path for kind, path in cluster_files.wanted_paths(subject) if kind == "directory"]
    there = [p for p in asked if p in sight.paths and sight.paths[p].found == "directory"]
    return f"{len(there)} of {len(asked)} are directories" if asked else ""


def partitions(sight: Sight) -> str:
    """The partitions of a cluster in one line, the first few."""
    if sight.partitions is None:
        return f"not known: {sight.problems.get('nodes', '')}"
    rows = []
    for p in list(sight.partitions.values())[:MAX_NAMED]:
        gpus = ", ".join(f"gpu:{kind}:{n}" if kind else f"gpu:{n}" for kind, n in p.gpus.items()) or "no GPUs"
        limit = "no limit" if p.limit is None else f"limit {p.limit / 3600:g} h"
        rows.append(f"{p.name}: {p.state}, {limit}, {p.usable} of {p.nodes} nodes, {gpus}")
    more = len(sight.partitions) - len(rows)
    return "; ".join([*rows, *([f"and {more} more"] if more else [])])


def _accounts(sight: Sight) -> str:
    if sight.associations is None:
        return f"not known: {sight.problems.get('associations', '')}"
    names = sorted({a.account for a in sight.associations})
    return ", ".join(names[:MAX_NAMED]) or "none for this user"


def _registries(sight: Sight) -> str:
    if sight.registries is None:
        return "not known: the credentials file may not be read"
    return ", ".join(sight.registries[:MAX_NAMED]) or "none has credentials"
