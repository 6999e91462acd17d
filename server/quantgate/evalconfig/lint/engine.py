"""Runs the rules over a config: one cause, one finding, at the line of the user's file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ... import redact
from ...errors import BadInput, ConfigError
from .. import choices
from ..compose import Composed, compose_despite_unset
from ..document import ConfigDocument, located
from . import (
    adapter,
    auxiliary,
    benchmarks,
    checkpoint,
    cluster_files,
    cluster_limits,
    command_conflicts,
    composition,
    containers,
    deployment,
    endpoints,
    environment,
    evaluator,
    execution,
    export,
    flag_values,
    framework_programs,
    judges,
    kernel_variables,
    loading,
    local,
    megatron_serving,
    mounts,
    parallel_layout,
    parameters,
    process,
    quantized_serving,
    references,
    secrets,
    serving_command,
    serving_flags,
    serving_images,
    serving_text,
    slurm,
    structure,
    tasks,
    thinking,
    tokenizers,
    undecided,
    unknown_keys,
    unlisted,
    values,
    variables,
)
from .report import Finding, Report
from .rule import Hit, Rule, Subject

if TYPE_CHECKING:
    from ...cluster.preflight import Sight

COMPOSE = "compose"
"""The id of the one finding of a config that cannot be read or composed; it cannot be silenced."""

# In the order of precedence: where two rules speak of one place, the first is reported.
RULES: tuple[Rule, ...] = (
    *structure.SECTION_RULES,
    *process.NO_SERVER_RULES,
    *composition.RULES,
    *unknown_keys.RULES,
    *structure.RULES,
    *environment.RULES,
    *variables.RULES,
    *secrets.RULES,
    *execution.RULES,
    *process.RULES,
    *local.RULES,
    *slurm.RULES,
    *mounts.RULES,
    *cluster_limits.RULES,
    *cluster_files.RULES,
    *serving_text.RULES,
    *serving_command.RULES,
    *command_conflicts.RULES,
    *flag_values.RULES,
    *references.RULES,
    *serving_flags.RULES,
    *deployment.RULES,
    *checkpoint.RULES,
    *megatron_serving.RULES,
    *framework_programs.RULES,
    *quantized_serving.RULES,
    *serving_images.RULES,
    *kernel_variables.RULES,
    *parallel_layout.RULES,
    *loading.RULES,
    *thinking.RULES,
    *auxiliary.RULES,
    *parameters.LIMIT_RULES,
    *tasks.RULES,
    *tokenizers.RULES,
    *unlisted.RULES,
    *endpoints.RULES,
    *evaluator.RULES,
    *containers.RULES,
    *judges.RULES,
    *benchmarks.RULES,
    *adapter.RULES,
    *export.RULES,
    *values.RULES,
    *parameters.RULES,
)

_ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class _Reading:
    """A config composed, or as far as that goes: `error` is why it does not compose."""

    composed: Composed
    unset: tuple[tuple[str, str], ...] = ()
    error: ConfigError | None = None


def check(path: Path, sight: Sight | None = None) -> Report:
    """Lint one config.

    Args:
        path: The config file.
        sight: What was seen of the config's cluster, for the rules that need it.

    Raises:
        ConfigError: There is no such file.
        LauncherError: The launcher is not installed.
    """
    try:
        document = ConfigDocument.load(path)
        silence = _silenced(document)
    except ConfigError as error:
        if not _is_file(path):
            raise
        return Report([_does_not_compose(error)], rules_checked=0, skipped=[], silenced=[])
    reading = _read(document)
    subject = Subject(document, reading.composed, sight)
    silenced = [rule.id for rule in RULES if rule.id in silence]
    applied = [rule for rule in RULES if rule.id not in silence and (reading.error is None or rule.of_text)]
    findings, explained = _findings(subject, applied)
    if "C11" not in silence:
        taken = {finding.path for finding in findings}
        unset = [(at, name) for at, name in reading.unset if at not in taken and not _is_consequence(at, explained)]
        findings += [_unset(document, at, name) for at, name in unset]
    findings += [_unknown_silence(document, name) for name in silence if name not in silenced]
    if reading.error is not None and not _explained(findings, reading.error):
        findings.append(_does_not_compose(reading.error, document))
    findings.sort(key=lambda finding: (_ORDER[finding.severity], finding.line))
    if reading.error is not None:
        return Report(findings, len(applied), ["every other rule: the config does not compose"], silenced)
    return Report(
        findings,
        len(applied),
        undecided.skipped(subject, applied),
        silenced,
        reading.composed,
        undecided.notes(subject),
    )


def _is_file(path: Path) -> bool:
    try:
        return located(path).is_file()
    except (ConfigError, OSError, ValueError):
        return False


def _read(document: ConfigDocument) -> _Reading:
    """Compose, with gaps in the place of variables that are set nowhere."""
    try:
        composed, unset = compose_despite_unset(document)
    except BadInput as bad:
        error = bad if isinstance(bad, ConfigError) else ConfigError(bad.what, where=bad.where, fix=bad.fix)
        draft = Composed(document.plain, choices.executor(document), choices.deployment(document), ())
        return _Reading(draft, error=error)
    return _Reading(composed, unset)


def _findings(subject: Subject, rules: Iterable[Rule]) -> tuple[list[Finding], set[str]]:
    """What the rules find, and the places where anything more would be a consequence of that."""
    findings: list[Finding] = []
    taken: set[tuple[str, str]] = set()
    explained: set[str] = set()
    for rule in rules:
        for hit in rule.check(subject):
            # A value with something wrong is reported once, by the first rule that speaks of it.
            if (hit.path, hit.cause) in taken or _is_consequence(hit.path, explained):
                continue
            taken.add((hit.path, hit.cause))
            explained.update(hit.explains)
            findings.append(_finding(subject.document, rule, hit))
    return findings, explained


def _is_consequence(path: str, explained: set[str]) -> bool:
    return any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in explained)


def _finding(document: ConfigDocument, rule: Rule, hit: Hit) -> Finding:
    return Finding(
        rule=rule.id,
        severity=hit.severity or rule.severity,
        path=hit.path,
        message=redact.redact(hit.message) + (f" ({hit.named})" if hit.named else ""),
        fix=redact.redact(hit.fix or rule.fix),
        line=_line(document, hit.path),
    )


def _line(document: ConfigDocument, dotted: str) -> int:
    try:
        return document.line_of(dotted)
    except BadInput:  # a key with quotes or brackets in it
        return 1


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


def _unset(document: ConfigDocument, at: str, name: str) -> Finding:
    return Finding(
        rule="C11",
        severity="error",
        path=at,
        message=f"{at} takes the variable {name}, which is not set: NEL cannot compose the config",
        fix=f"set {name} in the server's environment, or write the value out",
        line=_line(document, at),
    )


def _explained(findings: Iterable[Finding], error: ConfigError) -> bool:
    """Whether a rule already says why the config does not compose."""
    rules = {finding.rule for finding in findings}
    # An interpolation into a section whose name is misspelt.
    meant = (finding.fix.partition("`")[2].partition("`")[0] for finding in findings if finding.rule == "C01")
    if any(name and f"'{name}" in error.what for name in meant):
        return True
    return bool(rules & composition.BREAKS_COMPOSITION) or ("P05" in rules and "Cannot merge" in error.what)


def _does_not_compose(error: ConfigError, document: ConfigDocument | None = None) -> Finding:
    file, _, line = error.where.rpartition(":")
    if document is not None and "defaults" not in document.plain:
        missing = "The config has no `defaults`, so nothing of NEL's packaged settings is taken. "
        fix = "begin it with defaults: [{execution: slurm/default}, {deployment: vllm}, _self_], or the groups that you mean"
        error = ConfigError(missing + error.what, where=error.where, fix=fix)
    return Finding(
        rule=COMPOSE,
        severity="error",
        path="",
        message=redact.redact(error.what + (f" ({error.where})" if not file else "")),
        fix=redact.redact(error.fix),
        line=int(line) if line.isdigit() else 1,
    )
