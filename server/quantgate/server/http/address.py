"""Where the server listens, and which Host and Origin headers it answers (against DNS rebinding)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import BadInput

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?")
_LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Address:
    """An address to listen at.

    Attributes:
        host: An IP address, or a name that this machine resolves.
        port: 0 lets the system choose one.
    """

    host: str
    port: int

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The IP address; None for a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it. A name does not count: what it means is decided elsewhere."""
        return self.ip is not None and self.ip.is_loopback

    @property
    def everywhere(self) -> bool:
        """Whether it is every address of this machine, and so tells no host name."""
        return self.ip is not None and self.ip.is_unspecified

    @property
    def written(self) -> str:
        """The host as it stands in a URL."""
        return f"[{self.host}]" if ":" in self.host else self.host


def parse(text: str) -> Address:
    """An address as HOST:PORT; IPv6 in brackets. `localhost` is taken as 127.0.0.1.

    Raises:
        BadInput: It is none.
    """
    host, colon, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    found = Address("127.0.0.1" if bare.lower() == "localhost" else bare, int(port) if port.isdecimal() else -1)
    named = found.ip is not None or _NAME.fullmatch(bare)
    if not colon or not named or (":" in bare) != host.startswith("[") or not 0 <= found.port <= 65535:
        raise BadInput(
            f"{text[:80]!r} is no address to listen at", where="--http", fix="give HOST:PORT, such as 127.0.0.1:8765"
        )
    return found


def allowed_hosts(address: Address, given: Sequence[str]) -> list[str]:
    """The Host headers that are answered, in the SDK's notation (`name` or `name:*`) and in lower case.

    Args:
        address: Where the server listens.
        given: Further names by which clients reach it, such as a proxy's, each with or without a port.

    Raises:
        BadInput: A name is none; or the server listens everywhere and none is given.
    """
    for name in given:
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:(\d{1,5}|\*))?", name):
            raise BadInput(
                f"{name[:80]!r} is no host",
                where="--allowed-host",
                fix="give a name, such as eval.example.org or name:8443",
            )
    if address.everywhere and not given:
        raise BadInput(
            f"{address.host} means every address, so it is not known by which name clients come",
            where="--http",
            fix="add --allowed-host NAME for each name or address that clients use, or listen at one address",
        )
    own = () if address.everywhere else _own_hosts(address)
    names = dict.fromkeys(name.lower() for name in (*own, *given))
    return [spelling for name in names for spelling in ((name,) if _has_port(name) else (name, f"{name}:*"))]


def allowed_origins(address: Address, given: Sequence[str]) -> list[str]:
    """The Origin headers that are answered; requests that no browser sends have none. In lower case.

    Raises:
        BadInput: One is not `http(s)://host[:port]`.
    """
    for origin in given:
        if not _ORIGIN.fullmatch(origin):
            raise BadInput(
                f"{origin[:80]!r} is no origin", where="--allowed-origin", fix="give https://host or http://host:port"
            )
    own = [f"http://{name}:*" for name in _own_hosts(address)] if address.loopback else []
    return list(dict.fromkeys(origin.lower() for origin in (*own, *given)))


def _own_hosts(address: Address) -> tuple[str, ...]:
    """The names of an address that is not every one; another loopback address is a name besides the common ones."""
    return (*(_LOOPBACK_HOSTS if address.loopback else ()), address.written)


def _has_port(name: str) -> bool:
    return bool(re.search(r":(\d{1,5}|\*)$", name)) and not name.endswith("]")
