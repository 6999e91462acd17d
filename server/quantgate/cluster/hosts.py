"""Which hosts may be contacted, and what NEL's own ssh would do differently there.

A host that a person wrote into their own clusters.yaml or into ssh_config may be contacted. One that only a config, or the
clusters.yaml of a project, names may not: these can come from anybody, and a connection tells its host who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import known_clusters, ssh_settings


@dataclass(frozen=True)
class Host:
    """A host as it may be contacted.

    Attributes:
        address: What ssh is given: an alias, a host name or `user@host`.
        known_from: The file in which a person named it; empty when none did.
        cluster: Its entry in clusters.yaml; None when it has none.
    """

    address: str
    known_from: str
    cluster: known_clusters.KnownCluster | None = None


def find(name: str, user: str = "") -> Host:
    """The host that a config or a caller names.

    Args:
        name: A cluster's name in clusters.yaml, a host name, an ssh alias, or `user@host`.
        user: The login name, where it is given apart (`execution.username`).

    Raises:
        BadInput: A clusters.yaml is broken.
    """
    node, login = name.rpartition("@")[2], name.rpartition("@")[0] or user
    cluster = known_clusters.find(node)
    if cluster is not None:
        login = login or cluster.user
        node = cluster.login_node
    address = f"{login}@{node}" if login else node
    # The user's own file is asked first: it may have the node of a project's cluster under another name.
    own = known_clusters.find(node)
    if own is not None and own.file == known_clusters.places()[0]:
        return Host(address, str(own.file), cluster)
    return Host(address, str(ssh_settings.config_file()) if ssh_settings.named_in_config(node) else "", cluster)


def login(host: Host) -> str:
    """The user that ssh logs in as.

    Raises:
        ClusterError: ssh cannot resolve the host.
    """
    return ssh_settings.resolve(host.address).user


def differences(host: Host) -> list[str]:
    """Where clusters.yaml says something that plain ssh, and so NEL, does not do.

    Raises:
        ClusterError: ssh cannot resolve the host.
    """
    cluster = host.cluster
    if cluster is None:
        return []
    settings = ssh_settings.resolve(host.address)
    found: list[str] = []
    if cluster.ssh_key and Path(cluster.ssh_key).expanduser() not in settings.identity_files:
        found.append(f"ssh_key {cluster.ssh_key}: add `IdentityFile {cluster.ssh_key}` to its Host in ssh_config")
    if cluster.ssh_proxy and not settings.proxy_command and not settings.proxy_jump:
        found.append("ssh_proxy: add it as ProxyCommand to its Host in ssh_config")
    if cluster.user and "@" not in host.address and settings.user != cluster.user:
        found.append(f"user {cluster.user}: give execution.username={cluster.user}, or `User` in ssh_config")
    return [
        f"{cluster.file} gives {cluster.name} the {text}; NEL calls plain ssh and would not use it" for text in found
    ]
