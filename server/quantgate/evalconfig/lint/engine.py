"""Runs the rules over a config: one cause, one finding, at the line of the user's file."""

from __future__ import annotations

from pathlib import Path

from ... import redact
from ...errors import ConfigError
from ..compose import compose_document
from ..document import ConfigDocument
from . import deployment, environment, execution, structure, tasks
from .rule import Finding, Report, Rule, Subject

COMPOSE = "compose"
"""The id of the one finding of a config that cannot be read or composed; it cannot be silenced."""

# In the order of precedence: where two rules speak of one place, the first is reported.
RULES: tuple[Rule, ...] = (*structure.RULES, *environment.RULES, *execution.RULES, *deployment.RULES, *tasks.RULES)

_ORDER = {"error": 0, "warning": 1, "note": 2}


def check(path: Path) -> Report:
    """Lint one config.

    Args:
        path: The config file.

    Raises:
        ConfigError: There is no such file.
        LauncherError: The launcher is not installed.
    """
    try:
        document = ConfigDocument.load(path)
        composed = compose_document(document)
        silence = _silenced(document)
    except ConfigError as error:
        if not path.expanduser().is_file():
            raise
        return Report([_does_not_compose(error)], rules_checked=0, skipped=[], silenced=[])
    subject = Subject(document, composed)
    findings: list[Finding] = []
    taken: set[str] = set()
    for rule in RULES:
        if rule.id in silence:
            continue
        for hit in rule.check(subject):
            # A value with something wrong is reported once, by the first rule that speaks of it.
            if hit.path in taken:
                continue
            taken.add(hit.path)
            findings.append(
                Finding(
                    rule=rule.id,
                    severity=hit.severity or rule.severity,
                    path=hit.path,
                    message=redact.redact(hit.message),
                    fix=redact.redact(hit.fix or rule.fix),
                    line=document.line_of(hit.path),
                )
            )
    ids = [rule.id for rule in RULES]
    findings += [_unknown_silence(document, name) for name in silence if name not in ids]
    findings.sort(key=lambda finding: (_ORDER[finding.severity], finding.line))
    silenced = [name for name in silence if name in ids]
    return Report(findings, len(RULES) - len(silenced), [], silenced, composed)


def _silenced(document: ConfigDocument) -> list[str]:
    own = document.plain.get("quantgate")
    silence = own.get("silence") if isinstance(own, dict) else None
    if silence is None:
        return []
    if not isinstance(silence, list) or not all(isinstance(name, str) for name in silence):
        raise ConfigError(
            "quantgate.silence must be a list of rule ids",
            where=f"{document.path}:{document.line_of('quantgate.silence')}",
            fix="write it as silence: [S06, T16]",
        )
    return list(dict.fromkeys(silence))


def _unknown_silence(document: ConfigDocument, name: str) -> Finding:
    return Finding(
        rule="silence",
        severity="note",
        path="quantgate.silence",
        message=f"quantgate.silence names {name[:40]!r}, which is no rule",
        fix="remove it, or correct the id",
        line=document.line_of("quantgate.silence"),
    )


def _does_not_compose(error: ConfigError) -> Finding:
    file, _, line = error.where.rpartition(":")
    return Finding(
        rule=COMPOSE,
        severity="error",
        path="",
        message=redact.redact(error.what + (f" ({error.where})" if not file else "")),
        fix=redact.redact(error.fix),
        line=int(line) if line.isdigit() else 1,
    )
