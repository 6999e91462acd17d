"""What linting a config says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..compose import Composed

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place of the user's file."""

    rule: str
    severity: Severity
    path: str
    message: str
    fix: str
    line: int


@dataclass(frozen=True)
class Report:
    """What linting a config said.

    Attributes:
        findings: Errors first, then warnings and notes, each in the order of the file.
        rules_checked: How many rules were applied.
        skipped: Rules that could not be decided, or not in full: one line for each reason.
        silenced: Rules that the config silences.
        composed: What NEL would run; None when the config does not compose.
        notes: What the rules relied on that may be old: a checkpoint on a cluster as it was read before.
    """

    findings: list[Finding]
    rules_checked: int
    skipped: list[str]
    silenced: list[str]
    composed: Composed | None = None
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing of severity error was found."""
        return not any(finding.severity == "error" for finding in self.findings)
