"""Runs of the fault campaign that once showed a violation, played again; and one run in which nothing goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.conftest import harness  # noqa: F401 - a fixture
from tests.requirements import require

from . import driver, enclosure
from .plan import from_json
from .world import BASELINE, CANARIED

ROWS = yaml.safe_load((Path(__file__).parent / "seeds.yaml").read_text("utf-8"))
SEEDS = [row for row in ROWS if "mended" in row and "held_by" not in row]

MOST_PLAYS = 3
"""How often a plan is played until a fault of it comes in time: how fast the machine is decides that too."""

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def campaign(harness: Path, tmp_path_factory: pytest.TempPathFactory) -> driver.Campaign:  # noqa: F811
    """A campaign whose first run has been played."""
    require(not enclosure.missing(), enclosure.missing())
    made = driver.Campaign(tmp_path_factory.mktemp("campaign"))
    made.prepare()
    return made


def test_a_run_in_which_nothing_goes_wrong_is_valid_and_shows_no_violation(campaign: driver.Campaign) -> None:
    (row,) = [json.loads(line) for line in campaign.file.read_text("utf-8").splitlines()][:1]
    assert (row.get("broken"), row.get("violations"), row.get("verdict")) == (None, [], "valid"), row
    assert row["launches"] == 2
    assert (campaign.out / "kept" / BASELINE).is_dir()
    assert (campaign.out / "kept" / CANARIED).is_dir()


@pytest.mark.parametrize("row", SEEDS, ids=[f"{r['plan']['world']}-{r['plan']['seed']}" for r in SEEDS])
def test_a_seed_that_showed_a_violation_shows_none(row: dict[str, Any], campaign: driver.Campaign) -> None:
    plan = from_json(row["plan"])
    for _ in range(MOST_PLAYS):
        (played,) = campaign.enclosed(driver.Order(plan.world, (plan.seed,), plan=json.dumps(plan.as_json())))
        assert "broken" not in played, played
        assert (played["done"], played["violations"]) == (True, []), played
        if any(fault["hit"] for fault in played["faults"]):
            return
    pytest.fail(f"no fault came in time: {played}")
