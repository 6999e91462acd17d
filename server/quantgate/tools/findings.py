"""A finding of the lint as the tools show it, and what mends it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ..evalconfig.lint import Finding
from .next_call import call, whole


class FindingRow(BaseModel):
    """One broken rule."""

    model_config = ConfigDict(extra="forbid")

    rule: str
    severity: str = Field(description="error, warning or note")
    path: str
    message: str
    fix: str
    line: int


def finding_row(finding: Finding) -> FindingRow:
    """A finding as tools show it."""
    return FindingRow(
        rule=finding.rule,
        severity=finding.severity,
        path=finding.path,
        message=finding.message,
        fix=finding.fix,
        line=finding.line,
    )


def mending(finding: Finding, config: str) -> str:
    """What to do about the first error of a config, as a next step."""
    where = finding.path or f"line {finding.line}"
    return f"Mend {finding.rule} at {where}: {whole(finding.fix, config)}; then {call('check_config', config=config)}."
