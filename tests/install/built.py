"""The built distributions, and an installation of one outside the repository: nothing of this tree is on its path."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.conftest import SHARED_CACHE
from tests.protocol.raw_server import HANDSHAKE, RawServer, serving

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
SECONDS = 580


def build(kind: str, out: Path, source: Path = ROOT) -> Path:
    """The `wheel` or `sdist` of a source tree, made in `out`."""
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return next(out.glob("*.whl" if kind == "wheel" else "*.tar.gz"))


@cache
def interpreter(version: str) -> Path | None:
    """An interpreter of this version ("3.12") that runs; None if this machine has none.

    A name on PATH proves nothing: version managers put a program there for versions that are not chosen.
    """
    named = shutil.which(f"python{version}")
    managed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}*/bin/python{version}"), reverse=True)
    by_uv = sorted((Path.home() / ".local" / "share" / "uv" / "python").glob(f"cpython-{version}*/bin/python{version}"))
    for candidate in [Path(sys.executable), *([Path(named)] if named else []), *managed, *by_uv]:
        code = "import sys, venv, ssl, sqlite3; print('%d.%d' % sys.version_info[:2])"
        with contextlib.suppress(OSError):
            done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
            if done.stdout.strip() == version:
                return candidate
    return None


def _environment(home: Path) -> dict[str, str]:
    """As a client starts a server: hardly a variable, and none of ours but the caches."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("SSL_CERT_")}
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "UV_CACHE_DIR": str(SHARED_CACHE / "uv"),
        "QUANTGATE_HOME": str(home / "state"),
        "QUANTGATE_CACHE": str(SHARED_CACHE),
        **kept,
    }


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Installation:
    """A virtual environment with quantgate in it.

    Attributes:
        folder: Holds the home and working directory of its commands (`home`).
        venv: The environment.
    """

    folder: Path
    venv: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    def run(self, *words: str | Path, cwd: Path | None = None) -> Done:
        """A program of the environment, as `quantgate` or `python`."""
        program = [self.python.with_name(str(words[0])), *map(str, words[1:])]
        done = subprocess.run(
            program,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            cwd=cwd or self.home,
            env=_environment(self.home),
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A tool's answer, by `quantgate call`."""
        done = self.run("quantgate", "call", tool, json.dumps(arguments))
        assert done.code == 0, done.err[-2000:]
        answer: dict[str, Any] = json.loads(done.out)
        return answer

    @contextlib.contextmanager
    def serving(self) -> Iterator[RawServer]:
        """`quantgate serve`, greeted."""
        command = [self.python.with_name("quantgate"), "serve"]
        with serving(command, self.home, HANDSHAKE, _environment(self.home)) as server:
            yield server


def _uv(folder: Path, *words: str | Path) -> None:
    done = subprocess.run(
        [UV, *map(str, words)], capture_output=True, text=True, check=False, cwd=folder, env=_environment(folder)
    )
    assert done.returncode == 0, done.stderr[-3000:]


@contextlib.contextmanager
def installation(python: Path, folder: Path, lock: str, *what: str | Path) -> Iterator[Installation]:
    """An environment with these requirements, for one block at a time.

    It stays in the tests' cache, compiled as far as it was used, until the lock file, the interpreter or the requirements change.
    The same command installs into a fresh and into a kept one; the package itself is always installed anew.

    Args:
        python: The interpreter.
        folder: Where the home and the working directory of its commands are made.
        lock: The file of `requirements/` that constrains it, by its name without `.lock`.
        what: Requirements; the first one is the package's wheel.

    Raises:
        AssertionError: They cannot be installed; the message is uv's.
    """
    pins = ROOT / "requirements" / f"{lock}.lock"
    version = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout
    of = hashlib.sha256("\0".join([version, str(python), *map(str, what[1:]), pins.read_text()]).encode()).hexdigest()
    venv = SHARED_CACHE / "environments" / f"{lock}-{version.split()[1]}"
    venv.parent.mkdir(parents=True, exist_ok=True)
    made = Installation(folder, venv)
    made.home.mkdir(parents=True)
    stamp = venv / "made-of"
    with FileLock(venv.with_name(f"{venv.name}.lock"), timeout=SECONDS):
        if not stamp.exists() or stamp.read_text() != of:
            _uv(folder, "venv", "--quiet", "--clear", "--python", python, venv)
        into = ["--quiet", "--python", made.python, "--constraints", pins]
        _uv(folder, "pip", "install", *into, "--reinstall-package", "quantgate", *what)
        stamp.write_text(of)
        yield made
