"""What the wheel carries: everything that a server without the repository needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.docs.skill_paths import dead_ends, documents
from tests.install.built import ROOT, build


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", tmp_path_factory.mktemp("wheel")))


def test_the_skill_recipes_and_references_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for folder in ("skills", "recipes", "references"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file():
                assert f"quantgate/_shipped/{file.relative_to(ROOT)}" in names
    assert wheel.read("quantgate/_shipped/SKILL.md") == (ROOT / "SKILL.md").read_bytes()


def test_every_path_that_a_skill_names_is_in_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    skills = tmp_path / "quantgate" / "_shipped" / "skills"
    assert len(documents(skills)) > 20
    assert dead_ends(skills) == []


def test_every_module_table_and_patch_of_the_package_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    package = ROOT / "server" / "quantgate"
    for file in package.rglob("*"):
        if file.is_file() and file.parent.name != "__pycache__":
            assert str(file.relative_to(package.parent)) in names


def test_the_readme_lists_the_tools_that_there_are() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "generate_docs.py"), "--check"], check=False)
    assert done.returncode == 0, "run `make docs`"


def test_the_server_reads_its_documents_from_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from quantgate import shipped; "
        "from quantgate.benchmarks.recipes import load_recipes; print(shipped.root(), sorted(load_recipes()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.split(" ", 1)[0] == str(tmp_path / "quantgate" / "_shipped")
    assert "ifbench" in done.stdout
