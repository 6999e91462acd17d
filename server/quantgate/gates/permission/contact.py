"""Whether a host may be contacted: one that a person wrote down, or said yes to."""

from __future__ import annotations

from ...cluster import hosts
from ...cluster.hosts import Host
from . import shown
from .consent import Question, has, require

LOOK = "look at host"
"""The token of a yes to a look; one to a launch there, which allows more, is "host"."""


def allowed(name: str, user: str = "", *, where: str) -> Host:
    """The host, when it may be contacted.

    Args:
        name: A cluster's name in clusters.yaml, a host name, an ssh alias, or `user@host`.
        user: The login name, where it is given apart.
        where: What names the host, for the message.

    Raises:
        ConsentNeeded: Nobody named it in clusters.yaml or ssh_config, and a person's yes is missing.
        BadInput: A clusters.yaml is broken, or it is no host name.
    """
    found = hosts.find(name, user)
    # Who allowed a launch there (`hosts`) allowed a look as well.
    if not has(("host", found.address)):
        require(questions(found, where=where))
    return found


def questions(host: Host, *, where: str) -> tuple[Question, ...]:
    """What a person must say yes to before the host is looked at; nothing for one that a person wrote down before."""
    if host.known_from:
        return ()
    named = host.address.rpartition("@")[2]
    return (
        Question(
            # Another yes than that to a launch: nothing is copied there.
            token=(LOOK, host.address),
            what=f"{host.address[:120]} is neither in clusters.yaml nor in ssh_config",
            where=where,
            text="A host that nobody here has named before would be contacted with your keys, to look at it; nothing is changed "
            f"there:\n{shown.quoted(host.address)}",
            yes="This host may be contacted",
            otherwise=f"show the user the host; a person who trusts it writes `Host {named}` into their ssh_config, or an entry "
            "into ~/.config/modelopt/clusters.yaml",
            lasting=True,
        ),
    )


def require_allowed(model: str) -> None:
    """Go on when a model is not on a cluster, or on one that may be contacted; raises as `allowed` does."""
    from ...checkpoint.remote.address import address_of

    address = address_of(model.strip())
    if address is not None:
        allowed(address.host, where=str(address))
