"""The cluster that a config names: which host that is, a person's yes for one that nobody named before, and whether it answers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ...cluster import connection, hosts, ssh_settings
from ...errors import BadInput, ClusterError, Unreachable
from ...evalconfig.document import ConfigDocument
from ..permission import shown
from ..permission.consent import Question
from ..planning import plan

ANSWER_SECONDS = 20.0
NOTHING = "nothing was launched"

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,252}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}")
_DIRECTORY = re.compile(r"/[A-Za-z0-9_.+=@/\-]*")


@dataclass(frozen=True)
class Target:
    """Where a config's jobs go.

    Attributes:
        host: The login node; its address is `user@host`, which NEL is given too.
        output_dir: The output directory there.
    """

    host: hosts.Host
    output_dir: str

    @property
    def place(self) -> str:
        """As the ledger keeps it: `user@host:/absolute/path`."""
        return f"{self.host.address}:{self.output_dir}"


def target(planned: plan.Plan) -> Target:
    """The cluster of a config.

    The user is the config's own, else that of clusters.yaml, else that of ssh: NEL alone would take the name of the user here,
    even where ssh_config says another.

    Raises:
        BadInput: The host, the user or the directory are none that NEL could hand to a shell.
        ClusterError: ssh cannot resolve the host.
    """
    execution = planned.config.get("execution") or {}
    name, directory = str(execution.get("hostname") or ""), str(execution.get("output_dir") or "")
    _require(_HOST, name, "hostname", "give the host alone, as ssh knows it")
    _require(_DIRECTORY, directory, "output_dir", "give an absolute path of letters, digits and ._+=@-")
    found = hosts.find(name, _own_user(planned))
    if "@" not in found.address:
        user = ssh_settings.resolve(found.address).user
        found = hosts.Host(f"{user}@{found.address}", found.known_from, found.cluster)
    _require(_USER, found.address.rpartition("@")[0], "username", "give the login name alone")
    return Target(found, str(PurePosixPath(directory)))


def _require(pattern: re.Pattern[str], value: str, key: str, fix: str) -> None:
    if not pattern.fullmatch(value):
        raise BadInput(f"execution.{key} is {value[:80]!r}, which is no {key}", where=f"execution.{key}", fix=fix)


def _own_user(planned: plan.Plan) -> str:
    """The login name that the config gives itself; empty when it is NEL's default, the name of the user here."""
    execution: Any = ConfigDocument.load(planned.path).plain.get("execution")
    given = isinstance(execution, Mapping) and bool(execution.get("username"))
    name = str((planned.config.get("execution") or {}).get("username") or "")
    return name if given or name != os.environ.get("USER") else ""


def questions(planned: plan.Plan, where: Target) -> tuple[Question, ...]:
    """What a person must say yes to before the host is contacted; nothing for one that a person wrote down before."""
    if where.host.known_from:
        return ()
    named = where.host.address.rpartition("@")[2]
    return (
        Question(
            token=("host", where.host.address),
            what="The config names a host that is neither in clusters.yaml nor in ssh_config",
            where=f"{planned.path}: execution.hostname",
            text="A config wants its jobs on a host that nobody here has named before. It would be contacted with your keys, and "
            f"the config's secrets would be copied to it:\n{shown.quoted(where.host.address)}\n"
            f"The config:\n{shown.quoted(str(planned.path))}",
            yes="This host may be contacted",
            otherwise=f"show the user the host; a person who trusts it writes `Host {named}` into their ssh_config, or an entry "
            "into ~/.config/modelopt/clusters.yaml",
            lasting=True,
        ),
    )


def require_ready(where: Target) -> tuple[str, ...]:
    """Go on when the host lets us in.

    Returns:
        Where clusters.yaml says something that NEL's plain ssh does not do.

    Raises:
        Unreachable: It does not answer.
        ClusterError: It does not let us in.
    """
    try:
        done = connection.connection(where.host.address).run(["true"], seconds=ANSWER_SECONDS)
        notes = hosts.differences(where.host)
    except ClusterError as error:
        raise type(error)(
            f"{error.what}; {NOTHING}",
            where=error.where,
            fix="check the network, then call this again" if isinstance(error, Unreachable) else error.fix,
        ) from None
    if done.code != 0:
        raise ClusterError(
            f"{where.host.address} does not run a plain command ({done.code}); {NOTHING}",
            where=(done.err or done.out).strip()[:300],
            fix=f"a person makes `ssh {where.host.address} true` work",
        )
    return tuple(notes)
