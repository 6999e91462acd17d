"""Launches: what the ledger says of each, and the config that it was made with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mcp.server import MCPServer

from ... import redact, visible
from ...errors import BadInput
from .answered import answered

URI = "quantgate://runs"
MOST_LISTED = 50
MOST_TEXT = 2000
MOST_CONFIG = 200_000
"""Characters of a composed config as YAML; NEL's have some ten thousand."""


def register(server: MCPServer[Any]) -> None:
    """Offer the list of launches, the record of each and its config."""
    server.resource(
        URI,
        name="runs",
        title="Runs on record",
        description="The newest launches: id, kind, config and addresses. Their state is told by the tool status.",
        mime_type="application/json",
    )(_listed)
    server.resource(
        f"{URI}/{{invocation_id}}/config",
        name="run_config",
        title="The effective config of a run",
        description="The config that a run was launched with, as NEL composed it, as YAML; secrets are masked.",
        mime_type="application/yaml",
    )(_config)
    server.resource(
        f"{URI}/{{invocation_id}}",
        name="run",
        title="A run's record",
        description="What the ledger says of a launch: when, by which config and fingerprint, its gates, its resumes.",
        mime_type="application/json",
    )(_entry)


def _listed() -> dict[str, Any]:
    from ...gates.views import entry

    found = answered(lambda: entry.newest(MOST_LISTED))
    rows = [
        {
            "invocation_id": run.invocation_id,
            "kind": run.attempt.kind if run.attempt else "external",
            "executor": run.attempt.executor if run.attempt else "",
            "launched": _moment(run.created),
            "config": run.attempt.config if run.attempt else "",
            **_addresses(run.invocation_id),
        }
        for run in found.runs
    ]
    return _shown({"runs": rows, "omitted": found.omitted})


def _entry(invocation_id: str) -> dict[str, Any]:
    from ...gates.views import entry

    found = answered(lambda: entry.entry(invocation_id))
    attempt = found.attempt
    launch = (
        {}
        if attempt is None
        else {
            "fingerprint": attempt.fingerprint,
            "config": attempt.config,
            "tasks": list(attempt.tasks),
            "sample_limit": attempt.sample_limit,
            "outcome": attempt.outcome,
            "error": _cut(attempt.error),
            "run_dir": attempt.run_dir,
            "host": attempt.host,
            "skip_reason": _cut(attempt.skip_reason),
        }
    )
    return _shown(
        {
            "invocation_id": found.invocation_id,
            "kind": attempt.kind if attempt else "external",
            "executor": found.executor,
            "launched": _moment(found.created),
            **launch,
            "gates": [
                {
                    "gate": gate.gate,
                    "passed": gate.passed,
                    "reasons": [_cut(reason) for reason in gate.reasons],
                    "judged": _moment(gate.judged),
                }
                for gate in found.gates
            ],
            "resumes": [
                {
                    "number": resume.number,
                    "tasks": list(resume.tasks),
                    "outcome": resume.outcome,
                    "error": _cut(resume.error),
                    "launched": _moment(resume.created),
                }
                for resume in found.resumes
            ],
            **_addresses(found.invocation_id),
            "next_step": f"status(invocation_ids=['{found.invocation_id}']) tells its state; this is the record alone.",
        }
    )


def _config(invocation_id: str) -> str:
    from ...gates.views import entry

    return answered(lambda: _as_yaml(entry.effective_config(invocation_id)))


def _as_yaml(config: Mapping[str, Any]) -> str:
    import yaml

    redact.register_literals(config)
    text: str = yaml.safe_dump(redact.redact_config(dict(config)), sort_keys=False, allow_unicode=True, width=120)
    if len(text) > MOST_CONFIG:
        raise BadInput(f"The config has {len(text)} characters, more than {MOST_CONFIG}", fix="look at its file")
    # Once more as text: a secret may stand in a command that only as a whole has its shape.
    return redact.shown(text)


def _cut(text: str) -> str:
    # Masked first: the half of a secret has no shape any more.
    return redact.redact(text)[:MOST_TEXT]


def _addresses(invocation_id: str) -> dict[str, str]:
    return {"uri": f"{URI}/{invocation_id}", "config_uri": f"{URI}/{invocation_id}/config"}


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _shown(value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = visible.value(redact.redact_value(value))
    return shown
