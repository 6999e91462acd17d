"""A transcript against a rubric: each fact held or not, with what shows it, and what the trial cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from . import facts
from .scenario import Scenario, filled_value
from .transcript import Transcript


@dataclass(frozen=True)
class Judged:
    """One row of the rubric, judged."""

    id: str
    ok: bool
    evidence: str
    because: str


@dataclass(frozen=True)
class Grade:
    """A trial's grade.

    Attributes:
        scenario: The scenario's name.
        passed: Every fact holds.
        rows: The facts.
        calls: Tool calls, refused ones counted.
        refusals: Those that were refused.
        questions: Questions to the user.
        documents: Documents read, each time counted.
        tokens: Tokens that the agent read.
        minutes: From the first command to the end of the last.
    """

    scenario: str
    passed: bool
    rows: tuple[Judged, ...]
    calls: int
    refusals: int
    questions: int
    documents: int
    tokens: int
    minutes: float

    @property
    def failed(self) -> list[str]:
        """The ids of the facts that do not hold."""
        return [r.id for r in self.rows if not r.ok]

    def as_json(self) -> dict[str, Any]:
        """The grade as it is kept."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The grade for people."""
        width = max(len(r.id) for r in self.rows)
        shown = [f"{'ok    ' if r.ok else 'FAILED'} {r.id:<{width}}  {r.evidence}" for r in self.rows]
        shown += [f"       {r.id}: {r.because}" for r in self.rows if not r.ok]
        held = sum(r.ok for r in self.rows)
        verdict = "passed" if self.passed else "FAILED"
        return [
            f"{self.scenario}: {verdict}, {held} of {len(self.rows)} facts",
            *shown,
            f"{self.calls} calls ({self.refusals} refused), {self.questions} questions, {self.documents} documents, "
            f"{self.tokens} tokens read, {self.minutes:.1f} minutes",
        ]


def grade(transcript: Transcript, scenario: Scenario) -> Grade:
    """Grade a trial; the placeholders are those of the world that the transcript opens with."""
    rows = []
    for row in scenario.rubric:
        found = facts.holds(row.fact, filled_value(dict(row.arguments), transcript.facts), transcript)
        rows.append(Judged(row.id, found.ok, found.evidence, row.because))
    return Grade(
        scenario=scenario.name,
        passed=all(r.ok for r in rows),
        rows=tuple(rows),
        calls=len(transcript.calls),
        refusals=sum(not c.ok for c in transcript.calls),
        questions=len(transcript.asked),
        documents=len(transcript.documents),
        tokens=transcript.tokens,
        minutes=round(transcript.seconds / 60, 2),
    )
