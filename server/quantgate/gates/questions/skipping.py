"""A run without its gates: only with a person's yes, and with a reason that follows the run.

A skip covers the dry run and the canary. What check_config calls an error, a config that does not compose and an endpoint that
does not answer refuse all the same: such a run would come to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ... import redact
from ...errors import Refused
from ...evalconfig import lint
from ..permission import consent, shown
from ..planning import plan

FEWEST_WORDS = 3
LONGEST_REASON = 500
_FEWEST_LETTERS_WITHOUT_SPACES = 6


@dataclass(frozen=True)
class Skip:
    """A launch that is to go past gates.

    Attributes:
        reason: Why, as the caller gave it, secrets masked.
        missing: What is said of each gate that is not passed.
    """

    reason: str
    missing: tuple[str, ...]


def skip(planned: plan.Plan, reason: str, unmet: Sequence[Refused]) -> Skip:
    """What is to be skipped, when a skip could be granted at all.

    Args:
        planned: What would be launched.
        reason: Why the gates are not passed first.
        unmet: The refusals of the gates.

    Raises:
        Refused: The reason is none, or check_config finds errors.
    """
    given = _reason(reason)
    errors = [f for f in lint.check(planned.path).findings if f.severity == "error"]
    if errors:
        raise Refused(
            f"Skipping the gates does not skip check_config, which finds {len(errors)} error{'s' if len(errors) > 1 else ''}",
            where="; ".join(f"{f.rule} {f.path}: {f.message}" for f in errors[:5]),
            fix="mend them with edit_config first",
        )
    return Skip(given, tuple(dict.fromkeys(refusal.what for refusal in unmet)))


def _reason(text: str) -> str:
    reason = redact.redact(" ".join(text.split()))
    long_enough = len(re.findall(r"\w+", reason)) >= FEWEST_WORDS or (
        not reason.isascii() and len(reason) >= _FEWEST_LETTERS_WITHOUT_SPACES
    )
    if not long_enough or len(reason) > LONGEST_REASON:
        raise Refused(
            f"A reason is a sentence of {FEWEST_WORDS} words to {LONGEST_REASON} characters",
            where="skip_gates_reason",
            fix="say why this run cannot wait for its gates; the user reads it, and it stays with the run",
        )
    return reason


def questions(planned: plan.Plan, wanted: Skip | None) -> tuple[consent.Question, ...]:
    """What a person must say yes to; nothing when the server was started with `--allow-skip-gates`."""
    if wanted is None or consent.skipped_gates_allowed():
        return ()
    gates = "\n".join(f"- {shown.on_one_line(text)}" for text in wanted.missing)
    return (
        consent.Question(
            token=("skip_gates", str(planned.path), planned.fingerprint, wanted.reason, *wanted.missing),
            what="The run would start without its gates",
            where=f"{planned.path}: {'; '.join(wanted.missing[:3])}",
            text=f"A run is asked for of the config\n{shown.quoted(str(planned.path))}\nalthough:\n{gates}\n"
            f"The agent's reason:\n{shown.quoted(wanted.reason)}\n"
            "The reason stays with the run: its results will say that the gates were skipped.",
            yes="Start the run without these gates",
            otherwise="pass the gates (dry_run, canary), or a person starts the server as `quantgate serve --allow-skip-gates`",
        ),
    )
