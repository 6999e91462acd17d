"""The tool check_config: what is wrong with a config before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..evalconfig import lint
from ..evalconfig.document import located
from ..evalconfig.images import images
from ..gates.planning.preflight import preflight as look
from ..redact import redact
from .findings import FindingRow, finding_row, mending
from .next_call import call, whole
from .spec import ToolResult

MAX_FINDINGS = 60


class ImageRow(BaseModel):
    """A container image that the config needs."""

    model_config = ConfigDict(extra="forbid")

    image: str
    registry: str
    access: str = Field(description="public, file or unknown")


class CheckedConfig(ToolResult):
    """The findings, worst first."""

    ok: bool
    findings: list[FindingRow]
    rules_checked: int
    images: list[ImageRow]
    preflight: dict[str, str]
    silenced: list[str] = Field(default_factory=list)
    skipped: list[str] = Field(default_factory=list, description="Rules that could not look.")
    omitted: int = 0


def check_config(
    config: Annotated[str, Field(description="Path of the launcher config.")],
    preflight: Annotated[
        bool, Field(description="Slurm: also look at the cluster over SSH (paths, partition, account, space).")
    ] = False,
) -> CheckedConfig:
    """Lint a launcher config as NEL would compose it: gaps, misspelt keys, task names, unset variables, flags that do not fit.

    Use it before dry_run and after edits, with `preflight` before the first canary on a cluster: it finds in milliseconds what
    NEL's dry run lets through, and changes nothing. Not for making changes: that is edit_config. Not as a gate: that is dry_run.
    `quantgate: silence: [ID]` in the config silences a rule.
    Example: check_config(config="eval.yaml")
    """
    path = located(config)
    report = lint.check(path)
    seen: dict[str, str] = {}
    warnings: list[str] = []
    if preflight:
        report, seen, warnings = _preflight(path, report)
    needed = images(report.composed) if report.composed else []
    return CheckedConfig(
        ok=report.ok,
        findings=[finding_row(finding) for finding in report.findings[:MAX_FINDINGS]],
        rules_checked=report.rules_checked,
        images=[ImageRow(image=i.image, registry=i.registry, access=i.access) for i in needed],
        preflight={name: redact(text) for name, text in seen.items()},
        silenced=report.silenced,
        skipped=report.skipped,
        omitted=max(0, len(report.findings) - MAX_FINDINGS),
        warnings=[*_warnings(report), *[redact(text) for text in warnings]],
        next_step=_next_step(report, config),
    )


def _preflight(path: Path, report: lint.Report) -> tuple[lint.Report, dict[str, str], list[str]]:
    if report.composed is None:
        return report, {}, ["The cluster was not looked at: the config does not compose."]
    if report.composed.executor != "slurm":
        return report, {}, ["There is nothing to preflight: the config does not run on a Slurm cluster."]
    found = look(path, report)
    return found.report, dict(found.seen), list(found.warnings)


def _warnings(report: lint.Report) -> list[str]:
    silenced = f"The config silences {', '.join(report.silenced)}: these rules were not applied."
    return [*([silenced] if report.silenced else []), *report.notes]


def _next_step(report: lint.Report, config: str) -> str:
    if report.ok:
        return f"{call('dry_run', config=config)}: the first gate, NEL's own check."
    first = next(finding for finding in report.findings if finding.severity == "error")
    if first.rule == "compose":
        fix = whole(first.fix, config)
        return f"Correct line {first.line} of the file ({fix}), then {call('check_config', config=config)}."
    return mending(first, config)
