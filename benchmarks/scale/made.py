"""Synthetic runs: in the ledger, in NEL's record, and as NEL lays them out on a cluster."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quantgate.gates import ledger

from .replay import HOST, Replayed

TASK = "ifbench.ifbench"
CONFIG_BYTES = 12_000
"""Of the composed config in a record of NEL's."""
FIRST_JOB = 4_000_000
STATES = ("COMPLETED", "COMPLETED", "RUNNING", "PENDING")


@contextmanager
def own_home() -> Iterator[Path]:
    """A directory for state, runs and NEL's record, named in the environment and removed at the end."""
    names = ("QUANTGATE_HOME", "NEMO_EVALUATOR_EXEC_DB_FILE", "NEMO_EVALUATOR_TELEMETRY_LEVEL")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="qg-scale-") as scratch:
        home = Path(scratch)
        os.environ |= dict(zip(names, (str(home / "state"), str(home / "exec.v1.jsonl"), "0"), strict=True))
        try:
            yield home
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def invocation(number: int) -> str:
    """An id as NEL makes them, the same for the same number."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def attempt(number: int, **changes: object) -> ledger.Attempt:
    """A launch whose directory is gone; one config in twenty launches."""
    config = number // 20
    made = ledger.Attempt(
        invocation_id=invocation(number),
        kind="canary" if number % 20 == 0 else "full",
        fingerprint=hashlib.sha256(f"config {config}".encode()).hexdigest(),
        config=f"/configs/sweep-{config}.yaml",
        executor="process",
        output_dir="/gone",
        run_dir="/gone/run",
        outcome="launched",
        created=1_700_000_000.0 + number,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def write_by_interface(attempts: Sequence[ledger.Attempt]) -> None:
    """Launches in the ledger, as the gates write them: a transaction each."""
    for one in attempts:
        ledger.add_attempt(one)


def write_by_schema(attempts: Sequence[ledger.Attempt]) -> None:
    """The same rows in one transaction; a test holds the two against each other."""
    ledger.count()  # makes the tables
    columns = tuple(ledger.Attempt.__dataclass_fields__)
    rows = [[{**vars(a), "tasks": json.dumps(a.tasks)}[name] for name in columns] for a in attempts]
    opened = sqlite3.connect(ledger.path())
    try:
        opened.executemany(
            f"INSERT INTO attempts ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", rows
        )
        opened.commit()
    finally:
        opened.close()


def record(numbers: Sequence[int]) -> int:
    """NEL's record of local runs, appended; the bytes of it."""
    padding = "x" * CONFIG_BYTES
    file = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    with file.open("a", encoding="utf-8") as opened:
        for number in numbers:
            row = {
                "invocation_id": invocation(number),
                "job_id": f"{invocation(number)}.0",
                "timestamp": 1.7e9 + number,
            }
            row |= {"executor": "local", "data": {"output_dir": f"/gone/run/{TASK}.0"}, "config": {"padding": padding}}
            opened.write(json.dumps(row) + "\n")
    return file.stat().st_size


def sweep(
    folder: Path, runs: int, tasks: int, links: int = 1, states: Sequence[str] = STATES, **changes: object
) -> tuple[list[str], list[Replayed]]:
    """Runs on the replayed cluster, each of so many tasks, each task of a chain of so many jobs.

    By default half of the tasks have ended with results, a quarter runs and a quarter waits; the jobs before the last of a chain
    ended by their time limit.

    Returns:
        The invocation ids, and the jobs.
    """
    ids, jobs, attempts = list[str](), list[Replayed](), list[ledger.Attempt]()
    job = FIRST_JOB
    for number in range(runs):
        place = folder / f"20261121_100000-{invocation(number)}"
        for index in range(tasks):
            directory = place / f"{TASK}.{index}"
            (directory / "logs").mkdir(parents=True)
            (directory / "artifacts").mkdir()
            (directory / "run.sub").write_text("#!/bin/sh\n")
            state = states[(number + index) % len(states)]
            chain = list(range(job, job + links))
            job += links
            # A job writes itself down when it goes to work.
            began = chain[:-1] if state == "PENDING" else chain
            (directory / ".slurm_job_id.list").write_text("".join(f"{i}\n" for i in began))
            if state == "COMPLETED":
                (directory / "artifacts" / "results.yml").write_text("results: {}\n")
            ends = [*["TIMEOUT"] * (links - 1), state]
            name = f"account-eval.{TASK}.{index}"
            jobs += [Replayed(i, end, str(directory), name) for i, end in zip(chain, ends, strict=True)]
        place_there = f"{HOST}:{place}"
        attempts.append(
            attempt(
                number,
                **{
                    "kind": "full",
                    "executor": "slurm",
                    "output_dir": f"{HOST}:{folder}",
                    "run_dir": place_there,
                    **changes,
                },
            )
        )
        ids.append(attempts[-1].invocation_id)
    write_by_schema(attempts)
    return ids, jobs
