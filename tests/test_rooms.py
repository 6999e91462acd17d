"""Every room of the package has a row in AGENTS.md and a layer, and no room but its own goes through one of the doors."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import quantgate

PACKAGE = Path(quantgate.__file__).parent
REPOSITORY = Path(__file__).parents[1]
DOORS = {"paramiko": "cluster", "mlflow": "tracking", "nemo_evaluator_launcher": "launcher"}
CONTRACTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def _rooms() -> set[str]:
    modules = [*PACKAGE.glob("[a-z]*.py"), *(init.parent for init in PACKAGE.glob("[a-z]*/__init__.py"))]
    return {module.stem for module in modules}


def test_every_room_has_a_row_in_the_table() -> None:
    named = re.findall(r"^\| `(\w+)/?` \|", (REPOSITORY / "AGENTS.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(_rooms())


def test_every_room_has_a_layer() -> None:
    (layers,) = [c["layers"] for c in CONTRACTS if c.get("containers") == ["quantgate"]]
    assert {name for layer in layers for name in layer.split(" | ")} == _rooms()


@pytest.mark.parametrize("library", DOORS)
def test_no_other_room_may_import_what_a_door_is_for(library: str) -> None:
    (contract,) = [c for c in CONTRACTS if library in c.get("protected_modules", [])]
    assert contract["allowed_importers"] == [f"quantgate.{DOORS[library]}"]
