"""With two workers: what shares something never runs beside itself, and what takes long is begun first (tests/conftest.py)."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from . import conftest

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("test", "side"),
    [
        ("tests/integration/slurm/test_states.py::test_a", "slurm"),
        ("tests/integration/containers/test_docker_runs.py::test_a", "containers"),
        ("tests/integration/mlflow/test_export.py::test_a", "runs"),
        ("tests/integration/test_faults.py::test_a[x/y::z]", "runs"),
        ("tests/gates/test_plan.py::test_a", "runs"),
        ("tests/checkpoint/test_card.py::test_a", "tests/checkpoint/test_card.py"),
        ("tests/test_redact.py::test_a", "tests/test_redact.py"),
    ],
)
def test_a_test_runs_on_the_side_of_the_innermost_folder_that_shares_something(test: str, side: str) -> None:
    assert conftest.side(test) == side


def test_every_folder_and_side_that_is_named_exists() -> None:
    assert [folder for folder in conftest.ALONE if not (TESTS.parent / folder).is_dir()] == []
    sides = set(conftest.ALONE.values())
    assert [name for name in conftest.FIRST if name not in sides and not (TESTS.parent / name).is_file()] == []


@pytest.mark.parametrize("worker", [True, False])
def test_the_longest_sides_come_first_in_a_worker_and_nothing_moves_elsewhere(worker: bool) -> None:
    items: Any = [
        SimpleNamespace(nodeid=f"tests/{n}::t") for n in ("a.py", "gates/b.py", "integration/slurm/c.py", "d.py")
    ]
    config: Any = SimpleNamespace(workerinput={}) if worker else SimpleNamespace()
    conftest.pytest_collection_modifyitems(config, items)
    order = [item.nodeid.removesuffix("::t").removeprefix("tests/") for item in items]
    moved = ["integration/slurm/c.py", "gates/b.py", "a.py", "d.py"]
    assert order == (moved if worker else ["a.py", "gates/b.py", "integration/slurm/c.py", "d.py"])
