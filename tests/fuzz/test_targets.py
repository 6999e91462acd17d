"""The targets under hypothesis: honest inputs, kept findings, and inputs damaged along their structure."""

from __future__ import annotations

import os
import random
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from . import mutation
from .targets import TARGETS, Target, target

CORPUS = Path(__file__).with_name("corpus")
EXAMPLES = int(os.environ.get("QUANTGATE_FUZZ_EXAMPLES", "0"))
COST = {"config": 8, "results": 8, "logs": 8, "arguments": 15, "records": 10, "checkpoint": 20}
"""Damaged inputs in CI, of targets whose call takes long; of the others 60."""
KEPT = sorted(path.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/*"))


@cache
def ready(name: str) -> Target:
    """The target, prepared once."""
    found = target(name)
    found.prepare()
    return found


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def called(name: str, data: bytes) -> None:
    """Call a target in a room of its own."""
    with tempfile.TemporaryDirectory() as room:
        ready(name)(data, Path(room).resolve())


@pytest.mark.parametrize("name", TARGETS)
def test_an_honest_input_passes(name: str) -> None:
    seeds = target(name).seeds()
    assert seeds
    for data in seeds.values():
        called(name, data)


@pytest.mark.parametrize("kept", KEPT)
def test_what_was_found_once_passes(kept: str) -> None:
    called(kept.partition("/")[0], (CORPUS / kept).read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_ends_in_an_answer_or_a_refusal(name: str) -> None:
    seeds = list(target(name).seeds().values())

    @settings(
        max_examples=EXAMPLES or COST.get(name, 60),
        deadline=None,
        derandomize=not EXAMPLES,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(range(len(seeds))), st.lists(st.integers(0, 2**32), min_size=1, max_size=5))
    def damaged(first: int, rolls: list[int]) -> None:
        data = seeds[first]
        for roll in rolls:
            data = mutation.mutated(data, random.Random(roll))
        called(name, data)

    damaged()
