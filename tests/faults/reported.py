"""Whether what the tools told was true: every state when it was told, and every verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .evidence import Evidence, Violation
from .job import LIVE
from .truth import Seen, around, tasks
from .world import has_results


@dataclass(frozen=True)
class Report:
    """A state that a tool told of a run.

    Attributes:
        faulty: Whether a fault was under way while the tool was asked.
    """

    tool: str
    invocation: str
    state: str
    reason: str
    began: float
    ended: float
    faulty: bool


def reports(evidence: Evidence) -> list[Report]:
    """Every state that was told, in order."""
    found = []
    for answer, _ in evidence.journal.answers:
        if answer.how != "answered":
            continue
        rows = answer.data.get("runs", []) if answer.tool == "status" else [answer.data]
        for row in rows:
            if "state" not in row or "invocation_id" not in row:
                continue
            reason = " ".join([row.get("reason", ""), *(t.get("reason", "") for t in row.get("tasks", []))]).strip()
            faulty = _faulty(evidence, answer.began, answer.ended)
            found.append(
                Report(answer.tool, row["invocation_id"], row["state"], reason, answer.began, answer.ended, faulty)
            )
    return found


def _faulty(evidence: Evidence, began: float, ended: float) -> bool:
    """Whether a fault was under way in this time, or had ended a moment before."""
    settle = evidence.world.settle_seconds
    return any(row["hit"] and row["began"] <= ended and began <= row["ended"] + settle for row in evidence.faults)


def states_are_true(evidence: Evidence) -> Iterator[Violation]:
    """What a tool told of a run was so at some moment between the call and its answer."""
    told = reports(evidence)
    resumes = [(a.began, args["invocation_id"]) for a, args in evidence.journal.calls("resume")]
    for report in told:
        slack = evidence.world.slack_seconds
        rows = around(evidence.truth.seen.get(report.invocation, []), report.began - slack, report.ended + slack)
        wrong = _against(report, rows, evidence)
        if wrong:
            yield Violation(
                "untrue",
                f"{report.tool} said {report.state} of {report.invocation}, and {wrong} ({report.reason[:200]})",
            )
        if report.state == "failed" and _later_good(report, told, resumes):
            yield Violation(
                "untrue", f"{report.invocation} was called failed and succeeded later: {report.reason[:200]}"
            )


def _later_good(report: Report, told: Sequence[Report], resumes: Sequence[tuple[float, str]]) -> bool:
    later = [r for r in told if r.invocation == report.invocation and r.began > report.ended and r.state == "succeeded"]
    return any(not any(report.ended < at < r.began and i == report.invocation for at, i in resumes) for r in later)


def _against(report: Report, rows: Sequence[Seen], evidence: Evidence) -> str:
    """What speaks against a state; empty when nothing does."""
    alive, ended = any(r.alive for r in rows), any(r.exit_code is not None for r in rows)
    starting = any(report.began - 1 <= at <= report.ended + 1 for at in evidence.truth.child)
    wrong = ""
    if report.state in LIVE and not alive:
        if ended and not any(r.exit_code is None for r in rows):
            # A slurmctld that was killed comes back with a state of before, and says so itself until it has asked the node.
            wrong = "" if evidence.world.jobs() and report.faulty else "it had ended"
        elif evidence.world.jobs():
            # What waits in a queue is no process; a job's first and last steps are not the campaign's to see.
            wrong = ""
        elif rows and rows[0].began:
            wrong = "nothing of it ran"
        elif not starting and not report.faulty:
            wrong = "nothing of it ran, nor was it being launched"
    elif report.state == "succeeded" and not any(r.exit_code == 0 and r.results for r in rows):
        wrong = "it has no exit record of 0 with results"
    elif report.state == "failed" and rows and all(r.alive for r in rows):
        wrong = "it ran"
    elif report.state == "interrupted" and rows and (all(r.alive for r in rows) or all(r.exit_code == 0 for r in rows)):
        wrong = "it ran, or had succeeded"
    elif report.state == "cancelled":
        wrong = "nobody cancelled it"
    elif report.state in ("unknown", "unreachable") and not report.faulty:
        wrong = "nothing stood in the way of knowing it"
    return wrong


def verdicts_are_true(evidence: Evidence) -> Iterator[Violation]:
    """`valid` and a passed canary are said only of what ended well; the last state of each run is what its files say."""
    for answer, arguments in evidence.journal.calls("verify_run"):
        if answer.how == "answered" and answer.data["verdict"] == "valid":
            run = str(arguments["run"])
            yield from _must_have_ended_well(evidence, run, "verify_run called it valid")
    for invocation, row in evidence.final.items():
        if row["state"] == "succeeded":
            yield from _must_have_ended_well(evidence, invocation, "the last status said succeeded")
        if row["gate"]["passed"]:
            yield from _must_have_ended_well(evidence, invocation, "its canary passed")


def _must_have_ended_well(evidence: Evidence, invocation: str, said: str) -> Iterator[Violation]:
    run = next((d for d in evidence.world.run_directories() if d.name.endswith(invocation)), None)
    if run is None or not all(
        has_results(task) and evidence.world.exit_code(task, alive=False) in (0, None) for task in tasks(run)
    ):
        yield Violation("untrue", f"{said}, and {invocation} has not ended well")
