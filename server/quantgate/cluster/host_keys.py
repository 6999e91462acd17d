"""Only a host whose key a person accepted before is talked to."""

from __future__ import annotations

import paramiko

from ..errors import ClusterError
from .ssh_settings import HostSettings


class UnknownHostKey(paramiko.SSHException):
    """The host's key is in no known_hosts file; holds the key's name and fingerprint."""

    def __init__(self, kind: str, fingerprint: str) -> None:
        super().__init__("unknown host key")
        self.kind = kind
        self.fingerprint = fingerprint


class RefuseUnknown(paramiko.MissingHostKeyPolicy):
    """Refuse, and remember what the host showed."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        del client, hostname
        raise UnknownHostKey(key.get_name(), key.fingerprint)


def unknown(settings: HostSettings, error: UnknownHostKey) -> ClusterError:
    """The refusal for a key that nobody accepted yet."""
    return ClusterError(
        f"Nobody has accepted the key of {settings.alias} yet: it shows {error.kind} {error.fingerprint}",
        where=f"{settings.known_as} is in none of its known_hosts files",
        fix="a person compares that fingerprint with the one that the cluster's administrators give, and runs: "
        f"ssh {settings.alias} true",
    )


def changed(settings: HostSettings, error: paramiko.BadHostKeyException) -> ClusterError:
    """The refusal for a key that is another one than before."""
    files = ", ".join(str(f) for f in settings.known_hosts)
    return ClusterError(
        f"The key of {settings.alias} has changed: it now shows {error.key.get_name()} {error.key.fingerprint}",
        where=f"{settings.known_as} in {files}",
        fix="this may be an attack: a person asks the cluster's administrators, and only then runs: "
        f"ssh-keygen -R '{settings.known_as}' and ssh {settings.alias} true",
    )
