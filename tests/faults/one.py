"""Runs of the campaign, inside their enclosure: `python -m tests.faults.one WORLD SEED …` prints the record of each."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from . import invariants, truth
from .chaos import Chaos
from .enclosure import KEEP
from .evidence import Evidence, Violation, attempts
from .job import Agent, Journal, Moments
from .plan import Plan, from_json, plan
from .world import BASELINE, World

SETTLE_SECONDS = 400.0
"""How long a job may take once no fault is under way any more."""
LONGEST_SECONDS = 700.0
ORPHAN_SECONDS = 15.0
UNCHANGED = "evaluation.nemo_evaluator_config.config.params.temperature=0.0"
_KEPT_BYTES = 200_000


def worlds(planned: Plan) -> World:
    """The world of a plan, not entered yet."""
    if planned.world == "model":
        from .model_world import ModelWorld

        return ModelWorld(planned)
    if planned.world == "slurm":
        from .slurm_world import SlurmWorld

        return SlurmWorld(planned)
    return World(planned)


def play(planned: Plan, world: World, baseline: str) -> dict[str, Any]:
    """Play a plan and hold what came of it against the invariants.

    Returns:
        The record.
    """
    began = time.monotonic()
    journal, moments = Journal(), Moments()
    agent = Agent(world, moments, journal, baseline)
    with truth.Watcher(world) as watcher:
        with Chaos(world, moments, planned.faults) as chaos:
            done = agent.play(_patience(chaos))
        found: list[Violation] = []
        if not done:
            found.append(Violation("stuck", f"the job did not end: {agent.why}"))
        final = _last_look(world, agent, found)
        watcher.look()
    evidence = Evidence(world, journal, watcher.truth, chaos.log, final)
    found += invariants.violations(evidence)
    record = {
        **planned.as_json(),
        "faults": [_told(row, chaos.log) for row in chaos.log],
        "planned": [asdict(fault) for fault in planned.faults],
        "done": done,
        "verdict": _verdict(journal),
        "launches": len(watcher.truth.runners),
        "restarts": journal.restarts,
        "calls": len(journal.answers),
        "pace": round(world.pace, 1),
        "seconds": round(time.monotonic() - began, 1),
        "violations": [asdict(violation) for violation in found],
    }
    if found:
        _keep(record, evidence, agent)
    return record


def _patience(chaos: Chaos) -> Any:
    calm: list[float] = []
    latest = time.monotonic() + LONGEST_SECONDS

    def may_go_on() -> bool:
        if chaos.over and not calm:
            calm.append(time.monotonic() + SETTLE_SECONDS)
        return time.monotonic() < min(latest, calm[0] if calm else latest)

    return may_go_on


def _last_look(world: World, agent: Agent, found: list[Violation]) -> dict[str, dict[str, Any]]:
    """What a new server says of every launch, once all before it are gone; and whether what it needs is free."""
    for server in world.servers:
        if server.running and not server.close():
            found.append(Violation("hang", "a server did not end after its client had gone"))
    world.server = None
    final: dict[str, dict[str, Any]] = {}
    for invocation in attempts(world):
        answer = agent.call("status", {"invocation_ids": [invocation]})
        if answer.how == "answered":
            final |= {row["invocation_id"]: row for row in answer.data["runs"]}
        else:
            found.append(Violation("lost", f"status({invocation}): {answer.how} {answer.text}"))
    for tool, arguments in (("edit_config", {"set": [UNCHANGED]}), ("canary", {})):
        after = agent.call(tool, {"config": str(world.config), **arguments}) if final else None
        if after and after.how != "answered":
            found.append(Violation("lock", f"{tool} afterwards: {after.how} {after.text}"))
    _end(world, agent, final, found)
    return final


def _end(world: World, agent: Agent, final: dict[str, dict[str, Any]], found: list[Violation]) -> None:
    for invocation, row in final.items():
        if row["state"] in {"pending", "running", "resuming"}:
            agent.call("cancel", {"invocation_id": invocation})
    server = world.server
    if server is not None and server.running and not server.close():
        found.append(Violation("hang", "the last server did not end after its client had gone"))
    deadline = time.monotonic() + ORPHAN_SECONDS
    while truth.still_there(world) and time.monotonic() < deadline:
        time.sleep(0.2)


def _told(row: dict[str, Any], log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = min((r["began"] for r in log if "began" in r), default=0.0)
    times: dict[str, Any] = {
        name: round(row[name] - first, 2) for name in ("began", "ended") if name in row and row["hit"]
    }
    return {"kind": row["kind"], "phase": row["phase"], "detail": row["detail"], "hit": row["hit"], **times}


def _verdict(journal: Journal) -> str:
    compared = [answer.data["verdict"] for answer, _ in journal.calls("compare_runs") if answer.how == "answered"]
    verified = [answer.data["verdict"] for answer, _ in journal.calls("verify_run") if answer.how == "answered"]
    return "/".join([*verified[-1:], *compared[-1:]])


def _keep(record: dict[str, Any], evidence: Evidence, agent: Agent) -> None:
    """Keep what tells why, outside: the answers, what was seen, the logs and the small files of the runs."""
    place = KEEP / f"{record['world']}-{record['seed']}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "record.json").write_text(json.dumps(record, indent=1), "utf-8")
    lines = [json.dumps({"arguments": a, **asdict(answer)}) for answer, a in evidence.journal.answers]
    (place / "answers.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    seen = {run: [asdict(row) for row in rows] for run, rows in evidence.truth.seen.items()}
    text = {
        "seen": seen,
        "faults": list(evidence.faults),
        "runners": {r: sorted(p) for r, p in evidence.truth.runners.items()},
    }
    (place / "truth.json").write_text(json.dumps(text, indent=0), "utf-8")
    for file in evidence.world.base.rglob("*"):
        if file.is_file() and not {"cache", "response_stats_cache"} & set(file.parts):
            target = place / "files" / file.relative_to(evidence.world.base)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes()[-_KEPT_BYTES:])


def keep_baseline(world: World, agent_run: str) -> None:
    """Keep the run directory of a run in which nothing went wrong, for the others to compare with."""
    run = next(d for d in world.run_directories() if d.name.endswith(agent_run))
    shutil.copytree(run, KEEP / BASELINE / run.name)


def baseline() -> str:
    """The kept run directory; empty when there is none yet."""
    return next((str(d) for d in sorted((KEEP / BASELINE).glob("*"))), "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Play one run and print its record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("world")
    parser.add_argument("seeds", type=int, nargs="+")
    parser.add_argument("--most", type=int, default=3)
    parser.add_argument("--plan", default="", help="a plan as JSON, instead of what the seed draws")
    asked = parser.parse_args(arguments)
    if asked.world == "slurm":
        # The cluster's first job is one without faults: the others go on where its canary had passed.
        print(json.dumps(_one(plan(-asked.seeds[0], "slurm", most=0))), flush=True)
    given = from_json(json.loads(asked.plan)) if asked.plan else None
    for seed in asked.seeds:
        print(json.dumps(_one(given or plan(seed, asked.world, most=asked.most))), flush=True)
    # Threads of servers that never ended must not keep this process.
    os._exit(0)


def _one(planned: Plan) -> dict[str, Any]:
    try:
        with worlds(planned) as world:
            record = play(planned, world, "" if planned.world == "model" else baseline())
            if not baseline() and record["done"]:
                keep_baseline(world, _last_run(world))
            return record
    except Exception:  # noqa: BLE001 - the driver reads it
        return {**planned.as_json(), "broken": traceback.format_exc()}


def _last_run(world: World) -> str:
    return [i for i, row in attempts(world).items() if row["kind"] != "canary"][-1]


if __name__ == "__main__":
    main()
