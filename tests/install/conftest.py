"""A home and a project of the test's own, and the command as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantgate import cli


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory, with a project in it as working directory."""
    home = tmp_path / "home"
    (home / "project").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home / "project")
    return home


@pytest.fixture
def quantgate(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`quantgate …` in that home."""

    def run(*words: str) -> Answer:
        code = cli.main(list(words))
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return run


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its content, and every directory."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
