"""Writes the manifests by which clients and registries know quantgate: name, version, description and tools from one source.

`python scripts/manifests.py` writes them, `--check` only says which are not current (exit 1); `make docs` does both.
The source is pyproject.toml and the table of tools. docs/installing.md says what each file is for.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from quantgate.tools import TOOLS

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME, VERSION = PROJECT["name"], PROJECT["version"]
AUTHOR = {"name": PROJECT["authors"][0]["name"]}
DESCRIPTION = PROJECT["description"]
SHORT = "Gated, validated, honestly compared evaluations of quantized models, over NeMo Evaluator Launcher."
"""The registry allows 100 characters."""
REGISTRY_NAME = "io.github.quantgate/quantgate"
"""Who publishes it there changes the part before the slash to a namespace of their own, here and in README.md."""
KEYWORDS = PROJECT["keywords"]


def _uvx(root: str) -> dict[str, Any]:
    """The server, built by uv from the folder that the manifest is in; kept by uv after the first start."""
    return {"command": "uvx", "args": ["--from", root, NAME, "serve"]}


def _common() -> dict[str, Any]:
    return {
        "name": NAME,
        "version": VERSION,
        "description": DESCRIPTION,
        "author": AUTHOR,
        "license": PROJECT["license"],
        "keywords": KEYWORDS,
    }


def _claude() -> dict[str, Any]:
    # By the same name as in .mcp.json, which the loader reads too: this one, with the plugin's own folder, is taken.
    return {**_common(), "mcpServers": {NAME: _uvx("${CLAUDE_PLUGIN_ROOT}")}}


def _codex() -> dict[str, Any]:
    return {
        **_common(),
        "skills": "./skills/",
        "mcpServers": {NAME: {**_uvx("."), "cwd": "."}},
        "interface": {
            "displayName": NAME,
            "shortDescription": SHORT,
            "longDescription": DESCRIPTION,
            "developerName": AUTHOR["name"],
            "category": "Developer Tools",
            "capabilities": ["Interactive", "Write"],
        },
    }


def _marketplace() -> dict[str, Any]:
    plugin = {"name": NAME, "source": "./", "description": DESCRIPTION, "version": VERSION, "author": AUTHOR}
    return {"name": NAME, "owner": AUTHOR, "metadata": {"description": SHORT}, "plugins": [plugin]}


def _agent_plugin() -> dict[str, Any]:
    return {"$schema": "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json", **_common()}


def _agent_plugin_servers() -> dict[str, Any]:
    server = {"type": "stdio", **_uvx("${PLUGIN_ROOT}")}
    return {"$schema": "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json", "mcpServers": {NAME: server}}


def _registry() -> dict[str, Any]:
    package = {
        "registryType": "pypi",
        "identifier": NAME,
        "version": VERSION,
        "runtimeHint": "uvx",
        "transport": {"type": "stdio"},
        "packageArguments": [{"type": "positional", "value": "serve"}],
        "environmentVariables": [
            {
                "name": "MODELOPT_WORKSPACE_ROOT",
                "description": "Folder of the workspaces; the ledger of gates is kept in it.",
                "format": "filepath",
            }
        ],
    }
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": REGISTRY_NAME,
        "title": NAME,
        "description": SHORT,
        "version": VERSION,
        "packages": [package],
    }


def _bundle() -> dict[str, Any]:
    arguments = ["run", "--no-dev", "--directory", "${__dirname}", NAME, "serve"]
    return {
        "manifest_version": "0.4",
        "name": NAME,
        "display_name": NAME,
        "version": VERSION,
        "description": DESCRIPTION,
        "author": AUTHOR,
        "license": PROJECT["license"],
        "keywords": KEYWORDS,
        "server": {
            "type": "uv",
            "entry_point": "server/quantgate/__main__.py",
            "mcp_config": {
                "command": "uv",
                "args": arguments,
                "env": {"MODELOPT_WORKSPACE_ROOT": "${user_config.workspace_root}"},
            },
        },
        "tools": [{"name": spec.name, "description": spec.title} for spec in TOOLS],
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": PROJECT["requires-python"]},
        },
        "user_config": {
            "workspace_root": {
                "type": "directory",
                "title": "Workspaces",
                "description": "Folder of your workspaces; quantgate keeps its ledger of gates in it",
                "required": True,
                "default": "${HOME}/workspaces",
            }
        },
    }


def manifests() -> dict[str, dict[str, Any]]:
    """Every manifest, by its path in the repository."""
    return {
        ".claude-plugin/plugin.json": _claude(),
        ".claude-plugin/marketplace.json": _marketplace(),
        ".codex-plugin/plugin.json": _codex(),
        "plugin.json": _agent_plugin(),
        "mcp.json": _agent_plugin_servers(),
        ".mcp.json": {"mcpServers": {NAME: _uvx(".")}},
        ".cursor/mcp.json": {"mcpServers": {NAME: _uvx("${workspaceFolder}")}},
        ".vscode/mcp.json": {"servers": {NAME: {"type": "stdio", **_uvx("${workspaceFolder}")}}},
        "server.json": _registry(),
        "manifest.json": _bundle(),
    }


def text_of(manifest: dict[str, Any]) -> str:
    """A manifest as its file holds it."""
    return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"


def differing() -> list[str]:
    """The manifests whose file is missing or says something else."""
    return [
        name
        for name, manifest in manifests().items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text(encoding="utf-8") != text_of(manifest)
    ]


def renew() -> None:
    """Write those that differ."""
    for name in differing():
        path = ROOT / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text_of(manifests()[name]), encoding="utf-8")


def main() -> int:
    """Write or check; 1 when a check finds a manifest that is not current."""
    outdated = differing()
    if "--check" not in sys.argv:
        renew()
        return 0
    sys.stderr.write("".join(f"not current: {name}; run make docs\n" for name in outdated))
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
