"""Which keys are shown to a host, in ssh's order: the agent's that the configuration names, the agent's others, then files.

A key that the agent holds is never read from its file, so that one with a passphrase works as it does in ssh.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import paramiko
from paramiko.agent import AgentSSH
from paramiko.auth_strategy import AuthResult, AuthSource, AuthStrategy

from ..system import links
from .ssh_settings import HostSettings

AGENT_SECONDS = 15.0
"""An agent may ask a person before it signs."""
MAX_KEY_BYTES = 1 << 16


class SecondFactor(paramiko.AuthenticationException):
    """The host took a key and wants more than that."""


class Identities(AuthStrategy):
    """The keys of one host.

    Attributes:
        locked: Key files that need a passphrase.
        unreadable: Key files that are none, or of a kind that is not known here.
        tried: Names of the keys that the host was shown.
    """

    def __init__(self, settings: HostSettings) -> None:
        super().__init__(ssh_config=None)  # type: ignore[arg-type]
        self._settings = settings
        self.locked: list[Path] = []
        self.unreadable: list[Path] = []
        self.tried: list[str] = []

    def get_sources(self) -> Iterator[AuthSource]:
        """None: `authenticate` here shows the keys itself, because paramiko's (5.1) takes a broken link for a refused key."""
        return iter(())

    def authenticate(self, transport: paramiko.Transport) -> AuthResult:
        """Log in with the first key that the host takes.

        Raises:
            SecondFactor: A key is not enough there.
            paramiko.AuthenticationException: It takes none of them.
            EOFError, TimeoutError: The host went away, or is silent.
        """
        with self._agent_keys() as held:
            for name, load in self._offers(held):
                key = load()
                if key is None:
                    continue
                self.tried.append(name)
                if self._accepted(transport, key):
                    return AuthResult(self)
        raise paramiko.AuthenticationException

    def _accepted(self, transport: paramiko.Transport, key: paramiko.PKey) -> bool:
        try:
            more = transport.auth_publickey(self._settings.user, key)
        except paramiko.AuthenticationException as error:
            if "timeout" in str(error).lower():
                raise TimeoutError from None
            if not transport.is_active():
                # sshd ends the link after MaxAuthTries keys; after few it was something else.
                if len(self.tried) >= 3:
                    raise
                raise EOFError("the host closed the link during the log-in") from None
            return False
        if more:
            raise SecondFactor(", ".join(more))
        return True

    def _offers(self, held: list[paramiko.AgentKey]) -> Iterator[tuple[str, Callable[[], paramiko.PKey | None]]]:
        """Names of keys, and how each is had."""
        files = self._settings.identity_files
        wanted = {file: _public(file) for file in files}
        by_blob = {key.asbytes(): key for key in held}
        for file, blob in wanted.items():
            if blob in by_blob:
                yield f"{file.name} (agent)", _ready(by_blob[blob])
        if not self._settings.identities_only:
            for blob, key in by_blob.items():
                if blob not in wanted.values():
                    yield f"{key.comment or key.get_name()} (agent)", _ready(key)
        for file, blob in wanted.items():
            if blob not in by_blob:
                yield file.name, lambda file=file: self._read(file)  # type: ignore[misc]

    def _read(self, file: Path) -> paramiko.PKey | None:
        try:
            return paramiko.PKey.from_path(file)
        except (paramiko.PasswordRequiredException, TypeError):
            # cryptography says "Password was not given" with a TypeError.
            self.locked.append(file)
        except (paramiko.SSHException, ValueError, OSError):
            self.unreadable.append(file)
        return None

    @contextlib.contextmanager
    def _agent_keys(self) -> Iterator[list[paramiko.AgentKey]]:
        agent = _Agent()
        try:
            if self._settings.agent:
                agent.reach(self._settings.agent)
            yield [key for key in agent.get_keys() if isinstance(key, paramiko.AgentKey)]
        finally:
            agent.close()


class _Agent(AgentSSH):
    """An agent at a place of its own and with a time limit; paramiko's (5.1) has neither."""

    def __init__(self) -> None:
        super().__init__()
        self._link: Any = None

    def reach(self, place: str) -> None:
        """Ask it for its keys; an agent that is gone or silent has none."""
        with contextlib.suppress(OSError, paramiko.SSHException):
            self._link = links.agent_link(place, AGENT_SECONDS)
            self._connect(self._link)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Leave it."""
        if self._link is not None:
            self._link.close()


def _ready(key: paramiko.PKey) -> Callable[[], paramiko.PKey]:
    return lambda: key


def _public(file: Path) -> bytes | None:
    """The public half of a key file, from the file beside it or from itself; None when neither tells."""
    for path in (file.with_name(f"{file.name}.pub"), file):
        try:
            with path.open("rb") as opened:
                words = opened.read(MAX_KEY_BYTES).split(maxsplit=2)
            if len(words) >= 2 and not words[0].startswith(b"-"):
                return base64.b64decode(words[1], validate=True)
        except (OSError, ValueError):
            continue
    return None
