"""`quantgate install-skill` and the clients' own lists of servers: an entry is added, and nobody else's is touched."""

from __future__ import annotations

import json
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest

from quantgate.install import record, server_entry
from tests.install.conftest import Run, tree
from tests.requirements import require

SCRIPT = str(Path(sys.executable).with_name("quantgate" + (sysconfig.get_config_var("EXE") or "")))
FILES = {
    ("claude", "project"): ("project/.mcp.json", "mcpServers"),
    ("cursor", "user"): (".cursor/mcp.json", "mcpServers"),
    ("cursor", "project"): ("project/.cursor/mcp.json", "mcpServers"),
    ("vscode", "project"): ("project/.vscode/mcp.json", "servers"),
    ("codex", "user"): (".codex/config.toml", "mcp_servers"),
    ("codex", "project"): ("project/.codex/config.toml", "mcp_servers"),
}


def _servers(path: Path, table: str) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = (tomllib.loads(text) if path.suffix == ".toml" else json.loads(text))[table]
    return found


@pytest.mark.parametrize(("client", "scope"), FILES, ids="-".join)
def test_the_clients_own_file_gets_the_command_of_this_installation(
    quantgate: Run, home: Path, client: str, scope: str
) -> None:
    name, table = FILES[client, scope]
    answer = quantgate("install-skill", "--client", client, "--scope", scope)
    entry = _servers(home / name, table)["quantgate"]
    assert entry["command"] == SCRIPT
    assert entry["args"] == ["serve"]
    assert entry.get("type") == ("stdio" if client == "vscode" else None)
    assert SCRIPT in answer.out


def test_claudes_own_state_is_left_to_claude(quantgate: Run, home: Path) -> None:
    (home / ".claude.json").write_text('{"mcpServers": {}}', encoding="utf-8")
    answer = quantgate("install-skill", "--client", "claude")
    assert f"claude mcp add --scope user quantgate -- {SCRIPT} serve" in answer.out
    assert (home / ".claude.json").read_text(encoding="utf-8") == '{"mcpServers": {}}'


def test_the_folders_that_the_clients_variables_name_are_used(
    quantgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home / "codex"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "claude"))
    quantgate("install-skill", "--client", "codex")
    quantgate("install-skill", "--client", "claude")
    assert "quantgate" in _servers(home / "codex" / "config.toml", "mcp_servers")
    assert (home / "claude" / "skills" / "evaluation" / "SKILL.md").is_file()


def test_other_servers_comments_and_order_stay(quantgate: Run, home: Path) -> None:
    path = home / "project" / ".vscode" / "mcp.json"
    path.parent.mkdir()
    text = '{\n  // of the team\n  "inputs": [],\n  "servers": {\n    "other": { "command": "x" }, // keep\n  },\n}\n'
    path.write_text(text, encoding="utf-8")
    quantgate("install-skill", "--client", "vscode", "--scope", "project")
    changed = path.read_text(encoding="utf-8")
    assert changed.startswith(
        '{\n  // of the team\n  "inputs": [],\n  "servers": {\n    "other": { "command": "x" }, // keep\n'
    )
    assert '"quantgate": {' in changed
    quantgate("install-skill", "--client", "vscode", "--scope", "project", "--uninstall")
    assert path.read_text(encoding="utf-8") == text


def test_a_setting_of_codex_stays_as_it_was(quantgate: Run, home: Path) -> None:
    path = home / ".codex" / "config.toml"
    path.parent.mkdir()
    text = '# mine\nmodel = "m"\n\n[mcp_servers.other]\ncommand = "x" # keep\n'
    path.write_text(text, encoding="utf-8")
    quantgate("install-skill", "--client", "codex")
    assert path.read_text(encoding="utf-8").startswith(text)
    quantgate("install-skill", "--client", "codex", "--uninstall")
    assert path.read_text(encoding="utf-8") == text


def test_no_server_leaves_the_list_alone_and_a_later_run_adds_it(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "cursor", "--no-server")
    assert not (home / ".cursor" / "mcp.json").exists()
    assert quantgate("install-skill", "--client", "cursor").code == 0
    assert "quantgate" in _servers(home / ".cursor" / "mcp.json", "mcpServers")


def test_an_entry_of_that_name_with_another_command_is_shown_and_left(quantgate: Run, home: Path) -> None:
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    old = {"command": "/old/quantgate", "args": ["serve"], "env": {"HF_TOKEN": "hf_aaaaaaaaaaaaaaaaaaaa"}}
    text = json.dumps({"mcpServers": {"quantgate": old}})
    path.write_text(text, encoding="utf-8")
    answer = quantgate("install-skill", "--client", "cursor")
    assert answer.code == 1
    assert '-      "command": "/old/quantgate"' in answer.out
    assert "hf_aaaa" not in answer.out
    assert path.read_text(encoding="utf-8") == text
    assert quantgate("install-skill", "--client", "cursor", "--yes").code == 0
    assert _servers(path, "mcpServers")["quantgate"]["command"] == SCRIPT


def test_variables_that_the_user_added_to_the_entry_are_kept(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "cursor")
    path = home / ".cursor" / "mcp.json"
    mine = json.loads(path.read_text(encoding="utf-8"))
    mine["mcpServers"]["quantgate"]["env"] = {"MODELOPT_WORKSPACE_ROOT": "/data"}
    path.write_text(json.dumps(mine), encoding="utf-8")
    answer = quantgate("install-skill", "--client", "cursor")
    assert answer.code == 0
    assert "Nothing to do" in answer.out
    answer = quantgate("install-skill", "--client", "cursor", "--uninstall")
    assert "kept, you changed it" in answer.out
    assert json.loads(path.read_text(encoding="utf-8")) == mine


@pytest.mark.parametrize(
    ("client", "name", "text", "told"),
    [
        ("cursor", ".cursor/mcp.json", "{not json", "is no JSON: line 1"),
        ("cursor", ".cursor/mcp.json", "[]", "is not a table of servers"),
        ("cursor", ".cursor/mcp.json", '{"mcpServers": "x"}', "mcpServers is not a table of servers"),
        ("codex", ".codex/config.toml", "a = \n", "is no TOML"),
        ("codex", ".codex/config.toml", 'mcp_servers = {a = {command = "x"}}\n', "in a form that cannot be changed"),
    ],
)
def test_a_file_that_cannot_be_changed_stops_everything(
    quantgate: Run, home: Path, client: str, name: str, text: str, told: str
) -> None:
    path = home / name
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    before = tree(home)
    answer = quantgate("install-skill", "--client", client, "--yes")
    assert answer.code == 2
    assert told in answer.err
    assert "--no-server" in answer.err
    assert tree(home) == before
    assert quantgate("install-skill", "--client", client, "--no-server").code == 0


def test_bytes_that_are_no_text_and_a_folder_in_its_place_are_named(quantgate: Run, home: Path) -> None:
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_bytes(b'{"a": "\xff"}')
    assert "is not UTF-8" in quantgate("install-skill", "--client", "cursor").err
    path.unlink()
    path.mkdir()
    assert "is no file" in quantgate("install-skill", "--client", "cursor").err


def test_a_link_in_a_project_is_not_written_through_and_the_users_own_is(quantgate: Run, home: Path) -> None:
    kept = home / "dotfiles.json"
    kept.write_text('{"mcpServers": {}}', encoding="utf-8")
    for folder in (home / ".cursor", home / "project" / ".cursor"):
        folder.mkdir()
        try:
            (folder / "mcp.json").symlink_to(kept)
        except OSError as error:
            require(False, f"no links here: {error}")
    answer = quantgate("install-skill", "--client", "cursor", "--scope", "project")
    assert answer.code == 2
    assert "is a link" in answer.err
    assert kept.read_text(encoding="utf-8") == '{"mcpServers": {}}'
    assert quantgate("install-skill", "--client", "cursor").code == 0
    assert (home / ".cursor" / "mcp.json").is_symlink()
    assert "quantgate" in _servers(kept, "mcpServers")


def test_uninstalling_without_the_server_leaves_its_entry_for_a_later_uninstall(quantgate: Run, home: Path) -> None:
    before = tree(home)
    quantgate("install-skill", "--client", "cursor")
    quantgate("install-skill", "--client", "cursor", "--uninstall", "--no-server")
    assert "quantgate" in _servers(home / ".cursor" / "mcp.json", "mcpServers")
    assert not (home / ".cursor" / "skills" / "evaluation").exists()
    quantgate("install-skill", "--client", "cursor", "--uninstall")
    assert tree(home) == before


def test_a_record_that_names_another_file_than_the_clients_changes_neither(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "cursor")
    other = home / "other.json"
    shutil.copy(home / ".cursor" / "mcp.json", other)
    told = home / ".cursor" / "skills" / record.NAME
    changed = json.loads(told.read_text(encoding="utf-8"))
    changed["server"]["file"] = str(other)
    told.write_text(json.dumps(changed), encoding="utf-8")
    answer = quantgate("install-skill", "--client", "cursor", "--uninstall")
    assert f"Not touched: {other}" in answer.out
    assert "quantgate" in _servers(other, "mcpServers")
    assert "quantgate" in _servers(home / ".cursor" / "mcp.json", "mcpServers")


def test_a_command_of_ones_own_is_registered_word_by_word(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "cursor", "--command", "uvx --from '/a b/quantgate' quantgate serve")
    entry = _servers(home / ".cursor" / "mcp.json", "mcpServers")["quantgate"]
    assert entry == {"command": "uvx", "args": ["--from", "/a b/quantgate", "quantgate", "serve"]}
    for wrong in ("'open", "  "):
        assert quantgate("install-skill", "--client", "cursor", "--command", wrong).code == 2


def test_from_uvx_the_call_that_made_the_environment_is_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As uv lays out its cache: archive-v0/NAME, with a CACHEDIR.TAG at the top.
    (tmp_path / "CACHEDIR.TAG").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "archive-v0" / "abc"))
    origins = {
        '{"url": "file:///w/quantgate-0.1.0-py3-none-any.whl", "archive_info": {}}': [
            "--from",
            "/w/quantgate-0.1.0-py3-none-any.whl",
        ],
        '{"url": "https://user:secret@host/q.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}}': [
            "--from",
            "git+https://host/q.git@ab12",
        ],
        '{"url": "ssh://git:secret@host:22/q.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}}': [
            "--from",
            "git+ssh://git@host:22/q.git@ab12",
        ],
        '{"url": "https://token@host/quantgate.whl", "archive_info": {}}': ["--from", "https://host/quantgate.whl"],
    }

    class Installed:
        def __init__(self, text: str | None) -> None:
            self.text = text

        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return self.text

    for text, words in [*origins.items(), (None, [])]:
        monkeypatch.setattr(server_entry.metadata, "distribution", lambda _, text=text: Installed(text))
        assert server_entry.command() == ["uvx", *words, "quantgate", "serve"]


@pytest.mark.parametrize("prefix", ["archive-v2024/venv", "archive-v0/project/venv", "archive-vx/venv"])
def test_an_environment_below_a_folder_that_is_only_named_like_uvs_is_registered_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / prefix))
    assert server_entry.command() == [SCRIPT, "serve"]
