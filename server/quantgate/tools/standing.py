"""What is said of a run wherever it is shown: that it is a part of the whole, that it went past its gates, where it was read."""

from __future__ import annotations

from ..gates.traces import lookup
from ..runs.exports import records
from ..runs.sanitise import one_line

MOST_NAMES = 10


def standing_warnings(run: lookup.Run) -> list[str]:
    """What must be said beside every result of this run, the worst first."""
    warnings = []
    if run.skip_reason:
        warnings.append(f"{_named(run)} was started without its gates: {skip_reason(run)}; say so beside its results.")
    if part := tasks_left_out(run):
        warnings.append(f"{_named(run)} is a subset: {part}.")
    if run.directory is not None and run.exported is None:
        warnings += records.told(run.directory)
    return [*warnings, *run.notes]


def skip_reason(run: lookup.Run) -> str:
    """The reason as it was given, quoted and bounded; empty when no gate was skipped."""
    return f'"{one_line(run.skip_reason, 500)}"' if run.skip_reason else ""


def tasks_left_out(run: lookup.Run) -> str:
    """ "N of M tasks of its config: …" for a run of some tasks only; empty for a run of all, and where it is not known."""
    stamp = run.stamp
    if stamp is None or len(stamp.tasks) >= stamp.tasks_in_config:
        return ""
    names = ", ".join(one_line(name, 80) for name in stamp.tasks[:MOST_NAMES])
    more = f" and {len(stamp.tasks) - MOST_NAMES} more" if len(stamp.tasks) > MOST_NAMES else ""
    return f"{len(stamp.tasks)} of {stamp.tasks_in_config} tasks of its config ({names}{more})"


def gates_check(run: lookup.Run) -> tuple[bool, str]:
    """Whether the gates were passed before this run, and the evidence as one sentence."""
    if run.skip_reason:
        return False, f"skipped, by a person's leave: {skip_reason(run)}"
    if run.attempt is None and run.stamp is None:
        return False, "not known: it was not launched through quantgate"
    where = (
        "the ledger"
        if run.attempt is not None
        else "quantgate_run.json in its directory, which anybody may have written"
        if run.exported is None
        else "its tags on the tracking server, which anybody may have written"
    )
    if run.kind == "canary":
        return True, f"a canary, which needs the dry run only (by {where})"
    return True, f"dry run and canary were passed for this config (by {where})"


def _named(run: lookup.Run) -> str:
    return f"Run {run.invocation_id}" if run.invocation_id else "This run"
