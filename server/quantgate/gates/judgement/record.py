"""What the ledger, and the config while it is still the one that was launched, say of a run: for the validation of its results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...evalconfig import compose, fingerprint, paths
from ...results.launch_record import NO_RECORD, LaunchRecord
from ...results.run_config import ADAPTER_FIELDS
from ...runs.sanitise import one_line
from .. import ledger
from ..planning import endpoint, plan
from ..traces import lookup
from . import expecting

_TEXT = 500
_TRACES = "process_reasoning_traces"
_DIGITS = 16


def of(run: lookup.Run) -> LaunchRecord:
    """What is known of a run's launch; of one that was not launched through quantgate only what its stamp claims."""
    attempt = run.attempt
    if attempt is None:
        return replace(NO_RECORD, kind=run.kind)
    # What the endpoint listed right before the launch.
    seen = endpoint.seen_at(attempt) or endpoint.Served("")
    record = LaunchRecord(
        kind=attempt.kind,
        served=tuple(one_line(name, _TEXT) for name in seen.models),
        served_at=one_line(seen.url, _TEXT),
        identity=_identity(attempt),
        unknown=f"its config {attempt.config} is gone, or another by now, and the ledger keeps digests only",
    )
    planned = plan.as_launched(attempt.config, attempt.fingerprint)
    return _with_config(record, planned, attempt) if planned else record


def _with_config(record: LaunchRecord, planned: plan.Plan, attempt: ledger.Attempt) -> LaunchRecord:
    deployed, given = planned.composed.deployment != "none", {task.directory: task for task in planned.composed.tasks}
    launched = {d: given[task.directory] for d, task in planned.launched(list(attempt.tasks)).items()}
    return replace(
        record,
        params={directory: task.params for directory, task in launched.items()},
        endpoint={directory: _endpoint(planned.config, task) for directory, task in launched.items()},
        defaults={
            d: known.params for d, task in launched.items() if (known := expecting.known_task(task.name)) is not None
        },
        unknown="",
        model_id=_model_id(planned.config, deployed=deployed),
        checkpoint=_checkpoint(planned.config, deployed=deployed),
        deployed=deployed,
    )


def _endpoint(config: Mapping[str, Any], task: compose.ConfiguredTask) -> dict[str, Any]:
    """What a config says of a task's endpoint and its adapter, as far as it changes what is asked or scored."""
    at = ("nemo_evaluator_config", "target", "api_endpoint")
    given = [paths.dig(config, "evaluation", *at), paths.dig(task.raw, *at)]
    ours: dict[str, Any] = {}
    for one in given:
        ours = compose.merged(ours, one) if isinstance(one, Mapping) else ours
    adapter = ours.get("adapter_config")
    found = _adapter(adapter) if isinstance(adapter, Mapping) and "interceptors" not in adapter else {}
    return {**found, **({"type": ours["type"]} if isinstance(ours.get("type"), str) else {})}


def _adapter(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an adapter that have an effect, by nemo-evaluator 0.2.8."""
    found = {name: given[name] for name in ADAPTER_FIELDS if name in given}
    if "use_reasoning" in given:
        found[_TRACES] = given["use_reasoning"]
    if not given.get("use_system_prompt"):
        found.pop("custom_system_prompt", None)
    traces = found.get(_TRACES)
    without = {name for name, (interceptor, _) in ADAPTER_FIELDS.items() if interceptor == "reasoning"} - {_TRACES}
    return found if traces else {name: value for name, value in found.items() if name not in without}


def _model_id(config: Mapping[str, Any], *, deployed: bool) -> str:
    """The name that the harness asks for; empty where a task or the evaluation gives a name of its own."""
    if "model_id" in json.dumps(config.get("evaluation"), default=str):
        return ""
    where = ("deployment", "served_model_name") if deployed else ("target", "api_endpoint", "model_id")
    return _text(paths.dig(config, *where))


def _checkpoint(config: Mapping[str, Any], *, deployed: bool) -> str:
    if not deployed:
        return _text(paths.dig(config, "quantgate", "checkpoint"))
    path = _text(paths.dig(config, "deployment", "checkpoint_path"))
    return path or _text(paths.dig(config, "deployment", "hf_model_handle"))


def _text(value: Any) -> str:
    return value[:_TEXT] if isinstance(value, str) and value != compose.MISSING else ""


def _identity(attempt: ledger.Attempt) -> str:
    """Of the checkpoint that the launch's fingerprint counted in; empty when it counted none in."""
    contents = ledger.contents_of(attempt.config)
    found = next((c.content for c in contents if c.fingerprint == attempt.fingerprint), {})
    parts = sorted((name, part) for name, part in found.items() if name.startswith(fingerprint.CHECKPOINT))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_DIGITS] if parts else ""
