"""A launch on a cluster that nobody reaches, and NEL's record of it, for tests of what is concluded from them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from quantgate.gates import ledger
from quantgate.runs.status import State, TaskStatus

ID = "0123456789abcdef"
HOST, OUTPUT = "me@login.unheard.example", "/lustre/out"
ROOT = f"{OUTPUT}/20260102_030405-{ID}"
TASK = "ifbench.ifbench.0"


def attempt(**changes: Any) -> ledger.Attempt:
    """A launch on the cluster, written to the ledger."""
    made = ledger.Attempt(
        **{
            "invocation_id": ID,
            "kind": "canary",
            "fingerprint": "f" * 64,
            "config": "/nowhere/eval.yaml",
            "executor": "slurm",
            "output_dir": f"{HOST}:{OUTPUT}",
            "run_dir": f"{HOST}:{ROOT}",
            "outcome": "launched",
            **changes,
        }
    )
    ledger.add_attempt(made)
    return made


def record(host: str = HOST, root: str = ROOT, *more: str) -> None:
    """NEL's record of one task of it, and of those in further directories."""
    file = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"])
    file.parent.mkdir(parents=True, exist_ok=True)
    user, _, name = host.rpartition("@")
    lines = []
    for number, place in enumerate((f"{root}/{TASK}", *more)):
        data = {"slurm_job_id": str(812 + number), "remote_rundir_path": place, "hostname": name, "username": user}
        row = {"invocation_id": ID, "job_id": f"{ID}.{number}", "executor": "slurm", "data": data}
        lines.append(json.dumps(row))
    file.write_text("\n".join(lines) + "\n")


def told(state: State) -> TaskStatus:
    """Its task in a state."""
    return TaskStatus(TASK, state, "")
