"""The lock files say the same as pyproject.toml, and nothing of the machine that made them. `make lock` writes them anew."""

from __future__ import annotations

import re

import pytest

from .locks import PYTHONS, direct, pins, text


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", ["ci", "demo"])
def test_every_dependency_of_pyproject_is_pinned_once_for_each_python_and_inside_its_range(
    name: str, python: str
) -> None:
    here = [pin for pin in pins(name) if pin.on(python)]
    versions = {pin.name: pin.version for pin in here}
    assert len(versions) == len(here), "a package is pinned twice for one Python"
    for wanted in direct(dev=name == "ci"):
        if wanted.marker is not None and not wanted.marker.evaluate({"python_version": python}):
            continue
        found = versions.get(wanted.name.lower().replace(".", "-").replace("_", "-"))
        assert found is not None, f"{wanted.name} is not in {name}.lock: run `make lock`"
        assert wanted.specifier.contains(found, prereleases=True), f"{wanted} admits no {found}: run `make lock`"


@pytest.mark.parametrize("name", ["ci", "demo", "floor"])
def test_every_pin_has_its_hashes_and_comes_from_the_public_index(name: str) -> None:
    found = pins(name)
    assert len(found) > 100
    assert [pin.name for pin in found if pin.hashes == 0] == []
    assert [pin.name for pin in found if pin.version.local] == [], "a build of this machine's own"


@pytest.mark.parametrize("name", ["ci", "demo", "floor"])
def test_no_index_and_no_path_is_named(name: str) -> None:
    assert re.findall(r"://|file:|--index|--find-links|--extra-index|@ |/[a-z]+/", text(name)) == []


def test_the_demo_runs_on_the_releases_that_are_tested() -> None:
    tested = {(pin.name, pin.version) for pin in pins("ci")}
    assert [pin for pin in pins("demo") if pin.on("3.11") and (pin.name, pin.version) not in tested] == []


def test_the_lower_bounds_of_pyproject_are_the_releases_that_are_tested_as_the_oldest() -> None:
    oldest = {pin.name: pin.version for pin in pins("floor")}
    for wanted in direct(dev=False):
        lower = [bound.version for bound in wanted.specifier if bound.operator in {">=", "=="}]
        assert len(lower) == 1, f"{wanted} has no lower bound"
        found = str(oldest[wanted.name.lower().replace(".", "-")])
        assert f"{found}.".startswith(f"{lower[0]}."), f"the oldest that fits is {found}: write {wanted.name}>={found}"
