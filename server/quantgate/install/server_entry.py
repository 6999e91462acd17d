"""The server's entry in a client's own file: added, replaced or taken out without touching another."""

from __future__ import annotations

import json
import os
import re
import sys
import sysconfig
import urllib.parse
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..system.files import open_plain
from . import jsonc, toml_entry
from .clients import ServerFile, Target
from .planning import State
from .record import ServerEntry

NAME = "quantgate"
MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Entry:
    """What is to happen to the entry.

    Attributes:
        file: The client's file.
        state: NEW, SAME, OUTDATED (what an earlier version wrote is as it was), CHANGED (another entry of this name is
            there), or LEFTOVER (as installed, to go).
        old: The entry that is there; empty for none.
        ours: What is to be written of the new one; empty for none.
        new: The entry that shall be there: ours and what the user added; empty for none.
        before: The file's text now; None for no file.
        text: The file's text after the change; None removes the file.
        made: What the change makes: "file", "table" or "".
        folders_made: How many folders, from the file's own upwards, the change makes.
    """

    file: ServerFile
    state: State
    old: dict[str, Any]
    ours: dict[str, Any]
    new: dict[str, Any]
    before: str | None
    text: str | None
    made: str = ""
    folders_made: int = 0

    @property
    def current(self) -> bytes | None:
        """What the file holds now; None for no file."""
        return None if self.before is None else self.before.encode()


def command() -> list[str]:
    """The words that start this installation's server, wherever the client stands.

    From a temporary environment of `uvx`, whose path will not last, it is the `uvx` call that made it; which extras that call
    named is written down nowhere.
    """
    if _in_uvs_cache(Path(sys.prefix)):
        origin = _origin()
        return ["uvx", *(["--from", origin] if origin else []), NAME, "serve"]
    script = Path(sys.executable).with_name(NAME + (sysconfig.get_config_var("EXE") or ""))
    return [str(script), "serve"] if script.is_file() else [sys.executable, "-m", NAME, "serve"]


def _in_uvs_cache(environment: Path) -> bool:
    """Whether an environment is one that uv keeps in its cache: CACHE/archive-v0/NAME, with uv's mark in CACHE."""
    archive = environment.parent
    return bool(re.fullmatch(r"archive-v[0-9]+", archive.name)) and (archive.parent / "CACHEDIR.TAG").is_file()


def _origin() -> str:
    """Where the installed package came from, if it was no index (PEP 610): a file, a folder or a repository's commit."""
    try:
        found = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
        url = str(found.get("url", ""))
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "file":
            return urllib.request.url2pathname(parts.path)
        # A password is a credential, and over HTTP the name before the host may be a token; over SSH the name is part of the place.
        user, _, host = parts.netloc.rpartition("@")
        name = user.partition(":")[0] if parts.scheme.endswith("ssh") else ""
        bare = urllib.parse.urlunsplit(parts._replace(netloc=f"{name}@{host}" if name else host))
        if "vcs_info" in found:
            return f"{found['vcs_info']['vcs']}+{bare}@{found['vcs_info']['commit_id']}"
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return ""
    return bare


def entry_for(file: ServerFile, words: list[str]) -> dict[str, Any]:
    """The entry that starts the server with these words."""
    return {**({"type": "stdio"} if file.typed else {}), "command": words[0], "args": words[1:]}


def to_install(target: Target, words: list[str], written: ServerEntry | None) -> Entry | None:
    """What adding the entry would change; None for a client without a file for it.

    Args:
        target: Where it goes.
        words: What the client shall start.
        written: The entry that the record says was written, if one was.

    Raises:
        BadInput: The file is a link that leads out of the project, cannot be read, or is no JSON or TOML.
    """
    file = target.server
    if file is None:
        return None
    ours = entry_for(file, words)
    text = _read(target, file)
    if text is None or not text.strip("\ufeff \t\r\n"):
        made = "file" if text is None else ""
        folders = sum(not path.exists() for path in file.path.parents)
        after = _edited(file, "" if file.toml else "{}\n", ours)
        return Entry(file, State.NEW, {}, ours, ours, text, after, made, folders)
    servers = _servers(file, text)
    old = servers.get(NAME) if servers else None
    if old is None:
        made = "" if servers is not None else "table"
        return Entry(file, State.NEW, {}, ours, ours, text, _edited(file, text, ours), made)
    if not isinstance(old, dict):
        return Entry(file, State.CHANGED, {"": old}, ours, ours, text, _edited(file, text, ours))
    if _holds(old, ours):
        return Entry(file, State.SAME, old, ours, old, text, text)
    known = written is not None and written.file == str(file.path) and _holds(old, written.entry or ours)
    # What the user added to the entry, such as `env`, stays; of a server that is reached by its URL nothing fits.
    new = {**old, **ours} if "command" in old else ours
    state = State.OUTDATED if known else State.CHANGED
    return Entry(file, state, old, ours, new, text, _edited(file, text, new))


def _holds(entry: dict[str, Any], part: dict[str, Any]) -> bool:
    """Whether an entry says all that a part says; what it says besides is the user's."""
    return all(entry.get(key) == value for key, value in part.items())


def to_remove(target: Target, written: ServerEntry | None) -> Entry | None:
    """What taking out the entry would change; None when none was written, or not into the file that the target has.

    Raises:
        BadInput: As with `to_install`, or the entry is written in a form that cannot be taken out.
    """
    file = target.server
    if file is None or written is None or written.file != str(file.path):
        return None
    text = _read(target, file)
    old = (_servers(file, text) or {}).get(NAME) if text else None
    if text is None or old is None:
        return None
    if old != written.entry:
        return Entry(file, State.CHANGED, old if isinstance(old, dict) else {"": old}, {}, {}, text, text)
    after: str | None
    try:
        if file.toml:
            after = toml_entry.without_entry(text, file.table, NAME)
            empty = not after.strip()
        else:
            after = jsonc.without_entry(text, file.table, NAME, table_too=written.made != "")
            empty = jsonc.parse(after).value == {}
    except (toml_entry.NotToml, jsonc.NotJson) as error:
        raise _fault(f"{file.path}: {error}") from None
    if empty and written.made == "file":
        after = None
    return Entry(file, State.LEFTOVER, old, {}, {}, text, after)


def printed(file: ServerFile, entry: dict[str, Any]) -> str:
    """The entry as it stands in the client's file, to be shown or typed."""
    if file.toml:
        return toml_entry.with_entry("", file.table, NAME, entry)
    return json.dumps({file.table: {NAME: entry}}, indent=2, ensure_ascii=False) + "\n"


def _read(target: Target, file: ServerFile) -> str | None:
    path = file.path
    inside = target.inside
    if inside is not None:
        link = next((p for p in (path, *path.parents) if inside in p.parents and p.is_symlink()), None)
        if link is not None:
            raise _fault(f"{link} is a link: a project's file is not written through one")
    if not os.path.lexists(path):
        folder = next(p for p in path.parents if os.path.lexists(p))
        if not folder.is_dir():
            raise _fault(f"{folder} is no folder")
        return None
    if not path.is_file():
        raise _fault(f"{path} is no file")
    try:
        with open_plain(path) as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _fault(f"{path} is longer than {MAX_BYTES} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise _fault(f"{path} cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _fault(f"{path} is not UTF-8") from None


def _servers(file: ServerFile, text: str) -> dict[str, Any] | None:
    """The servers in a file; None when it has no list of them."""
    try:
        top = toml_entry.parse(text) if file.toml else jsonc.parse(text).value
    except (toml_entry.NotToml, jsonc.NotJson) as error:
        raise _fault(f"{file.path} is no {'TOML' if file.toml else 'JSON'}: {error}") from None
    servers = top.get(file.table) if isinstance(top, dict) else top
    if servers is None or isinstance(servers, dict):
        return servers
    raise _fault(f"{file.path}: {'the file' if servers is top else file.table} is not a table of servers")


def _edited(file: ServerFile, text: str, entry: dict[str, Any]) -> str:
    try:
        if file.toml:
            return toml_entry.with_entry(text, file.table, NAME, entry)
        return jsonc.with_entry(text, file.table, NAME, entry)
    except (toml_entry.NotToml, jsonc.NotJson) as error:
        raise _fault(f"{file.path}: {error}") from None


def _fault(where: str) -> BadInput:
    return BadInput(
        "The client's list of servers cannot be changed, and nothing was",
        where=where,
        fix=f"mend it and run this again, or leave it alone with --no-server and change its entry {NAME} by hand",
    )
