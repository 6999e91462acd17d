"""The manifests say what the package is, and each passes the tool of those who read it. No network but for installing mcpb."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from quantgate import __version__
from quantgate.tools import TOOLS
from tests import node_tools
from tests.conftest import SHARED_CACHE

ROOT = Path(__file__).parents[2]
SKILLSAW = Path(sys.executable).with_name("skillsaw")
MCPB = ("@anthropic-ai/mcpb", "2.1.2", "mcpb")
MANIFESTS = [
    ".claude-plugin/plugin.json",
    ".claude-plugin/marketplace.json",
    ".codex-plugin/plugin.json",
    "plugin.json",
    "mcp.json",
    ".mcp.json",
    ".cursor/mcp.json",
    ".vscode/mcp.json",
    "server.json",
    "manifest.json",
]


def _json(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def _skillsaw(folder: Path) -> list[str]:
    """Errors and warnings of skillsaw, a line each."""
    done = subprocess.run(
        [SKILLSAW, "lint", str(folder), "--format", "json"], capture_output=True, text=True, timeout=120, check=False
    )
    found = json.loads(done.stdout)
    assert found["stats"]["rules_run"] > 20
    return [
        f"{row['rule_id']} {row['file_path']} {row['message']}"
        for row in found["violations"]
        if row["severity"] in {"error", "warning"}
    ]


def test_the_manifests_are_those_that_the_package_gives() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "manifests.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    registry = _json("server.json")
    versions = [_json(name)["version"] for name in MANIFESTS if "mcp.json" not in name and "market" not in name]
    versions += [_json(".claude-plugin/marketplace.json")["plugins"][0]["version"]]
    versions += [package["version"] for package in registry["packages"]]
    assert {*versions, project["version"]} == {__version__}
    assert len(versions) == 7


def test_the_bundle_names_every_tool_of_the_server() -> None:
    assert [tool["name"] for tool in _json("manifest.json")["tools"]] == [spec.name for spec in TOOLS]


def test_the_registrys_name_is_in_the_readme_as_it_wants_it_for_python_packages() -> None:
    assert f"<!-- mcp-name: {_json('server.json')['name']} -->" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", "mcp.json"])
def test_every_list_of_servers_starts_this_package_by_its_own_command(name: str) -> None:
    (servers,) = [value for key, value in _json(name).items() if key in {"mcpServers", "servers"}]
    assert list(servers) == ["quantgate"]
    assert servers["quantgate"]["command"] == "uvx"
    assert servers["quantgate"]["args"][-2:] == ["quantgate", "serve"]
    assert ("servers" in _json(name)) is name.startswith(".vscode")


def test_uv_looks_at_every_file_that_the_package_is_built_from() -> None:
    keys = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["cache-keys"]
    seen = {path for key in keys for path in ROOT.glob(key["file"]) if path.is_file()}
    built = {
        path
        for name in ("server/quantgate", "skills", "recipes", "references")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "py.typed"
    }
    assert built - seen == set()
    assert {ROOT / "pyproject.toml", ROOT / "SKILL.md"} <= seen


def _broken(folder: Path, faults: Mapping[str, Callable[[Any], Any]]) -> list[str]:
    for name, fault in faults.items():
        manifest = json.loads((folder / name).read_text(encoding="utf-8"))
        fault(manifest)
        (folder / name).write_text(json.dumps(manifest), encoding="utf-8")
    return _skillsaw(folder)


def test_skillsaw_finds_nothing_in_plugins_marketplace_servers_and_registry_entry_and_would(tmp_path: Path) -> None:
    for name in MANIFESTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("SKILL.md", "AGENTS.md", "README.md", "LICENSE", ".skillsaw.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("skills", "references", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "architecture.md", tmp_path / "docs")  # AGENTS.md leads there
    assert _skillsaw(tmp_path) == []
    found = _broken(
        tmp_path,
        {
            ".claude-plugin/plugin.json": lambda m: m.update(name="Not A Name"),
            ".claude-plugin/marketplace.json": lambda m: m.pop("owner"),
            "plugin.json": lambda m: m.update(colour="red"),
            "mcp.json": lambda m: m["mcpServers"]["quantgate"].pop("command"),
            ".mcp.json": lambda m: m["mcpServers"]["quantgate"].pop("command"),
            ".cursor/mcp.json": lambda m: m["mcpServers"]["quantgate"].pop("command"),
            ".vscode/mcp.json": lambda m: m["servers"]["quantgate"].pop("command"),
            "server.json": lambda m: m["packages"][0].pop("transport"),
        },
    )
    for named in (
        "claude-plugin-naming",
        "claude-marketplace-json-valid .claude-plugin/marketplace.json",
        "agent-plugin-json-valid plugin.json",
        "agent-plugin-mcp-valid mcp.json",
        "mcp-valid-json .mcp.json",
        "mcp-valid-json .cursor/mcp.json",
        "mcp-valid-json .vscode/mcp.json",
        "mcp-registry-server-json-valid server.json",
    ):
        assert any(named in line for line in found), named


def test_skillsaw_finds_nothing_in_the_plugin_for_codex_and_would(tmp_path: Path) -> None:
    # By itself: beside a plugin.json at the top skillsaw 0.22 leaves Codex's manifest unread.
    (tmp_path / ".codex-plugin").mkdir()
    for name in (".codex-plugin/plugin.json", "LICENSE", ".skillsaw.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "skills", tmp_path / "skills")
    assert _skillsaw(tmp_path) == []
    found = _broken(tmp_path, {".codex-plugin/plugin.json": lambda m: m.update(skills="../elsewhere")})
    assert any("codex-plugin-json-valid" in line for line in found)


def _mcpb(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*node_tools.npm_command(*MCPB), *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=node_tools.environment(),
    )


@pytest.mark.network
def test_mcpb_validates_the_bundles_manifest_and_would_refuse_a_broken_one(tmp_path: Path) -> None:
    done = _mcpb("validate", str(ROOT / "manifest.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    broken = {**_json("manifest.json"), "server": {"type": "uv"}}
    (tmp_path / "manifest.json").write_text(json.dumps(broken), encoding="utf-8")
    assert _mcpb("validate", str(tmp_path / "manifest.json")).returncode != 0


@pytest.mark.network
def test_mcpb_packs_a_bundle_that_starts_without_tests_and_caches_in_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("server", "skills", "recipes", "references", "docs"):
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("manifest.json", "pyproject.toml", "SKILL.md", "README.md", "LICENSE", ".mcpbignore"):
        shutil.copy(ROOT / name, source / name)
    for unwanted in (".venv/lib/x.py", "tests/test_x.py", "demo-output/y", ".git/HEAD"):
        (source / unwanted).parent.mkdir(parents=True)
        (source / unwanted).write_text("no", encoding="utf-8")
    done = _mcpb("pack", str(source), str(tmp_path / "quantgate.mcpb"))
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.unpack_archive(tmp_path / "quantgate.mcpb", tmp_path / "unpacked", "zip")
    unpacked = tmp_path / "unpacked"
    for name in ("server", "skills", "recipes", "references"):
        assert _names(unpacked / name) == _names(source / name)
    assert (unpacked / _json("manifest.json")["server"]["entry_point"]).is_file()
    assert (unpacked / "pyproject.toml").is_file()
    assert (unpacked / "recipes" / "tasks").is_dir()
    assert not [name for name in (".venv", "tests", "demo-output", ".git") if (unpacked / name).exists()]
    uv = [Path(sys.executable).with_name("uv"), "run", "--python", sys.executable]
    words = [
        word.replace("${__dirname}", str(unpacked)) for word in _json("manifest.json")["server"]["mcp_config"]["args"]
    ]
    assert words[0] == "run"
    assert _tools([*uv, *words[1:]], tmp_path) == [spec.name for spec in TOOLS]
    # What people need who work on the package is not installed with the bundle.
    assert not list((unpacked / ".venv").rglob("pytest"))


def _tools(command: list[str | Path], folder: Path) -> list[str]:
    """The tools that a server names when it is started by these words in that folder."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    asked = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list"},
    ]
    told = (folder / "stderr").open("wb")
    server = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=told,
        text=True,
        cwd=folder,
        env=node_tools.environment(HOME=str(folder), UV_CACHE_DIR=str(SHARED_CACHE / "uv")),
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        server.stdin.write("".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in asked))
        server.stdin.flush()
        answers = [server.stdout.readline() for _ in range(2)]
        assert all(answers), (folder / "stderr").read_text(encoding="utf-8")[-2000:]
        tools = json.loads(answers[1])["result"]["tools"]
        server.stdin.close()
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        told.close()
    return [tool["name"] for tool in tools]


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
