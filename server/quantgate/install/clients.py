"""Where each client reads skills and its list of servers, for a user and for a project.

Sources (November 2026): the clients' own pages on skills and MCP: Claude Code (code.claude.com/docs: skills, mcp), Codex
(developers.openai.com/codex: skills, mcp), Cursor (cursor.com/docs: skills, mcp), VS Code (code.visualstudio.com/docs:
agent-skills, mcp-servers).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput, UnknownName
from ..system import homes
from .arguments import CLIENTS, PROJECT


@dataclass(frozen=True)
class ServerFile:
    """The client's own file of servers.

    Attributes:
        path: The file.
        table: Its key for the servers.
        toml: TOML, else JSON that may have comments.
        typed: Whether an entry names its transport.
    """

    path: Path
    table: str
    toml: bool = False
    typed: bool = False


@dataclass(frozen=True)
class Target:
    """Where one installation goes.

    Attributes:
        client: The client's name; empty for a plain folder.
        skills: The folder of skills.
        server: The file that gets the server's entry; None where none is a plain file.
        by_hand: The command that registers the server where `server` is None; `{command}` stands for the server's.
        inside: Below this directory no part of a path may be a link; empty where the user's own home decides.
    """

    client: str
    skills: Path
    server: ServerFile | None
    by_hand: str = ""
    inside: Path | None = None


def _claude(base: Path, scope: str) -> Target:
    if scope == PROJECT:
        return Target("claude", base / ".claude" / "skills", ServerFile(base / ".mcp.json", "mcpServers"))
    settings = Path(os.environ.get("CLAUDE_CONFIG_DIR") or base / ".claude")
    # Its user-wide servers are in the file where the running client keeps its state: only the client should write there.
    return Target("claude", settings / "skills", None, "claude mcp add --scope user quantgate -- {command}")


def _codex(base: Path, scope: str) -> Target:
    home = base / ".codex" if scope == PROJECT else Path(os.environ.get("CODEX_HOME") or base / ".codex")
    return Target("codex", base / ".agents" / "skills", ServerFile(home / "config.toml", "mcp_servers", toml=True))


def _cursor(base: Path, _scope: str) -> Target:
    return Target("cursor", base / ".cursor" / "skills", ServerFile(base / ".cursor" / "mcp.json", "mcpServers"))


def _vscode(base: Path, scope: str) -> Target:
    if scope == PROJECT:
        server = ServerFile(base / ".vscode" / "mcp.json", "servers", typed=True)
        return Target("vscode", base / ".github" / "skills", server)
    return Target(
        "vscode", base / ".copilot" / "skills", ServerFile(_code_user(base) / "mcp.json", "servers", typed=True)
    )


def _code_user(home: Path) -> Path:
    """VS Code's directory of user settings."""
    return homes.application_settings(home) / "Code" / "User"


_TARGETS: dict[str, Callable[[Path, str], Target]] = dict(
    zip(CLIENTS, (_claude, _codex, _cursor, _vscode), strict=True)
)


def target(client: str, scope: str) -> Target:
    """Where an installation goes.

    Args:
        client: A client's name, or a folder of skills: a path that exists or that has a separator.
        scope: USER: the user's home. PROJECT: the working directory. A folder has neither.

    Raises:
        UnknownName: Neither a client nor a path.
        BadInput: There is no home directory.
    """
    find = _TARGETS.get(client)
    if find is None:
        folder = Path(os.path.expanduser(client))  # noqa: PTH111 - a user who is not there stays text
        if not client or not (folder.is_dir() or "/" in client or os.sep in client or client == "."):
            fix = f"one of {', '.join(CLIENTS)}, or a folder: ./{client or 'skills'}"
            raise UnknownName("client", client, fix=fix)
        return Target("", Path(os.path.abspath(folder)), None)  # noqa: PTH100 - a link in it must stay visible
    if scope == PROJECT:
        base = Path.cwd()
        found = find(base, scope)
        return Target(found.client, found.skills, found.server, found.by_hand, inside=base)
    try:
        return find(Path.home(), scope)
    except RuntimeError:
        raise BadInput("There is no home directory", fix="set HOME, or give --client a folder") from None
