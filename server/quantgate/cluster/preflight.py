"""What a cluster has for a config, asked in one round trip: paths, space, programs, partitions, accounts, registries.

Nothing is changed there, and nothing is concluded here. What did not answer is None, with its own words in `problems`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import Unreachable
from . import words

if TYPE_CHECKING:
    from .connection import Connection

SECONDS = 75.0
MAX_PATHS = 200
_SCRIPT = Path(__file__).with_name("preflight.sh")
_FIELD = "\x1f"
_BLOCKS = ("controller", "nodes", "partitions", "associations")
_GRES = re.compile(r"gpu(?::(?P<type>[A-Za-z][\w.\-]*))?:(?P<count>\d{1,5})")
_UNUSABLE = ("down", "drain", "drng", "fail", "inval", "unk", "err", "not_resp")
_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,252}(?::\d{1,5})?")

PathKind = Literal["directory", "file", "checkpoint", "output"]
_LETTERS: dict[PathKind, str] = {"directory": "d", "file": "f", "checkpoint": "c", "output": "o"}


@dataclass(frozen=True)
class PathSeen:
    """A path of the config on the cluster.

    Attributes:
        found: What it is; "absent" is known, "unseen" is not.
        readable: Whether this user may read it.
        writable: Whether this user may write into it, or into `nearest` where it is not there.
        config_json: A config.json lies in it (asked of checkpoints only).
        nearest: The path, or the nearest directory above it that is there.
    """

    found: Literal["directory", "file", "other", "absent", "unseen"]
    readable: bool
    writable: bool
    config_json: bool
    nearest: str


@dataclass(frozen=True)
class Partition:
    """One partition.

    Attributes:
        name: Its name.
        state: "up", "down", "drain" or "inact".
        limit: Longest time of a job in seconds; None for no limit, or when it is not known.
        nodes: How many it has.
        usable: How many of them are neither down nor drained.
        gpus: GPUs of its largest node, by type ("" where the cluster names none).
        accounts: The only accounts that may use it; empty for all.
        denied: Accounts that may not.
    """

    name: str
    state: str
    limit: int | None
    nodes: int
    usable: int
    gpus: Mapping[str, int]
    accounts: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Association:
    """Whom the user may charge.

    Attributes:
        account: The account.
        partition: It holds for this partition only; empty for all.
        limit: Longest time of a job in seconds; None for none of its own.
    """

    account: str
    partition: str
    limit: int | None


@dataclass(frozen=True)
class Sight:
    """What was seen.

    Attributes:
        host: As ssh was given it.
        user: The login name there.
        slurm: Slurm's version; empty when it is not known.
        cluster: Slurm's name of the cluster; likewise.
        enforced: Whether Slurm refuses accounts that it does not know; None when it is not known.
        paths: By path, those that were asked for.
        free_bytes: Of the output directory's file system; None when it is not known. `free_files` likewise.
        programs: Those of rsync, python3, enroot and Slurm's commands that are there.
        registries: Hosts with a line in enroot's credentials; None when the file may not be read.
        partitions: By name; None when the scheduler did not answer.
        associations: Of this user on this cluster; None when the accounting did not answer.
        problems: What did not answer, in its own words: "controller", "nodes", "partitions", "associations".
    """

    host: str
    user: str
    slurm: str = ""
    cluster: str = ""
    enforced: bool | None = None
    paths: Mapping[str, PathSeen] = field(default_factory=dict)
    free_bytes: int | None = None
    free_files: int | None = None
    programs: frozenset[str] = frozenset()
    registries: tuple[str, ...] | None = ()
    partitions: Mapping[str, Partition] | None = None
    associations: tuple[Association, ...] | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def look(connection: Connection, paths: Sequence[tuple[PathKind, str]] = ()) -> Sight:
    """Look at a cluster, in one round trip.

    Args:
        connection: To the login node.
        paths: Absolute paths of the config, each with what it should be; at most `MAX_PATHS` are looked at.

    Raises:
        BadInput: A path is none that can be sent.
        Unreachable: It does not answer, or its shell broke off.
        ClusterError: It does not let us in.
    """
    asked = list(paths)[:MAX_PATHS]
    argv = ["sh", "-s", "--"]
    for kind, path in asked:
        argv += [_LETTERS[kind], words.operand(path, "path")]
    done = connection.run(argv, stdin=_SCRIPT.read_bytes(), seconds=SECONDS)
    if not done.out.endswith("@end\n"):
        last = (done.err or done.out).strip().splitlines()[-1:] or ["nothing"]
        raise Unreachable(
            f"{connection.host} broke off in the middle of an answer: {last[0][:200]}",
            fix=f"run a plain `ssh {connection.host} true`: it must print nothing; then call this again",
        )
    return parse(done.out, connection.host, [path for _, path in asked])


def parse(text: str, host: str, paths: Sequence[str]) -> Sight:
    """The answer of `preflight.sh`."""
    marks: dict[str, list[str]] = {}
    blocks: dict[str, list[str]] = {}
    codes: dict[str, str] = {}
    inside = ""
    for line in text.split("\n"):
        word, _, rest = line.partition(" ")
        if word.removeprefix("@") in _BLOCKS and word.startswith("@") and not rest:
            inside = word[1:]
            blocks[inside] = []
        elif inside and word == "@code":
            codes[inside], inside = rest, ""
        elif inside:
            blocks[inside].append(line)
        elif word.startswith("@"):
            marks.setdefault(word, []).append(rest)
    problems = {n: _said(blocks.get(n, []), codes.get(n, "")) for n in _BLOCKS if codes.get(n) != "0"}
    settings = {} if "controller" in problems else _settings(blocks["controller"])
    cluster = settings.get("ClusterName", "")
    enforce = settings.get("AccountingStorageEnforce", "")
    if "associations" not in problems and settings.get("AccountingStorageType", "").endswith("none"):
        problems["associations"] = "accounting is switched off"
    answered = "associations" not in problems
    return Sight(
        host=host,
        user=[*marks.get("@clock", [""])[0].split(" ", 2), "", "", ""][2],
        slurm=settings.get("SLURM_VERSION", ""),
        cluster=cluster,
        enforced=None if not settings else bool({"associations", "all", "limits", "qos", "safe"} & _listed(enforce)),
        paths=_paths(marks.get("@path", []), paths),
        free_bytes=_kib(marks.get("@free", [""])[0]),
        free_files=words.whole(marks.get("@inodes", [""])[0]),
        programs=frozenset(marks.get("@program", [])),
        registries=_registries(marks),
        partitions=_partitions(blocks, problems),
        associations=_associations(blocks["associations"], cluster) if answered else None,
        problems=problems,
    )


def _said(lines: Sequence[str], code: str) -> str:
    if code == "127":
        return "the command is not there"
    if code in words.TIMED_OUT:
        return "no answer within 10 s"
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last[:200] or f"it ended with {code or 'no answer'}"


def _settings(lines: Sequence[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}


def _listed(text: str) -> set[str]:
    return {part.strip().lower() for part in text.split(",") if part.strip()}


def _paths(rows: Sequence[str], paths: Sequence[str]) -> dict[str, PathSeen]:
    found: dict[str, PathSeen] = {}
    for row in rows:
        number, kind, can, nearest = [*row.split(" ", 3), "", "", "", ""][:4]
        at = words.whole(number)
        if at is not None and at < len(paths) and kind in ("directory", "file", "other", "absent", "unseen"):
            found[paths[at]] = PathSeen(kind, "r" in can, "w" in can, "c" in can, nearest)  # type: ignore[arg-type]
    return found


def _kib(text: str) -> int | None:
    number = words.whole(text)
    return None if number is None else number << 10


def _registries(marks: Mapping[str, list[str]]) -> tuple[str, ...] | None:
    if marks.get("@registries", ["closed"])[0] == "closed":
        return None
    return tuple(dict.fromkeys(name for name in marks.get("@registry", []) if _REGISTRY.fullmatch(name)))


def _partitions(blocks: Mapping[str, list[str]], problems: Mapping[str, str]) -> dict[str, Partition] | None:
    if "nodes" in problems:
        return None
    shown = [] if "partitions" in problems else [_pairs(line) for line in blocks["partitions"]]
    more = {pairs.get("PartitionName", ""): pairs for pairs in shown}
    found: dict[str, Partition] = {}
    for line in blocks["nodes"]:
        row = line.split(_FIELD)
        if len(row) != 6:
            continue
        name, state, limit, nodes, gres, node_state = (part.strip() for part in row)
        before = found.get(name, Partition(name, state, seconds_of(limit), 0, 0, {}))
        count = words.whole(nodes) or 0
        gpus = dict(before.gpus)
        for kind, here in _gpus(gres).items():
            gpus[kind] = max(gpus.get(kind, 0), here)
        found[name] = Partition(
            name,
            state,
            before.limit,
            before.nodes + count,
            before.usable + (0 if node_state.startswith(_UNUSABLE) else count),
            gpus,
            _names(more.get(name, {}).get("AllowAccounts", "")),
            _names(more.get(name, {}).get("DenyAccounts", "")),
        )
    return found


def _pairs(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def _names(text: str) -> tuple[str, ...]:
    return () if text in ("", "ALL", "(null)", "NONE") else tuple(part for part in text.split(",") if part)


def _gpus(gres: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for match in _GRES.finditer(gres):
        kind = match["type"] or ""
        found[kind] = found.get(kind, 0) + int(match["count"])
    return found


def seconds_of(text: str) -> int | None:
    """Seconds of a limit as Slurm writes it (`1-00:00:00`, `30:00`); None for none."""
    days, dash, clock = text.rpartition("-")
    parts = clock.split(":")
    numbers = [words.whole(part) for part in (*parts, days or "0")]
    if None in numbers or (dash and not days) or len(parts) < 2:
        return None
    total = 0
    for number in numbers[:-1]:
        total = total * 60 + (number or 0)
    return total + (numbers[-1] or 0) * 86400


def _associations(lines: Sequence[str], cluster: str) -> tuple[Association, ...]:
    rows = [line.split("|") for line in lines if line.count("|") >= 3]
    return tuple(
        Association(account, partition, seconds_of(limit))
        for name, account, partition, limit, *_ in rows
        if name == cluster or not cluster
    )
