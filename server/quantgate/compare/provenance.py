"""Where a run comes from, as it is shown beside a verdict: name to value, in the order to be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from ..gates.traces import lookup
from ..runs.sanitise import one_line
from .checkpoints import Checkpoint
from .protocol import Protocol

MOST_VALUES = 6
SHOWN = 500


def provenance(
    found: lookup.Run, protocols: Sequence[Protocol], models: Sequence[str], checkpoint: Checkpoint
) -> dict[str, str]:
    """What is known of how a run came about; what is not known is left out.

    Args:
        found: The run.
        protocols: Of its tasks.
        models: Which model at which endpoint was asked, each once.
        checkpoint: What was evaluated.
    """
    stamp, attempt = found.stamp, found.attempt
    rows = {
        "fingerprint": attempt.fingerprint if attempt else stamp.fingerprint if stamp else "",
        "launched": _moment(attempt.created) if attempt else stamp.created if stamp else _started(found),
        "executor": found.executor,
        "checkpoint": checkpoint.name,
        "checkpoint's digest": checkpoint.parts.get("weights", ""),
        "model and endpoint": _several(models),
        "the endpoint lists": _served(attempt.endpoint) if attempt else "",
        "harness": _several([p.values.get("container.image", "") for p in protocols]),
        "server image": _several([p.values.get("deployment.image", "") for p in protocols]),
        "server command": _several(
            [str((p.config.get("deployment") or {}).get("command") or "") for p in protocols if p.config]
        ),
        "nemo-evaluator-launcher": _several(
            [p.values.get("launcher.version", "") for p in protocols] + ([stamp.nel] if stamp else [])
        ),
        "nemo-evaluator": _several([p.values.get("evaluator.version", "") for p in protocols]),
        "quantgate": stamp.quantgate if stamp else "",
        "config": attempt.config if attempt else "",
        "config's SHA-256": stamp.config_digest if stamp else "",
        "command": _several([p.command for p in protocols]),
    }
    return {name: one_line(value, SHOWN) for name, value in rows.items() if value}


def _several(values: Sequence[str]) -> str:
    known = list(dict.fromkeys(v for v in values if v))
    more = len(known) - MOST_VALUES
    return "; ".join(known[:MOST_VALUES]) + (f" and {more} more" if more > 0 else "")


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _started(found: lookup.Run) -> str:
    started = found.directory.started if found.directory else None
    return started.isoformat(timespec="seconds") if started else ""


def _served(endpoint: str) -> str:
    """The models that the endpoint listed before the launch, by the ledger."""
    try:
        data = json.loads(endpoint) if endpoint else {}
    except ValueError:
        return ""
    models = data.get("models") if isinstance(data, dict) else None
    return _several([str(m) for m in models]) if isinstance(models, list) else ""
