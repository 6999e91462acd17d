"""The page says what the record says, and a seed says what will happen."""

from __future__ import annotations

import json

import pytest
import yaml

from . import driver, faults, record, steps
from .plan import KINDS_OF, PHASES, from_json, plan


def test_the_tables_of_the_page_are_those_of_the_record() -> None:
    rows, seeds = record.read(record.RECORD), yaml.safe_load(record.SEEDS.read_text("utf-8"))
    text = record.PAGE.read_text("utf-8")
    assert record.page(text, record.tables(rows, seeds)) == text
    assert record.page(text, record.tables(rows[1:], seeds)) != text


def test_the_record_is_small_enough_to_be_kept_and_has_no_run_that_broke_by_itself() -> None:
    assert record.RECORD.stat().st_size < 300_000
    assert [row["seed"] for row in record.read(record.RECORD) if "broken" in row] == []


@pytest.mark.parametrize("world", sorted(KINDS_OF))
def test_a_seed_makes_the_same_plan_each_time_and_all_seeds_make_every_fault(world: str) -> None:
    plans = [plan(seed, world) for seed in range(600)]
    assert plans == [plan(seed, world) for seed in range(600)]
    drawn = {fault.kind for made in plans for fault in made.faults}
    assert drawn == {kind for kind, weight in KINDS_OF[world].items() if weight}
    assert drawn <= set(faults.KINDS)
    assert set(faults.KINDS) == set(record.FAULTS)
    assert all(1 <= len(made.faults) <= 3 for made in plans)
    assert {fault.phase for made in plans for fault in made.faults} == set(PHASES)
    assert plan(1, world, most=0).faults == ()


def test_a_plan_that_was_written_down_is_read_as_it_was() -> None:
    made = plan(7, "process")
    assert from_json(json.loads(json.dumps(made.as_json()))) == made


def test_a_campaign_has_as_many_runs_as_were_asked_for_each_with_a_seed_of_its_own() -> None:
    made = driver.orders("all", 200, 1)
    seeds = [seed for order in made for seed in order.seeds]
    assert sorted(seeds) == list(range(1, 201))
    by_world = {world: sum(len(o.seeds) for o in made if o.world == world) for world in ("process", "slurm", "model")}
    assert by_world == {"process": 161, "slurm": 33, "model": 6}


def test_the_agent_reads_the_calls_of_a_next_step_in_their_order() -> None:
    text = (
        "logs(invocation_id='4f') shows why (see x); mend it, dry_run(config='/a (b)/e.yaml'), then "
        "canary(config=\"e\", again=true); compare_runs(baseline='<run>', candidate='4f'), not_a_tool(x=1)."
    )
    found = steps.steps(text)
    assert [step.tool for step in found] == ["logs", "dry_run", "canary", "compare_runs"]
    assert found[1].arguments == {"config": "/a (b)/e.yaml"}
    assert found[2].arguments == {"config": "e", "again": True}
    assert [step.open for step in found] == [False, False, False, True]
