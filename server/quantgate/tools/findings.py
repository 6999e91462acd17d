"""A finding of the lint as the tools show it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ..evalconfig.lint import Finding


class FindingRow(BaseModel):
    """One broken rule."""

    model_config = ConfigDict(extra="forbid")

    rule: str
    severity: str = Field(description="error, warning or note.")
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
