"""Facts about what was launched: canaries, runs, and how they stand at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..transcript import Call, Transcript
from .found import Found, shown_call

RUNS = ("full", "subset")


def _launches(transcript: Transcript, tool: str, kinds: Sequence[str] = ()) -> dict[str, Call]:
    """The first call that named each invocation."""
    found: dict[str, Call] = {}
    for call in transcript.calls:
        invocation = call.answer.get("invocation_id")
        if call.ok and call.tool == tool and invocation and (not kinds or call.answer.get("kind") in kinds):
            found.setdefault(str(invocation), call)
    return found


def _counted(found: dict[str, Call], least: int, most: int) -> Found:
    evidence = ", ".join(f"{shown_call(c).split('(')[0]} {i}" for i, c in found.items()) or "nothing was launched"
    return Found(least <= len(found) <= most, evidence)


def launched_runs(transcript: Transcript, least: int = 0, most: int = 1, kinds: Sequence[str] = RUNS) -> Found:
    """So many runs (not canaries) were launched."""
    return _counted(_launches(transcript, "run", kinds), least, most)


def launched_canaries(transcript: Transcript, least: int = 1, most: int = 100) -> Found:
    """So many canaries were launched."""
    return _counted(_launches(transcript, "canary"), least, most)


def _gates(value: Any, invocation: str) -> Iterator[bool]:
    """Whether an answer says that the canary of this id passed, wherever it says it."""
    if isinstance(value, dict):
        gate = value.get("gate")
        if value.get("invocation_id") == invocation and isinstance(gate, dict):
            yield gate.get("passed") is True
        for inner in value.values():
            yield from _gates(inner, invocation)
    elif isinstance(value, list):
        for inner in value:
            yield from _gates(inner, invocation)


def passed_canary_before_run(transcript: Transcript) -> Found:
    """Before every run a canary of the same fingerprint was seen to pass, and no gate was skipped; no run at all is well."""
    canaries = _launches(transcript, "canary")
    for invocation, run in _launches(transcript, "run").items():
        if run.arguments.get("skip_gates_reason"):
            return Found(False, f"{shown_call(run)} skipped the gates")
        same = [i for i, c in canaries.items() if c.answer.get("fingerprint") == run.answer.get("fingerprint")]
        earlier = [c for c in transcript.calls if c.ok and c.index < run.index]
        if not any(any(_gates(c.answer, i)) for i in same for c in earlier):
            return Found(False, f"{shown_call(run)}: {invocation} was launched without a canary that was seen to pass")
    return Found(True, "a canary passed before every run" if _launches(transcript, "run") else "no run was launched")


def final_state(transcript: Transcript, state: str, kind: str = "") -> Found:
    """At the end a run of this kind is in this state."""
    states = [(str(r.get("kind", "")), str(r.get("state", ""))) for r in transcript.runs]
    return Found(
        any(s == state and (not kind or k == kind) for k, s in states),
        ", ".join(f"{k} {s}" for k, s in states) or "the ledger holds no run",
    )
