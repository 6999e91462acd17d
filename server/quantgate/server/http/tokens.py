"""Who may use the server: bearer tokens, of which only hashes are kept.

A token is made by `quantgate http-token` of 256 random bits, so a plain SHA-256 of it tells nothing about it: there is no
dictionary to try. The file has one token a line, `NAME RIGHTS sha256:HEX`, where RIGHTS is `full` or `read-only`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import redact
from ...errors import BadInput, StorageError
from ...system import files, locks

VARIABLE = "QUANTGATE_HTTP_TOKEN"
READ_ONLY_VARIABLE = "QUANTGATE_HTTP_READ_ONLY_TOKEN"
PREFIX = "qg_"
SHORTEST = 32
"""Characters of a token that is given in a variable: what a person thinks up is shorter."""
MOST_TOKENS = 200
MOST_BYTES = 64 << 10
FULL, READ_ONLY = "full", "read-only"
_NAME_OF_VARIABLE, _NAME_OF_READ_ONLY = "variable", "read-only-variable"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Holder:
    """One who may use the server.

    Attributes:
        name: Told in the log and counted by the limits; never secret.
        read_only: Whether only tools that change nothing are offered.
        digest: SHA-256 of the token.
    """

    name: str
    read_only: bool
    digest: bytes


@dataclass(frozen=True)
class Made:
    """A new token: shown once, and the line of the file that admits it."""

    token: str
    line: str


def make(name: str, *, read_only: bool) -> Made:
    """A new token.

    Args:
        name: Of its holder.
        read_only: Whether it only reads.

    Raises:
        BadInput: The name is none.
    """
    _require_name(name, "the name")
    token = PREFIX + secrets.token_urlsafe(32)
    return Made(token, f"{name} {READ_ONLY if read_only else FULL} sha256:{_digest(token).hex()}")


def append(file: Path, line: str) -> None:
    """Write a line of `make` to a tokens file, which is made with mode 0600 (and its directory with 0700) where there is none.

    Raises:
        BadInput: A holder of this name is in it, it is full, or others can read it.
        StorageError: It cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(files.open_to_lock(file, make=True), "r+b") as opened:
            locks.exclusive(opened.fileno())
            opened.seek(0)
            _require_private(os.fstat(opened.fileno()), file)
            text = opened.read(MOST_BYTES + 1)
            added = (b"" if not text or text.endswith(b"\n") else b"\n") + line.encode("ascii") + b"\n"
            _require_room(file, line, text, added)
            opened.write(added)
    except OSError as error:
        raise StorageError(
            f"Cannot write the tokens file: {error.strerror or error}",
            where=str(file),
            fix="give a file in a directory of yours",
        ) from None


def _require_room(file: Path, line: str, text: bytes, added: bytes) -> None:
    """Refuse a line with which the server would not start."""
    name, holders = line.partition(" ")[0], _holders(file, text)
    if name in {holder.name for holder in holders}:
        raise BadInput(
            f"There is a token of {name} already", where=str(file), fix="remove its line first, or take another name"
        )
    if len(holders) >= MOST_TOKENS:
        raise BadInput(
            f"The tokens file holds {MOST_TOKENS} tokens, which is the most",
            where=str(file),
            fix="remove the lines of those who no longer need theirs",
        )
    _require_small(file, text + added)


def from_file(file: Path) -> list[Holder]:
    """The holders of a tokens file.

    Raises:
        BadInput: It cannot be read, others can read it, or a line is not of the format; the line is named, never shown.
    """
    try:
        opened = files.open_plain(file)
    except OSError as error:
        raise BadInput(
            f"Cannot read the tokens file: {error.strerror}", where=str(file), fix="`quantgate http-token` makes one"
        ) from None
    with opened:
        _require_private(os.fstat(opened.fileno()), file)
        text = opened.read(MOST_BYTES + 1)
    holders = _holders(file, text)
    require_distinct(holders, str(file))
    if not 0 < len(holders) <= MOST_TOKENS:
        raise BadInput(
            f"The tokens file holds {len(holders)} tokens",
            where=str(file),
            fix=f"have 1 to {MOST_TOKENS}: `quantgate http-token`",
        )
    return holders


def require_distinct(holders: Sequence[Holder], where: str) -> None:
    """Refuse two holders of one name, who would share their sessions and limits, and two of one token, whose rights would differ.

    Raises:
        BadInput: Two have the same name or the same token.
    """
    names = [holder.name for holder in holders]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise BadInput(
            f"Two tokens have the name {twice}",
            where=where,
            fix=f"give each holder a name of its own; those in {VARIABLE} and {READ_ONLY_VARIABLE} are called "
            f"{_NAME_OF_VARIABLE} and {_NAME_OF_READ_ONLY}",
        )
    digests = [holder.digest for holder in holders]
    same = [holder.name for holder in holders if digests.count(holder.digest) > 1]
    if same:
        raise BadInput(
            f"{' and '.join(same[:2])} have the same token",
            where=where,
            fix="make one of its own for each with `quantgate http-token NAME`",
        )


def _holders(file: Path, text: bytes) -> list[Holder]:
    _require_small(file, text)
    return [_holder(line, f"{file}, line {number}") for number, line in _lines(text.decode("utf-8", "replace"))]


def _require_small(file: Path, text: bytes) -> None:
    if len(text) > MOST_BYTES:
        raise BadInput("The tokens file is too large", where=str(file), fix=f"keep it under {MOST_BYTES >> 10} KiB")


def from_environment() -> list[Holder]:
    """The holders of the tokens in the variables, which are taken out of the environment: no child needs them.

    Raises:
        BadInput: A token is too short to be a random one.
    """
    found = []
    for variable, name, read_only in (
        (VARIABLE, _NAME_OF_VARIABLE, False),
        (READ_ONLY_VARIABLE, _NAME_OF_READ_ONLY, True),
    ):
        token = os.environ.pop(variable, "")
        if not token:
            continue
        redact.register({variable: token}, whatever_the_name=True)
        if len(token) < SHORTEST or not token.isascii() or any(ch.isspace() for ch in token):
            raise BadInput(
                f"The token in {variable} is no random one of at least {SHORTEST} characters",
                fix="make one with `quantgate http-token NAME`",
            )
        found.append(Holder(name, read_only, _digest(token)))
    return found


def holder_of(token: str, holders: list[Holder]) -> Holder | None:
    """Whose token this is. All hashes are compared, each in constant time: how long it takes tells nothing."""
    digest = _digest(token)
    found = None
    for holder in holders:
        if hmac.compare_digest(digest, holder.digest):
            found = holder
    return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _require_private(found: os.stat_result, file: Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise BadInput("The tokens file is no plain file", where=str(file), fix="give a plain file")
    if not files.is_secret(found):
        raise BadInput(
            f"The tokens file is not yours alone (mode {found.st_mode & 0o777:04o})",
            where=str(file),
            fix=f"chmod 600 {file}",
        )


def _lines(text: str) -> list[tuple[int, str]]:
    rows = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    return [(number, line) for number, line in rows if line and not line.startswith("#")]


def _holder(line: str, where: str) -> Holder:
    words = line.split()
    digest = _HASH.fullmatch(words[2]) if len(words) == 3 else None
    if digest is None or words[1] not in {FULL, READ_ONLY}:
        raise BadInput(
            "A line of the tokens file is not `NAME full|read-only sha256:HEX`",
            where=where,
            fix="make the line with `quantgate http-token NAME`; the token itself does not belong in the file",
        )
    _require_name(words[0], where)
    return Holder(words[0], words[1] == READ_ONLY, bytes.fromhex(digest[1]))


def _require_name(name: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(
            "A token's name has up to 64 letters, digits and . _ @ -", where=where, fix="take a name such as ci or anna"
        )
