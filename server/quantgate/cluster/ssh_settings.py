"""How a host is reached: what the user's ssh itself would do, asked of `ssh -G`, so that NEL and quantgate never differ.

`ssh -G` opens no connection. Aliases, Include, Match, ProxyJump, ports, keys and known_hosts files are all resolved by it.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .. import children
from ..errors import BadInput, ClusterError
from ..system.files import open_plain
from . import words

RESOLVE_SECONDS = 10.0
CONFIG_VARIABLE = "QUANTGATE_SSH_CONFIG"
MAX_CONFIG_BYTES = 1 << 20
MAX_INCLUDES = 64
_HOST = re.compile(r"(?:[\w.+\\-]{1,64}@)?(?:[\w.-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,16})?\]?)")
"""A name or an address, with a user before it; letters of any language, as the hosts of an intranet may have."""


@dataclass(frozen=True)
class HostSettings:
    """What ssh would use for a host.

    Attributes:
        alias: As the caller named it ("login", "me@login").
        hostname: The address to connect to.
        port: TCP port.
        user: Login name.
        identity_files: Private keys that exist, in ssh's order.
        identities_only: Only these keys, not every key of the agent.
        known_hosts: Files with accepted host keys that exist, the user's first.
        key_name: The name under which the host key is kept, when HostKeyAlias gives one.
        proxy_jump: Hosts to go through, nearest first; empty for none.
        proxy_command: A command that carries the connection; empty for none.
        agent: The socket of the agent that holds keys (IdentityAgent, else SSH_AUTH_SOCK); empty for none.
    """

    alias: str
    hostname: str
    port: int
    user: str
    identity_files: tuple[Path, ...]
    identities_only: bool
    known_hosts: tuple[Path, ...]
    key_name: str
    proxy_jump: tuple[str, ...]
    proxy_command: str
    agent: str = ""

    @property
    def known_as(self) -> str:
        """The name of the host in a known_hosts file."""
        name = self.key_name or self.hostname
        return name if self.port == 22 or self.key_name else f"[{name}]:{self.port}"


def config_file() -> Path | None:
    """The user's ssh_config: QUANTGATE_SSH_CONFIG when it is set, else ~/.ssh/config; None when it is not there."""
    given = os.environ.get(CONFIG_VARIABLE)
    path = Path(given).expanduser() if given else Path.home() / ".ssh" / "config"
    return path if path.is_file() else None


def resolve(host: str) -> HostSettings:
    """What ssh would use for a host.

    Args:
        host: An alias, a host name, or `user@host`.

    Raises:
        BadInput: It is no host name.
        ClusterError: There is no ssh here, or its configuration is broken.
    """
    words.operand(host, "host")
    # ssh_config's `Match exec` and ProxyCommand bring the name into a shell; OpenSSH itself refuses such names from 9.6 on only.
    if not _HOST.fullmatch(host):
        raise BadInput(f"{host[:80]!r} is no host", fix="give an alias of your ssh_config, a host name, or user@host")
    if shutil.which("ssh") is None:
        raise ClusterError("There is no ssh client on this machine", fix="install OpenSSH's client; NEL needs it too")
    given = os.environ.get(CONFIG_VARIABLE)
    argv = ["ssh", *(["-F", str(Path(given).expanduser())] if given else []), "-G", "--", host]
    done = children.run(argv, stdin=b"", env=os.environ, seconds=RESOLVE_SECONDS)
    if done.returncode != 0 or done.timed_out:
        raise ClusterError(
            f"ssh cannot resolve the host {host!r}: {done.output.strip()[:300] or 'no answer'}",
            where=str(config_file() or "no ssh_config"),
            fix="mend the ssh_config",
        )
    return _settings(host, done.output)


def resolve_jump(host: str) -> HostSettings:
    """What ssh would use for one host of ProxyJump, which may carry a port (`user@host:port`, `ssh://user@host:port`)."""
    bare = host.removeprefix("ssh://").rstrip("/")
    name, colon, port = bare.rpartition(":")
    if colon and (number := words.whole(port)) is not None and not name.endswith(":"):
        return replace(resolve(name), port=number)
    return resolve(bare)


def _settings(host: str, text: str) -> HostSettings:
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        values.setdefault(name.lower(), []).append(value.strip())

    def one(name: str, default: str = "") -> str:
        found = values.get(name, [default])[0]
        return default if found.lower() == "none" else found

    keys = [Path(v.strip('"')).expanduser() for v in values.get("identityfile", [])]
    files = " ".join([one("userknownhostsfile"), one("globalknownhostsfile")]).split()
    return HostSettings(
        alias=host,
        hostname=one("hostname", host.rpartition("@")[2]),
        port=words.whole(one("port")) or 22,
        user=one("user"),
        identity_files=tuple(k for k in keys if k.is_file()),
        identities_only=one("identitiesonly") == "yes",
        known_hosts=tuple(p for p in (Path(f).expanduser() for f in files) if p.is_file()),
        key_name=one("hostkeyalias"),
        proxy_jump=tuple(h for h in one("proxyjump").split(",") if h),
        proxy_command=one("proxycommand"),
        agent=_agent(values.get("identityagent", ["SSH_AUTH_SOCK"])[0]),
    )


def _agent(value: str) -> str:
    """The place of the agent's socket, by IdentityAgent of ssh_config(5): a path, a variable's name, or "none"."""
    if value.lower() == "none":
        return ""
    if value == "SSH_AUTH_SOCK" or value.startswith("$"):
        return os.environ.get(value.lstrip("$").strip("{}"), "")
    return str(Path(value.strip('"')).expanduser())


def named_in_config(host: str) -> bool:
    """Whether a `Host` line of the user's ssh_config means this host, not only by a pattern that means every host."""
    bare = host.rpartition("@")[2]
    path = config_file()
    if path is None:
        return False
    return any(_means(patterns, bare) for patterns in _host_lines(path, depth=0, budget=[MAX_INCLUDES]))


def _means(patterns: list[str], host: str) -> bool:
    if any(fnmatch.fnmatchcase(host, p[1:]) for p in patterns if p.startswith("!")):
        return False
    return any(set(p) - set("*?") and fnmatch.fnmatchcase(host, p) for p in patterns if not p.startswith("!"))


def _host_lines(path: Path, depth: int, budget: list[int]) -> Iterator[list[str]]:
    budget[0] -= 1
    if depth > 8 or budget[0] < 0:
        return
    try:
        with open_plain(path) as file:
            text = file.read(MAX_CONFIG_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return
    for line in text.splitlines():
        name, _, rest = line.strip().replace("=", " ", 1).partition(" ")
        if name.lower() == "host":
            yield rest.replace('"', "").split()
        elif name.lower() == "include":
            for part in rest.replace('"', "").split():
                for included in _included(part):
                    yield from _host_lines(included, depth + 1, budget)


def _included(part: str) -> list[Path]:
    """The files that a word after `Include` of a user's file means: below ~/.ssh, wherever that file lies (ssh_config(5))."""
    try:
        wanted = Path(part).expanduser()
        base = Path.home() / ".ssh" / wanted
        return sorted(base.parent.glob(base.name))[:MAX_INCLUDES]
    except (OSError, ValueError, RuntimeError):
        return []
