"""docs/coverage.md is made of a measurement and of docs/coverage.yaml, which explains only what there is."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "server" / "quantgate"


@pytest.fixture(scope="module")
def coverage_page() -> ModuleType:
    """The program that writes the page: scripts/coverage_page.py."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
        return importlib.import_module("coverage_page")


def test_every_place_of_an_explanation_exists(coverage_page: ModuleType) -> None:
    for reason in coverage_page.reasons():
        assert reason.why
        for place in reason.places:
            file, _, name = place.partition(": ")
            if place.startswith("if "):
                files = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
                assert any(coverage_page.bodies(file, place.removeprefix("if ")) for file in files), place
            else:
                assert (PACKAGE / file).is_file(), place
                assert not name or name in coverage_page.functions(file), place


def test_every_explanation_is_on_the_page(coverage_page: ModuleType) -> None:
    text = coverage_page.PAGE.read_text(encoding="utf-8")
    assert [reason.why for reason in coverage_page.reasons() if f"| {reason.why} |" not in text] == []


def test_a_missing_line_is_explained_by_its_function_or_its_condition_and_by_no_other(
    coverage_page: ModuleType,
) -> None:
    lines = (PACKAGE / "faults.py").read_text(encoding="utf-8").splitlines()
    inside = next(i for i, line in enumerate(lines, 1) if "os.kill(parent" in line)
    measured = coverage_page.Measured("faults.py", 20, (1, inside))
    assert coverage_page.explained(measured, ("faults.py: _kill_parent",)) == {inside}
    assert coverage_page.explained(measured, ("faults.py",)) == {1, inside}
    assert coverage_page.explained(measured, ("faults.py: reached", "redact.py", "if sys.platform == 'win32'")) == set()


def test_the_page_counts_what_is_missing_and_what_of_it_is_explained(coverage_page: ModuleType) -> None:
    found = [coverage_page.Measured("faults.py", 20, (1, 2)), coverage_page.Measured("runs/logs.py", 80, (3,))]
    table = [coverage_page.Reason("It ends there", ("faults.py",))]
    text = coverage_page.page(found, table, ["tests"])
    assert "| faults | 20 | 90.0 % | 2 | 2 |" in text
    assert "| in all | 100 | 97.0 % | 3 | 2 |" in text
    assert "| It ends there | 2 | `faults.py` |" in text
    assert "| `runs/logs.py` | 1 |" in text


def test_a_part_of_the_tests_is_told_as_a_part(coverage_page: ModuleType) -> None:
    found = [coverage_page.Measured("faults.py", 20, (1, 2)), coverage_page.Measured("runs/logs.py", 80, (3,))]
    text = coverage_page.page(found, [], ["tests/runs -q"])
    assert "not the whole suite" in text
    assert "| runs | 80 | 98.8 % | 1 | 0 |" in text
    assert "| faults |" not in text
