"""The built wheel, started as its users start it: `uvx … quantgate serve`, and once it is cached without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate import __version__
from quantgate.tools import TOOLS
from tests.conftest import SHARED_CACHE
from tests.requirements import require

from .built import ROOT, build

pytestmark = pytest.mark.network
UVX = Path(sys.executable).with_name("uvx")
SECONDS = 480
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("dist"))


def _uvx(origin: Path, home: Path, *words: str) -> subprocess.Popen[str]:
    options = ["--python", sys.executable, "--from", str(origin)]
    kept = {name: value for name, value in os.environ.items() if name.startswith("SSL_CERT_")}
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "UV_CACHE_DIR": str(SHARED_CACHE / "uv"), **kept}
    return subprocess.Popen(
        [UVX, *options, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env=env,
    )


def _done(child: subprocess.Popen[str]) -> str:
    try:
        out, err = child.communicate(timeout=SECONDS)
    finally:
        child.kill()
    assert child.returncode == 0, err[-2000:]
    return out


def test_uvx_starts_the_server_from_the_wheel_and_offline_once_it_is_cached(wheel: Path, tmp_path: Path) -> None:
    require(UVX.exists(), "uv is not installed")
    assert _done(_uvx(wheel, tmp_path, "quantgate", "--version")) == f"quantgate {__version__}\n"
    server = _uvx(wheel, tmp_path, "--offline", "quantgate", "serve")
    assert server.stdin is not None
    assert server.stdout is not None
    messages = [HELLO, {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    messages.append({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    server.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
    server.stdin.flush()
    answers = [json.loads(server.stdout.readline())["result"] for _ in range(2)]
    assert _done(server) == ""
    assert answers[0]["serverInfo"]["name"] == "quantgate"
    assert [tool["name"] for tool in answers[1]["tools"]] == [spec.name for spec in TOOLS]


def test_from_uvx_the_skills_are_installed_and_the_entry_names_uvx_and_the_wheel(wheel: Path, tmp_path: Path) -> None:
    require(UVX.exists(), "uv is not installed")
    _done(_uvx(wheel, tmp_path, "quantgate", "install-skill", "--client", "cursor"))
    entry = json.loads((tmp_path / ".cursor" / "mcp.json").read_text(encoding="utf-8"))["mcpServers"]["quantgate"]
    assert entry == {"command": "uvx", "args": ["--from", str(wheel), "quantgate", "serve"]}
    skills = tmp_path / ".cursor" / "skills"
    assert (skills / "evaluation" / "references" / "comparing-runs.md").is_file()
    assert (skills / "evaluation" / "SKILL.md").read_bytes() == (ROOT / "SKILL.md").read_bytes()


def test_a_server_that_uvx_starts_from_a_folder_is_the_folders_after_an_edit(tmp_path: Path) -> None:
    require(UVX.exists(), "uv is not installed")
    source = tmp_path / "source"
    for name in ("server", "skills", "recipes", "references"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "SKILL.md", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    assert _done(_uvx(source, tmp_path, "quantgate", "--version")) == f"quantgate {__version__}\n"
    module = source / "server" / "quantgate" / "__init__.py"
    module.write_text(
        module.read_text(encoding="utf-8").replace(__version__, f"{__version__}.edited"), encoding="utf-8"
    )
    assert _done(_uvx(source, tmp_path, "quantgate", "--version")) == f"quantgate {__version__}.edited\n"
