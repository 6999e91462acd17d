"""A checkpoint on a cluster, known by its config files and the headers of its safetensors files, read through SFTP.

The first look lists the directory and reads those; a second one lists it and reads nothing, when names, sizes and times are the
same. Which hosts may be contacted is decided by the caller (`cluster.hosts`).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import PurePosixPath

from ...cluster import folder, hosts, ssh_settings
from ...cluster.connection import Connection, connection
from ...cluster.folder import Entry, Folder, OpenFile
from ...errors import CheckpointError, Unreachable
from ..headers.safetensors import MAX_HEADER_BYTES
from ..hub.listing import wanted_configs
from . import copy as kept
from .address import Address
from .copy import HEADER_SUFFIX, RemoteCopy, Staging, describe

_PLAIN = re.compile(r"[A-Za-z0-9_][\w.\-+ ]{0,199}\Z", re.ASCII)
_ITERATION = re.compile(r"iter_\d{1,18}\Z", re.ASCII)
MAX_FILES = 10_000
MAX_NAMED = 10
FIRST_BYTES = 128 * 1024
"""Asked of the start of each weight file; most headers are shorter."""
MAX_ALL_HEADERS_BYTES = 400_000_000
MAX_ALL_CONFIG_BYTES = 256 << 20


def fetch(address: Address) -> tuple[RemoteCopy, str]:
    """The checkpoint as it is now, and a note on where that comes from.

    Without the cluster, what was read before is given, and the note says so.

    Raises:
        CheckpointError: It is not there, is no Transformers checkpoint, or a file in it is broken.
        Unreachable: The cluster does not answer, and nothing was read before.
        ClusterError: It does not let us in.
        StorageError: The cache cannot be written.
    """
    try:
        copy = _fetch(address)
    except Unreachable as error:
        before = kept.find(address.host, address.path)
        if before is None:
            raise
        return before, f"{describe(before)}; {error.what}: it may have changed since"
    return copy, describe(copy)


def _fetch(address: Address) -> RemoteCopy:
    host = hosts.find(address.host)
    link = connection(host.address)
    found = folder.list_folder(link, address.path)
    _require_directory(found, address)
    state = {e.name: (e.size, e.mtime_ns) for e in found.entries if e.kind == "file" and _PLAIN.match(e.name)}
    before = kept.find(address.host, address.path, state)
    if before is not None:
        kept.seen_now(before)
        return kept.find(address.host, address.path, state) or before
    files = _wanted(found, address)
    with Staging(address.host, address.path) as staging:
        _read(link, found, files, staging, address)
        return staging.publish(_names(address, host), found.root, state)


def _names(address: Address, host: hosts.Host) -> tuple[str, ...]:
    """Every name under which a config may mean this host."""
    settings = ssh_settings.resolve(host.address)
    names = [kept.bare(address.host), kept.bare(host.address)]
    # Behind a proxy or on another port, an address alone does not name one host.
    if not (settings.proxy_jump or settings.proxy_command) and settings.port == 22:
        names.append(settings.hostname)
    if host.cluster is not None:
        names += [host.cluster.name, host.cluster.login_node]
    return tuple(dict.fromkeys(names))


def _require_directory(found: Folder, address: Address) -> None:
    if found.state == "directory":
        return
    if found.state == "unseen":
        raise Unreachable(
            f"Nothing can be seen of {address}: not even a directory above it",
            fix="its file system may be away; check it on the cluster, then call this again",
        )
    if found.state == "file" and address.path.lower().endswith(".gguf"):
        raise CheckpointError(
            "A GGUF file on a cluster is not read over the network",
            where=str(address),
            fix="copy it here and give that path, or run quantgate on the cluster",
        )
    why = {
        "absent": "there is no such directory",
        "closed": "your account may not enter the directory",
        "file": "it is a file, not a checkpoint's directory",
    }[found.state]
    raise CheckpointError(f"{address} cannot be read: {why}", where=address.host, fix="check the path on the cluster")


def _wanted(found: Folder, address: Address) -> list[Entry]:
    """The files to read: config files whole, and weight files for their headers.

    Raises:
        CheckpointError: It is not a Transformers checkpoint, or one of those names is no file.
    """
    by_name = {e.name: e for e in found.entries if _PLAIN.match(e.name)}
    if len(by_name) > MAX_FILES:
        raise CheckpointError(f"{len(by_name)} files; at most {MAX_FILES} are read", where=str(address))
    for entry in by_name.values():
        if entry.kind != "file" and entry.name.endswith((".json", ".jinja", ".safetensors")):
            raise CheckpointError(
                f"{entry.name} {_WHY[entry.kind]}",
                where=f"{address}/{entry.name}",
                fix="check the path and its permissions on the cluster",
            )
    _refuse_other_kinds(found, by_name, address)
    sizes = {name: entry.size for name, entry in by_name.items() if entry.kind == "file"}
    configs = wanted_configs(sizes)
    if "config.json" not in configs:
        raise CheckpointError(
            f"config.json has {sizes['config.json']} bytes; a file of this kind has at most 20971520",
            where=f"{address}/config.json",
            fix="check that it is what its name says",
        )
    total = sum(sizes[name] for name in configs)
    if total > MAX_ALL_CONFIG_BYTES:
        raise CheckpointError(
            f"The config files have {total} bytes together; at most {MAX_ALL_CONFIG_BYTES} are read",
            where=str(address),
            fix="check that this is a checkpoint",
        )
    weights = [name for name in sorted(sizes) if name.endswith(".safetensors")]
    return [by_name[name] for name in (*configs, *weights)]


_WHY = {
    "special": "is not a regular file",
    "directory": "is a directory",
    "dangling": "does not exist: it is a link to nothing",
    "loop": "is a loop of symbolic links",
}


def _refuse_other_kinds(found: Folder, by_name: Mapping[str, Entry], address: Address) -> None:
    if "config.json" in by_name:
        return
    inside = [n for n, e in by_name.items() if e.kind == "directory" and (_ITERATION.match(n) or n == "release")]
    if any(_ITERATION.match(name) for name in inside):
        named = ", ".join(f"{address}/{name}" for name in sorted(inside, reverse=True)[:MAX_NAMED])
        raise CheckpointError(
            f"{address} is the parent of {len(inside)} Megatron iterations, not a checkpoint",
            where=str(address),
            fix=f"give one of them: {named}",
        )
    if _ITERATION.match(PurePosixPath(found.root).name) or any(n.endswith(".distcp") for n in by_name):
        raise CheckpointError(
            f"{address} is a Megatron iteration, which is not read over the network",
            where=str(address),
            fix="give its Hugging Face export, or run quantgate on the cluster",
        )
    ggufs = [n for n in by_name if n.lower().endswith(".gguf")]
    if ggufs:
        raise CheckpointError(
            f"{address} holds GGUF files, which are not read over the network",
            where=", ".join(ggufs[:MAX_NAMED]),
            fix="copy one here and give that path, or run quantgate on the cluster",
        )
    raise CheckpointError(
        "The directory has no config.json",
        where=f"{address}/config.json",
        fix="give the directory that holds config.json and the weights",
    )


def _read(link: Connection, found: Folder, files: list[Entry], staging: Staging, address: Address) -> None:
    budget = _Budget(address)

    def take(file: OpenFile) -> None:
        entry = file.entry
        if entry.name.endswith(".safetensors"):
            staging.write(entry.name + HEADER_SUFFIX, _header(file, budget))
            return
        data = file.read(0, entry.size)
        if len(data) != entry.size:
            raise _broken(address, entry.name, "became shorter while it was read")
        staging.write(entry.name, data)

    for name, why in folder.read_each(link, found, files, take).items():
        raise CheckpointError(
            f"{name} {why}", where=f"{address}/{name}", fix="check the path and its permissions on the cluster"
        )


class _Budget:
    """Bytes of headers that may still be read, shared by all lanes."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._left = MAX_ALL_HEADERS_BYTES
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise CheckpointError(
                    f"The headers of the weight files have more than {MAX_ALL_HEADERS_BYTES} bytes together",
                    where=str(self.address),
                    fix="check that this is a checkpoint",
                )


def _header(file: OpenFile, budget: _Budget) -> bytes:
    """The first 8 + N bytes of a safetensors file; N stands in the first 8."""
    name, size = file.entry.name, file.entry.size
    if size < 10:
        raise _broken(budget.address, name, f"has {size} bytes, too few for a safetensors file")
    first = min(size, FIRST_BYTES)
    budget.take(first)
    data = file.read(0, first)
    length = int.from_bytes(data[:8], "little")
    if not 2 <= length <= MAX_HEADER_BYTES:
        what = f"claims a header of {length} bytes; at most {MAX_HEADER_BYTES} are read"
        raise _broken(budget.address, name, what)
    end = 8 + length
    if end > size:
        raise _broken(budget.address, name, f"is cut short: its header has {length} bytes, the file {size}")
    if end > first:
        budget.take(end - first)
        data += file.read(first, end)
    if len(data) < end:
        raise _broken(budget.address, name, "became shorter while it was read")
    return data[:end]


def _broken(address: Address, name: str, what: str) -> CheckpointError:
    return CheckpointError(f"{name} {what}", where=f"{address}/{name}", fix="copy or export that file again")
