"""The clients themselves, from the npm registry, with a home of their own and nobody logged in: they read what was installed.

The client of Claude Code also starts the server and speaks MCP with it; Codex lists its servers without starting them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import node_tools
from tests.conftest import SHARED_CACHE
from tests.install.conftest import Run
from tests.requirements import require

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]
CLAUDE = ("@anthropic-ai/claude-code", "2.1.328", "claude")
CODEX = ("@openai/codex", "0.169.0", "codex")
SECONDS = 240
PLUGIN = [
    ".claude-plugin",
    ".codex-plugin",
    ".mcp.json",
    "plugin.json",
    "mcp.json",
    "pyproject.toml",
    "server",
    "skills",
    "recipes",
    "references",
    "SKILL.md",
    "README.md",
    "LICENSE",
]
"""What of the repository a plugin is made of."""


def _environment(home: Path, **more: str) -> dict[str, str]:
    """A nearly empty environment, as a client that was started from a desktop has it."""
    kept = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR") if name in os.environ}
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "MCP_TIMEOUT": "120000"}
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    return {"HOME": str(home), "PATH": path, **kept, **quiet, **more}


def _client(package: tuple[str, str, str], home: Path, *words: str, folder: Path, **more: str) -> str:
    """What a command of a client prints; another exit code than 0 fails the test."""
    done = subprocess.run(
        [*node_tools.npm_command(*package), *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=_environment(home, **more),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _connected(listed: str) -> list[str]:
    return [line.split(": ")[0] for line in listed.splitlines() if "✔ Connected" in line]


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """The repository as a client gets it from a marketplace."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in PLUGIN:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    return copy


def test_claude_lists_the_server_as_connected_by_the_command_that_install_skill_prints(
    quantgate: Run, home: Path
) -> None:
    printed = quantgate("install-skill", "--client", "claude").out
    (line,) = [line.strip() for line in printed.splitlines() if line.strip().startswith("claude mcp add")]
    _client(CLAUDE, home, *line.split()[1:], folder=home)
    assert _connected(_client(CLAUDE, home, "mcp", "list", folder=home)) == ["quantgate"]


def test_claude_reads_the_entry_of_a_project_and_waits_for_the_users_approval(quantgate: Run, home: Path) -> None:
    quantgate("install-skill", "--client", "claude", "--scope", "project")
    project = home / "project"
    listed = _client(CLAUDE, home, "mcp", "list", folder=project)
    assert "quantgate" in listed
    assert "Pending approval" in listed
    # The approval as the client itself keeps it when the user gives it.
    (project / ".claude" / "settings.local.json").write_text(
        '{"enabledMcpjsonServers": ["quantgate"]}', encoding="utf-8"
    )
    state = home / ".claude.json"
    known = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
    known.setdefault("projects", {})[str(project)] = {"hasTrustDialogAccepted": True}
    state.write_text(json.dumps(known), encoding="utf-8")
    assert _connected(_client(CLAUDE, home, "mcp", "list", folder=project)) == ["quantgate"]


def test_claude_accepts_the_plugin_and_would_refuse_a_broken_one(plugin: Path, home: Path) -> None:
    told = _client(CLAUDE, home, "plugin", "validate", str(plugin), folder=home)
    assert "Validation passed" in told
    for skill in ("evaluation", "common", "compare-results", "nemotron-eval"):
        assert f"skills: quantgate:{skill}" in told
    _client(CLAUDE, home, "plugin", "validate", str(plugin / "skills"), folder=home)
    (plugin / ".claude-plugin" / "marketplace.json").write_text('{"name": "quantgate"}', encoding="utf-8")
    with pytest.raises(AssertionError, match="owner"):
        _client(CLAUDE, home, "plugin", "validate", str(plugin), folder=home)


def test_claude_installs_the_plugin_from_its_marketplace_and_connects_to_its_server(plugin: Path, home: Path) -> None:
    require((Path(sys.executable).parent / "uvx").exists(), "uv is not installed")
    uv = {"UV_CACHE_DIR": str(SHARED_CACHE / "uv"), "UV_PYTHON": sys.executable}
    _client(CLAUDE, home, "plugin", "marketplace", "add", str(plugin), folder=home)
    _client(CLAUDE, home, "plugin", "install", "quantgate@quantgate", folder=home)
    assert "evaluation" in _client(CLAUDE, home, "plugin", "details", "quantgate", folder=home)
    # In another folder: the server must come from the plugin's own.
    listed = _client(CLAUDE, home, "mcp", "list", folder=home / "project", **uv)
    assert _connected(listed) == ["plugin:quantgate:quantgate"], listed


def test_codex_reads_the_entry_that_was_added_to_its_settings(quantgate: Run, home: Path) -> None:
    settings = home / ".codex" / "config.toml"
    settings.parent.mkdir()
    settings.write_text('[mcp_servers.other]\ncommand = "true"\n', encoding="utf-8")
    quantgate("install-skill", "--client", "codex")
    server = json.loads(_client(CODEX, home, "mcp", "get", "quantgate", "--json", folder=home))
    assert server["enabled"] is True
    assert Path(server["transport"]["command"]).is_file()
    assert server["transport"]["args"] == ["serve"]
    assert "other" in _client(CODEX, home, "mcp", "list", folder=home)
    quantgate("install-skill", "--client", "codex", "--uninstall")
    assert "quantgate" not in _client(CODEX, home, "mcp", "list", folder=home)


def test_codex_installs_the_plugin_from_its_marketplace(plugin: Path, home: Path) -> None:
    (home / ".codex").mkdir()
    _client(CODEX, home, "plugin", "marketplace", "add", str(plugin), folder=home)
    _client(CODEX, home, "plugin", "add", "quantgate@quantgate", folder=home)
    installed = [*(home / ".codex" / "plugins").rglob("skills/evaluation/SKILL.md")]
    assert installed
    assert "quantgate" in _client(CODEX, home, "mcp", "list", folder=home)
