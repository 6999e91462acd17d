"""Only a host whose key a person accepted before is talked to; known_hosts files are read as ssh reads them (sshd(8)).

paramiko's own reader (5.1) fails on `@revoked` and `@cert-authority` lines, knows no patterns, and compares a host that has several
keys of one kind with the first of them only. Certificates of hosts (`@cert-authority`) are not supported: such a host is unknown.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from ..errors import ClusterError
from ..system.files import open_plain
from .ssh_settings import HostSettings

MAX_FILE_BYTES = 16 << 20
_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""How a kind of key is named when it signs, where that is not its own name."""


@dataclass(frozen=True)
class KnownKeys:
    """What the known_hosts files say of one host.

    Attributes:
        accepted: Kind and base64 text of each key that a person accepted.
        revoked: Base64 text of each key that must not be trusted, with the file that says so.
    """

    accepted: tuple[tuple[str, str], ...]
    revoked: tuple[tuple[str, str], ...]


class KeyRefused(paramiko.SSHException):
    """The host showed a key that is not trusted; `refusal` says why."""

    def __init__(self, refusal: ClusterError) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


class OnlyKnown(paramiko.MissingHostKeyPolicy):
    """Compares what a host shows with what was accepted; the client itself is given no keys, so every key comes here."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._known = read(settings)

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Raises KeyRefused unless the key was accepted."""
        del client, hostname
        shown = key.get_base64()
        for blob, file in self._known.revoked:
            if blob == shown:
                raise KeyRefused(_revoked(self._settings, key, file))
        if shown in {blob for _, blob in self._known.accepted}:
            return
        raise KeyRefused((_changed if self._known.accepted else _unknown)(self._settings, key))

    def ask_for_known(self, transport: paramiko.Transport) -> None:
        """Have the host show a kind of key that was accepted, where it has several."""
        options = transport.get_security_options()
        wanted = [name for kind, _ in self._known.accepted for name in _SIGNATURES.get(kind, (kind,))]
        first = [name for name in dict.fromkeys(wanted) if name in options.key_types]
        options.key_types = [*first, *(name for name in options.key_types if name not in first)]


def read(settings: HostSettings) -> KnownKeys:
    """What the known_hosts files of a host say of it; lines that cannot be read are passed over, as ssh does."""
    accepted: list[tuple[str, str]] = []
    revoked: list[tuple[str, str]] = []
    for file in settings.known_hosts:
        for words in _lines(file):
            mark = words.pop(0) if words[0].startswith("@") else ""
            if len(words) < 3 or not _means(words[0], settings.known_as):
                continue
            if mark == "@revoked":
                revoked.append((words[2], str(file)))
            elif not mark:
                accepted.append((words[1], words[2]))
    return KnownKeys(tuple(accepted), tuple(revoked))


def _lines(file: Path) -> Iterator[list[str]]:
    try:
        with open_plain(file) as opened:
            text = opened.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words


def _means(patterns: str, host: str) -> bool:
    """Whether the first field of a line means a host: a hash of its name, or patterns with commas between."""
    host = host.lower()
    if patterns.startswith("|1|"):
        return _hashed(patterns, host)
    return _matches([p.lower() for p in patterns.split(",")], host)


def _matches(patterns: Sequence[str], host: str) -> bool:
    def fits(pattern: str) -> bool:
        # Brackets stand for themselves there: `[host]:2222`.
        return fnmatch.fnmatchcase(host, pattern.replace("[", "[[]"))

    if any(fits(p[1:]) for p in patterns if p.startswith("!")):
        return False
    return any(fits(p) for p in patterns if p and not p.startswith("!"))


def _hashed(field: str, host: str) -> bool:
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in field[3:].split("|"))
    except (ValueError, binascii.Error):
        return False
    # HMAC-SHA1 is ssh's format (HashKnownHosts); it hides names and protects nothing.
    return hmac.compare_digest(hmac.new(salt, host.encode(), hashlib.sha1).digest(), digest)


def _unknown(settings: HostSettings, key: paramiko.PKey) -> ClusterError:
    return ClusterError(
        f"Nobody has accepted the key of {settings.alias} yet: it shows {key.get_name()} {key.fingerprint}",
        where=f"{settings.known_as} is in none of its known_hosts files",
        fix="a person compares that fingerprint with the one that the cluster's administrators give, and runs: "
        f"ssh {settings.alias} true",
    )


def _changed(settings: HostSettings, key: paramiko.PKey) -> ClusterError:
    files = ", ".join(str(f) for f in settings.known_hosts)
    return ClusterError(
        f"The key of {settings.alias} has changed: it now shows {key.get_name()} {key.fingerprint}",
        where=f"{settings.known_as} in {files}",
        fix="this may be an attack: a person asks the cluster's administrators, and only then runs: "
        f"ssh-keygen -R '{settings.known_as}' and ssh {settings.alias} true",
    )


def _revoked(settings: HostSettings, key: paramiko.PKey, file: str) -> ClusterError:
    return ClusterError(
        f"The key of {settings.alias} was revoked: {key.get_name()} {key.fingerprint}",
        where=file,
        fix="this may be an attack: a person asks the cluster's administrators",
    )
