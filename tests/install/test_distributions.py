"""The wheel and the source distribution: the same package from both, and a source that can test itself."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from .built import ROOT, build

NOT_SHIPPED = {".gitignore"}
"""Of what git holds at the top; hatchling adds .gitignore by itself where it needs it."""


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked as its user has it."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", folder)) as packed:
        packed.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


def _files(wheel: Path) -> dict[str, bytes]:
    """What a wheel installs; its list of its own files follows from them."""
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist() if not name.endswith("RECORD")}


def test_the_wheel_made_from_the_source_distribution_is_the_wheel_made_from_the_tree(
    unpacked: Path, tmp_path: Path
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "sdist").mkdir()
    here = _files(build("wheel", tmp_path / "tree"))
    there = _files(build("wheel", tmp_path / "sdist", unpacked))
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []
    assert "quantgate/_shipped/SKILL.md" in here


def test_the_source_distribution_holds_all_that_git_holds(unpacked: Path) -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this tree is no git repository")
    wanted = {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}
    missing = sorted(name for name in wanted if not (unpacked / name).is_file())
    assert [name for name in missing if name not in NOT_SHIPPED] == []


def test_nothing_that_a_developer_made_is_in_the_source_distribution(unpacked: Path) -> None:
    names = [str(path.relative_to(unpacked)) for path in unpacked.rglob("*")]
    made = ("__pycache__", ".venv", ".env", "node_modules", ".hypothesis", "demo-output", ".git/", ".pyc")
    assert [name for name in names if any(part in name for part in made)] == []
