"""What will go wrong in a run, and when: made from a seed, so that a failure can be played again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PHASES = {
    "check_config": 0.3,
    "dry_run": 3.0,
    "canary": 3.5,
    "canary-wait": 5.0,
    "run": 3.5,
    "run-wait": 5.0,
    "verify_run": 0.3,
    "compare_runs": 0.6,
}
"""What the job does, in this order, and about how long each takes on a quiet machine, in seconds."""
STARTS = {"check_config": tuple(PHASES), "run": ("run", "run-wait", "verify_run", "compare_runs")}
"""Where a job starts, and its phases from there: at its beginning, or the day after, when the canary has passed."""
LAUNCHES = ("canary", "run")
WAITS = ("canary-wait", "run-wait")
SLURM_WAIT_SECONDS = 12.0
SAMPLES, CANARY_SAMPLES = 5, 2
REAL_HARNESS = 0.15
"""The share of runs that evaluate with the real ifbench."""

POINTS = (
    "kill:before-lock", "kill:lock-taken", "kill:attempt-written", "kill:answered", "kill:before-ledger",
    "kill:ledger-closed", "kill:child-started", "kill:before-answer", "orphan:child-started", "orphan:before-answer",
)  # fmt: skip
"""Places in a launch (`quantgate.faults`) at which the server or NEL's child ends, or goes on without its parent."""
POINTS_OF = {
    "process": (
        "kill:directory-written", "kill:jobs-recorded", "kill:runner-started", "kill:runner-before-record",
        "orphan:directory-written", "orphan:jobs-recorded", "orphan:runner-started", "late:runner-before-record",
    ),
    "slurm": ("kill:before-submission", "kill:submitted", "orphan:before-submission", "orphan:submitted"),
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: A name of `faults.KINDS`.
        phase: Of `PHASES`: it happens in the first phase of this name.
        delay: Seconds after the phase began, on a quiet machine.
        seconds: How long it lasts; 0 for what is over at once.
        detail: The place in a launch, or the share of packets.
    """

    kind: str
    phase: str
    delay: float
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True)
class Plan:
    """A run of the campaign.

    Attributes:
        world: "process", "model" (the same with a real small model) or "slurm".
        start: Of `STARTS`.
        samples: Of the run; the canary asks `canary_samples` of them.
        harness: "real", or "stand-in" (harness.py says what for).
        answer_seconds: How long the endpoint takes for an answer.
    """

    seed: int
    world: str
    start: str
    samples: int
    canary_samples: int
    answer_seconds: float
    harness: str
    faults: tuple[Fault, ...]

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def from_json(values: Mapping[str, Any]) -> Plan:
    """A plan that was written down, whatever `plan` would draw for its seed today."""
    return Plan(**{**values, "faults": tuple(Fault(**fault) for fault in values["faults"])})


ANYWHERE = {"server_kill": 3, "server_term": 2, "server_eof": 2, "server_stop": 2, "power_cut": 2}
KINDS_OF: dict[str, dict[str, int]] = {
    "process": {
        **ANYWHERE, "child_kill": 3, "runner_kill": 3, "harness_kill": 4, "endpoint_kill": 4, "endpoint_stop": 3,
        "disk_results": 3, "disk_state": 3, "packets": 3, "point": 4,
    },
    "slurm": {
        **ANYWHERE, "power_cut": 0, "child_kill": 2, "harness_kill": 3, "endpoint_kill": 2, "packets": 2, "point": 2,
        "disk_state": 2, "sshd_kill": 5, "sessions_kill": 4, "slurmctld_kill": 5, "slurmd_kill": 4,
    },
}  # fmt: skip
"""How often each kind is drawn, against the others of its world."""
KINDS_OF["model"] = KINDS_OF["process"]

_LASTING = {
    "server_stop": (1.0, 5.0),
    "endpoint_kill": (0.5, 6.0),
    "endpoint_stop": (1.0, 6.0),
    "disk_results": (0.5, 6.0),
    "disk_state": (0.5, 6.0),
    "packets": (2.0, 6.0),
    "sshd_kill": (1.0, 8.0),
    "slurmctld_kill": (1.0, 10.0),
    "slurmd_kill": (1.0, 6.0),
}
_WHEN = {"child_kill": ("dry_run", *LAUNCHES), "runner_kill": WAITS, "harness_kill": WAITS, "point": LAUNCHES}


def plan(seed: int, world: str, *, most: int = 3) -> Plan:
    """The plan of a seed.

    Args:
        seed: Any number.
        world: Which world.
        most: Faults at most; 0 for a run in which nothing goes wrong.
    """
    rng = random.Random(f"{world}:{seed}")
    count = min(most, rng.choice((1, 1, 2, 2, 3)))
    kinds = KINDS_OF[world]
    start = "check_config" if world == "model" or not most else rng.choice(("check_config", "run", "run"))
    drawn = [_fault(rng, rng.choices(list(kinds), list(kinds.values()))[0], world, start) for _ in range(count)]
    # One server can be started with one point only.
    points = [f for f in drawn if f.kind == "point"]
    faults = [f for f in drawn if f.kind != "point"] + points[:1]
    seconds = round(rng.uniform(0.2, 0.6), 2)
    real = world == "model" or (not most and world == "process") or rng.random() < REAL_HARNESS
    harness = "real" if real else "stand-in"
    return Plan(seed, world, start, SAMPLES, CANARY_SAMPLES, seconds, harness, tuple(faults))


def _fault(rng: random.Random, kind: str, world: str, start: str) -> Fault:
    # Most of the time passes in launches and waits, and most of what can go wrong lies there.
    phases = [name for name in STARTS[start] if kind not in _WHEN or name in _WHEN[kind]]
    phase = rng.choices(phases, [4 if name in LAUNCHES + WAITS else 1 for name in phases])[0]
    longest = SLURM_WAIT_SECONDS if world == "slurm" and phase in WAITS else PHASES[phase]
    delay = round(rng.uniform(0, longest), 2)
    seconds = round(rng.uniform(*_LASTING[kind]), 1) if kind in _LASTING else 0.0
    detail = ""
    if kind == "packets":
        detail = str(round(rng.uniform(0.05, 0.5), 2))
    elif kind == "point":
        detail = rng.choice(POINTS + POINTS_OF["slurm" if world == "slurm" else "process"])
    return Fault(kind, phase, delay, seconds, detail)
