"""What `set` decides in an edit, held against the rest: notes that it makes wrong, and tasks that do not take its value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import flag_edits, paths, serving_sizes
from .assignments import Assignment
from .document import ConfigDocument

_SHARED = (("evaluation", "nemo_evaluator_config"), ("evaluation", "env_vars"))
"""Sections that a task's own section of the same name goes over (NEL 0.2.6, common/helpers.py)."""
MAX_NAMED = 10


def still_true(notes: Sequence[str], assignments: Sequence[Assignment]) -> list[str]:
    """The notes without those that speak of a value which `set` has decided otherwise since.

    Args:
        notes: As the steps before `set` wrote them.
        assignments: What was set.
    """
    flags = [f"set=['{assignment.path}=" for assignment in assignments if flag_edits.flag_in(assignment.path)]
    starts = [
        f"{before}{assignment.path} {verb} "
        for assignment in assignments
        for before, verb in (("conflict: ", "is"), ("", "was open and is now"))
    ]
    return [
        note
        for note in notes
        if not note.startswith(tuple(starts)) and not (note.startswith("conflict: ") and any(f in note for f in flags))
    ]


def flags_given_back(
    before: ConfigDocument, after: ConfigDocument, assignments: Sequence[Assignment], notes: list[str]
) -> None:
    """Note each serving flag that another step had changed and that `set` has put back.

    Args:
        before: Without the last `set`.
        after: With it.
        assignments: What was set.
        notes: Gets the flags.
    """
    for assignment in assignments:
        flag = flag_edits.flag_in(assignment.path)
        if flag and (old := serving_sizes.get_flag(before, flag)) not in (None, new := _flag(after, flag)):
            notes.append(f"{flag} is {new}, as `set` says; what else this edit asked for ({old}) was not taken")


def _flag(document: ConfigDocument, flag: str) -> str | None:
    return serving_sizes.get_flag(document, flag)


def overridden(document: ConfigDocument, assignments: Sequence[Assignment]) -> list[str]:
    """One note for each task with a value of its own, where the value for all tasks was set to another one.

    Args:
        document: With everything set.
        assignments: What was set.
    """
    tasks = paths.dig(document.plain, "evaluation", "tasks")
    notes: list[str] = []
    for assignment in assignments:
        at = paths.parse(assignment.path)
        if not isinstance(tasks, list) or at[:2] not in _SHARED or len(at) < 3:
            continue
        for rest, wanted in paths.walk(assignment.value, at[1:]):
            for index, task in enumerate(tasks):
                own = paths.dig(task, *rest)
                if own is None or own == "???" or (own == wanted and isinstance(own, bool) is isinstance(wanted, bool)):
                    continue
                name = str(task.get("name") or "")
                notes.append(_of_task(name, paths.join(("evaluation", "tasks", index, *rest)), own, wanted))
    more = len(notes) - MAX_NAMED
    return notes if more <= 0 else [*notes[:MAX_NAMED], f"{more} more values of tasks go over what was set"]


def _of_task(name: str, place: str, own: Any, wanted: Any) -> str:
    shown, fix = str(own)[:80], f"set=['{place}={str(wanted)[:80]}']"
    return f"{name[:100]} has its own {place} ({shown}), which goes over what was set for all tasks: {fix} to change it too"
