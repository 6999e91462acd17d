"""The hub's answer on what a repository holds, and which of those files are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import CheckpointError
from ...redact import redact
from ..config_json import decode, parse_object
from .copy import COMMIT, HEADER_SUFFIX, LISTING

MAX_FILES = 10_000
MAX_CONFIG_FILES = 200
MAX_SMALL_JSON = 1024 * 1024
"""A JSON file above this size is read only when its name is in `_NAMED`."""
MAX_NAMED_IN_ERRORS = 5
_PLAIN = re.compile(r"[A-Za-z0-9_][\w.\-+ ]{0,199}\Z", re.ASCII)
_INDEX_SUFFIX = ".safetensors.index.json"
_NAMED = {
    "config.json": 20 << 20,
    "tokenizer_config.json": 20 << 20,
    "generation_config.json": 1 << 20,
    "README.md": 4 << 20,
}
_INDEX_BYTES = 200_000_000
_NEVER = {"tokenizer.json", "vocab.json", LISTING}
"""Large and only looked for by name; the last one would be taken for our own."""


@dataclass(frozen=True)
class Listing:
    """What the hub says a repository holds.

    Attributes:
        commit: Of its main branch.
        files: Name and size of the files at its top.
        unread: Number of the other files.
        ggufs: GGUF files anywhere in it, a few.
    """

    commit: str
    files: Mapping[str, int]
    unread: int
    ggufs: tuple[str, ...]


def read_listing(answer: bytes, handle: str) -> Listing:
    """The commit and the files of the hub's answer, which is not trusted: only plain names at the top are kept.

    Raises:
        CheckpointError: It is not such an answer, or names more than `MAX_FILES` files at the top.
    """
    place = Path(f"{handle} (the hub's answer)")
    data = parse_object(decode(answer, place), place)
    commit, siblings = data.get("sha"), data.get("siblings")
    if not (isinstance(commit, str) and COMMIT.match(commit) and isinstance(siblings, list)):
        raise CheckpointError("The hub's answer names no commit or no files", where=handle, fix="check HF_ENDPOINT")
    files: dict[str, int] = {}
    ggufs: list[str] = []
    unread = 0
    for sibling in siblings:
        name, size = _entry(sibling)
        if name.lower().endswith(".gguf") and len(ggufs) < MAX_NAMED_IN_ERRORS:
            ggufs.append(redact(name[:120]))
        if size >= 0 and _PLAIN.match(name):
            files[name] = size
        else:
            unread += 1
    if len(files) > MAX_FILES:
        raise CheckpointError(f"{len(files)} files; at most {MAX_FILES} are read", where=handle)
    return Listing(commit, files, unread, tuple(ggufs))


def _entry(sibling: Any) -> tuple[str, int]:
    """Name and size; size -1 for what is not a usable entry."""
    if not isinstance(sibling, dict):
        return "", -1
    name, size = sibling.get("rfilename"), sibling.get("size")
    if not isinstance(name, str) or not name.isprintable():
        return "", -1
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**63 or name.endswith(HEADER_SUFFIX):
        return name, -1
    return name, size


def wanted_configs(files: Mapping[str, int]) -> list[str]:
    """The files that are read whole: small JSON, templates, the index and the card."""
    found = []
    for name in sorted(files):
        suffix = PurePosixPath(name).suffix
        if name in _NEVER or suffix not in {".json", ".jinja", ".md"} or (suffix == ".md" and name not in _NAMED):
            continue
        largest = _INDEX_BYTES if name.endswith(_INDEX_SUFFIX) else _NAMED.get(name, MAX_SMALL_JSON)
        if files[name] <= largest:
            found.append(name)
    named = [n for n in found if n in _NAMED or n.endswith((_INDEX_SUFFIX, ".jinja"))]
    return (named + [n for n in found if n not in set(named)])[:MAX_CONFIG_FILES]


def refuse_other_kinds(listing: Listing, handle: str, hub: str) -> None:
    """Refuse a repository of GGUF files, and one without a usable config.json.

    Raises:
        CheckpointError: With what the repository holds instead.
    """
    weights = any(name.endswith(".safetensors") for name in listing.files)
    if listing.ggufs and not weights:
        raise CheckpointError(
            f"{handle} is a repository of GGUF files, which are not read over the network",
            where=f"{hub}/{handle}",
            fix=f"download one (such as `hf download {handle} <file>`) and give its path; files: "
            + ", ".join(listing.ggufs),
        )
    if "config.json" not in listing.files:
        held = sorted(listing.files, key=lambda name: -listing.files[name])[:MAX_NAMED_IN_ERRORS]
        raise CheckpointError(
            f"{handle} has no config.json on the hub: it is not a Transformers checkpoint",
            where=f"{hub}/{handle}",
            fix="check the handle; its largest files are " + (", ".join(map(redact, held)) or "none"),
        )
    if listing.files["config.json"] > _NAMED["config.json"]:
        raise CheckpointError(
            f"config.json of {handle} has {listing.files['config.json']} bytes; at most {_NAMED['config.json']} are read",
            where=f"{hub}/{handle}",
            fix="check that it is a Transformers checkpoint",
        )
