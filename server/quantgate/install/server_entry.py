"""The server's entry in a client's own file: added, replaced or taken out without touching another."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import urllib.parse
import urllib.request
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..errors import BadInput
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
        state: NEW, SAME, CHANGED (another entry of this name is there), or LEFTOVER (as installed, to go).
        old: The entry that is there; empty for none.
        new: The one that shall be there; empty for none.
        text: The file's text after the change; None removes the file.
        made: What the change makes: "file", "table" or "".
        folders_made: How many folders, from the file's own upwards, the change makes.
    """

    file: ServerFile
    state: State
    old: dict[str, Any]
    new: dict[str, Any]
    text: str | None
    made: str = ""
    folders_made: int = 0


def command() -> list[str]:
    """The words that start this installation's server, wherever the client stands.

    From a temporary environment of `uvx`, whose path will not last, it is the `uvx` call that made it.
    """
    if any(part.startswith("archive-v") for part in Path(sys.prefix).parts):
        origin = _origin()
        return ["uvx", *(["--from", origin] if origin else []), NAME, "serve"]
    script = Path(sys.executable).with_name(NAME + (sysconfig.get_config_var("EXE") or ""))
    return [str(script), "serve"] if script.is_file() else [sys.executable, "-m", NAME, "serve"]


def _origin() -> str:
    """Where the installed package came from, if it was no index (PEP 610): a file, a folder or a repository's commit."""
    try:
        found = json.loads(metadata.distribution(NAME).read_text("direct_url.json") or "{}")
        url = str(found.get("url", ""))
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "file":
            return urllib.request.url2pathname(parts.path)
        # A name or token before the host is a credential.
        bare = urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        if "vcs_info" in found:
            return f"{found['vcs_info']['vcs']}+{bare}@{found['vcs_info']['commit_id']}"
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return ""
    return bare


def entry_for(file: ServerFile, words: list[str]) -> dict[str, Any]:
    """The entry that starts the server with these words."""
    return {**({"type": "stdio"} if file.typed else {}), "command": words[0], "args": words[1:]}


def to_install(target: Target, words: list[str]) -> Entry | None:
    """What adding the entry would change; None for a client without a file for it.

    Raises:
        BadInput: The file is a link that leads out of the project, cannot be read, or is no JSON or TOML.
    """
    file = target.server
    if file is None:
        return None
    new = entry_for(file, words)
    text = _read(target, file)
    if text is None or not text.strip("\ufeff \t\r\n"):
        made = "file" if text is None else ""
        folders = sum(not path.exists() for path in file.path.parents)
        return Entry(file, State.NEW, {}, new, _edited(file, "" if file.toml else "{}\n", new), made, folders)
    servers = _servers(file, text)
    old = servers.get(NAME) if servers else None
    if old is None:
        return Entry(file, State.NEW, {}, new, _edited(file, text, new), "" if servers is not None else "table")
    if isinstance(old, dict) and all(old.get(key) == value for key, value in new.items()):
        # More keys, such as `env`, are the user's.
        return Entry(file, State.SAME, old, old, text)
    return Entry(file, State.CHANGED, old if isinstance(old, dict) else {"": old}, new, _edited(file, text, new))


def to_remove(target: Target, written: ServerEntry | None) -> Entry | None:
    """What taking out the entry would change; None when none was written, or not into the file that the target has.

    Raises:
        BadInput: As with `to_install`.
    """
    file = target.server
    if file is None or written is None or written.file != str(file.path):
        return None
    text = _read(target, file)
    old = (_servers(file, text) or {}).get(NAME) if text else None
    if text is None or old is None:
        return None
    if old != written.entry:
        return Entry(file, State.CHANGED, old if isinstance(old, dict) else {"": old}, {}, text)
    after: str | None
    if file.toml:
        after = toml_entry.without_entry(text, file.table, NAME)
        empty = not after.strip()
    else:
        after = jsonc.without_entry(text, file.table, NAME, table_too=written.made != "")
        empty = jsonc.parse(after).value == {}
    if empty and written.made == "file":
        after = None
    return Entry(file, State.LEFTOVER, old, {}, after)


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
        with path.open("rb") as stream:
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
        fix=f"mend it and run this again, or leave it alone with --no-server and add {NAME} to it by hand",
    )
