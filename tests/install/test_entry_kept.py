"""What a second installation and an uninstallation keep of the user's, and what they find again of their own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import StorageError
from quantgate.install import command, jsonc, record, toml_entry, writing
from tests.install.conftest import Run, tree

OLD = ["--command", "/old/quantgate serve"]


def _entry(home: Path, client: str) -> dict[str, Any]:
    if client == "codex":
        found: dict[str, Any] = tomllib.loads((home / ".codex/config.toml").read_text(encoding="utf-8"))["mcp_servers"]
    else:
        found = json.loads((home / ".cursor/mcp.json").read_text(encoding="utf-8"))["mcpServers"]
    entry: dict[str, Any] = found["quantgate"]
    return entry


def _add_variables(home: Path, client: str) -> None:
    if client == "codex":
        path = home / ".codex/config.toml"
        text = path.read_text(encoding="utf-8") + '[mcp_servers.quantgate.env]\nA = "b"\n"C d" = "e"\n'
    else:
        path = home / ".cursor/mcp.json"
        servers = json.loads(path.read_text(encoding="utf-8"))
        servers["mcpServers"]["quantgate"]["env"] = {"A": "b", "C d": "e"}
        text = json.dumps(servers)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("client", ["cursor", "codex"])
def test_an_entry_as_another_version_wrote_it_is_replaced_without_asking(
    quantgate: Run, home: Path, client: str
) -> None:
    before = tree(home)
    quantgate("install-skill", "--client", client, *OLD)
    assert _entry(home, client)["command"] == "/old/quantgate"
    answer = quantgate("install-skill", "--client", client)
    assert answer.code == 0
    assert ": update" in answer.out
    assert _entry(home, client)["command"] != "/old/quantgate"
    quantgate("install-skill", "--client", client, "--uninstall")
    assert tree(home) == before


@pytest.mark.parametrize("client", ["cursor", "codex"])
@pytest.mark.parametrize("edited", [False, True], ids=["as written", "overwritten with --yes"])
def test_the_variables_that_the_user_added_stay_when_the_command_is_replaced(
    quantgate: Run, home: Path, client: str, edited: bool
) -> None:
    quantgate("install-skill", "--client", client, *OLD)
    _add_variables(home, client)
    if edited:
        name = ".codex/config.toml" if client == "codex" else ".cursor/mcp.json"
        text = (home / name).read_text(encoding="utf-8")
        (home / name).write_text(text.replace("/old/quantgate", "/mine/quantgate"), encoding="utf-8")
        assert quantgate("install-skill", "--client", client).code == 1
    answer = quantgate("install-skill", "--client", client, *(["--yes"] if edited else []))
    assert answer.code == 0
    assert "/old/" not in _entry(home, client)["command"]
    assert "/mine/" not in _entry(home, client)["command"]
    assert _entry(home, client)["env"] == {"A": "b", "C d": "e"}
    assert "kept, you changed it" in quantgate("install-skill", "--client", client, "--uninstall").out
    assert _entry(home, client)["env"] == {"A": "b", "C d": "e"}


def test_of_a_server_that_is_reached_by_its_url_nothing_is_mixed_with_a_command(quantgate: Run, home: Path) -> None:
    (home / ".cursor").mkdir()
    remote = {"mcpServers": {"quantgate": {"url": "https://host/mcp"}}}
    (home / ".cursor/mcp.json").write_text(json.dumps(remote), encoding="utf-8")
    assert quantgate("install-skill", "--client", "cursor", "--yes").code == 0
    assert set(_entry(home, "cursor")) == {"command", "args"}


def test_what_was_written_to_the_clients_file_while_the_person_was_asked_is_not_lost(
    quantgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    path.write_text('{"mcpServers": {"quantgate": {"command": "mine"}}}', encoding="utf-8")
    meanwhile = '{"mcpServers": {"quantgate": {"command": "mine"}, "other": {}}}'

    def slowly(question: str) -> bool:
        path.write_text(meanwhile, encoding="utf-8")
        return True

    monkeypatch.setattr(command, "_asked", slowly)
    answer = quantgate("install-skill", "--client", "cursor")
    assert answer.code == 1
    assert "changed meanwhile" in answer.err
    assert "run this again" in answer.err
    assert path.read_text(encoding="utf-8") == meanwhile
    assert not (home / ".cursor/skills").exists()


def test_a_file_that_was_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("theirs", encoding="utf-8")
    before = tree(tmp_path)
    changes = [writing.Change(tmp_path / name, b"ours", tmp_path, None) for name in ("a", "b")]
    with pytest.raises(StorageError, match="changed meanwhile"):
        writing.apply(changes)
    assert tree(tmp_path) == before


def test_an_inline_entry_is_not_said_to_be_removed(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "codex", "--command", "quantgate serve")
    path = home / ".codex/config.toml"
    path.write_text('[mcp_servers]\nquantgate = {command = "quantgate", args = ["serve"]}\n', encoding="utf-8")
    before = tree(home)
    answer = quantgate("install-skill", "--client", "codex", "--uninstall")
    assert answer.code == 2
    assert "in a form that cannot be changed" in answer.err
    assert "Traceback" not in answer.err
    assert tree(home) == before


@pytest.mark.parametrize("quote", ['"', "'"])
def test_an_entry_with_quoted_keys_is_taken_out(quantgate: Run, home: Path, quote: str) -> None:
    text = f"[a]\nb = 1\n\n[{quote}mcp_servers{quote}.{quote}quantgate{quote}]\ncommand = 'x'\n"
    assert toml_entry.without_entry(text, "mcp_servers", "quantgate") == "[a]\nb = 1\n"


def test_a_brace_behind_the_entry_is_not_pulled_into_the_comment_before_it(quantgate: Run, home: Path) -> None:
    text = '{"servers": {\n  "a": 1, // keep\n  "quantgate": {"command": "x"} }}'
    removed = jsonc.without_entry(text, "servers", "quantgate")
    assert jsonc.parse(removed).value == {"servers": {"a": 1}}
    assert "// keep" in removed


def test_an_entry_that_cannot_be_cut_out_of_json_is_one_line_and_no_traceback(
    quantgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantgate("install-skill", "--client", "cursor")
    before = tree(home)
    monkeypatch.setattr(jsonc, "_cut", lambda text, node, member: text[: member.start])
    answer = quantgate("install-skill", "--client", "cursor", "--uninstall")
    assert answer.code == 2
    assert "in a form that cannot be changed" in answer.err
    assert "Traceback" not in answer.err
    assert tree(home) == before


def test_an_entry_in_a_file_that_is_not_the_clients_now_stays_recorded_until_it_is_again(
    quantgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home)
    quantgate("install-skill", "--client", "codex")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("CODEX_HOME", str(home / "other"))
        answer = quantgate("install-skill", "--client", "codex", "--uninstall")
    assert f"Not touched: {home / '.codex' / 'config.toml'}" in answer.out
    assert _entry(home, "codex")
    answer = quantgate("install-skill", "--client", str(home / ".agents/skills"), "--uninstall")
    assert f"Not touched: {home / '.codex' / 'config.toml'}" in answer.out
    quantgate("install-skill", "--client", "codex", "--uninstall")
    assert tree(home) == before


def test_after_overwriting_an_edited_entry_the_file_that_was_made_for_it_still_goes(quantgate: Run, home: Path) -> None:
    before = tree(home)
    quantgate("install-skill", "--client", "cursor", *OLD)
    path = home / ".cursor/mcp.json"
    path.write_text(path.read_text(encoding="utf-8").replace("/old/", "/mine/"), encoding="utf-8")
    assert quantgate("install-skill", "--client", "cursor", "--yes").code == 0
    quantgate("install-skill", "--client", "cursor", "--uninstall")
    assert tree(home) == before


def test_a_changed_file_that_no_longer_ships_is_named_and_stays_recorded(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "cursor")
    folder = home / ".cursor/skills"
    (folder / "evaluation/gone.md").write_text("mine", encoding="utf-8")
    told = json.loads((folder / record.NAME).read_text(encoding="utf-8"))
    told["files"]["evaluation/gone.md"] = record.digest(b"as installed")
    (folder / record.NAME).write_text(json.dumps(told), encoding="utf-8")
    for words in ([], ["--yes"], ["--uninstall"]):
        answer = quantgate("install-skill", "--client", "cursor", *words)
        assert answer.code == 0
        assert "kept      evaluation/gone.md: you changed it" in answer.out
    assert (folder / "evaluation/gone.md").read_text(encoding="utf-8") == "mine"
