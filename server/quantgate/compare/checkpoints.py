"""Which checkpoint each side evaluated, as far as its records show, and whether the two are one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..evalconfig import paths
from ..evalconfig.fingerprint import CHECKPOINT
from ..gates import ledger
from ..gates.traces import lookup
from ..runs.sanitise import one_line
from .comparability import Compared
from .outcome import Difference, Severity
from .protocol import Protocol

_RERUN = "this is a rerun, and its differences are the noise of the evaluation"
_PLACES = (("deployment", "checkpoint_path"), ("deployment", "hf_model_handle"), ("quantgate", "checkpoint"))
_TOKENS = "the same text may be other tokens"
_TOLD_APART = {
    "tokenizer.json": f"{_TOKENS} (files that were saved again may differ without that)",
    "tokenizer.model": _TOKENS,
    "tokenizer_config.json": f"{_TOKENS}, and a chat template may stand in it (saving it again may change it too)",
    "special_tokens_map.json": f"{_TOKENS}, and answers may end at another one",
    "chat_template.jinja": "the model is told something else: check that the templates say the same",
    "generation_config.json": "a server that reads it draws answers in another way where the config leaves that open",
}
"""Files of a checkpoint that quantization has no reason to change, and why a difference matters."""
_ABSENT = "(not there)"
MOST_NAMED = 4


@dataclass(frozen=True)
class Checkpoint:
    """What is known of the checkpoint behind a run.

    Attributes:
        name: Its path or handle by the run's config; empty where that was not kept.
        parts: Digests of its parts by the ledger (`checkpoint.identity`), for a run of this machine; else empty.
        asked: URL and model name of each task's endpoint.
        listed: The models that the endpoint listed at the launch; empty when it was not asked.
        served: What the servers loaded, by their logs and mounts; empty when not shown.
    """

    name: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    asked: frozenset[tuple[str, str]] = frozenset()
    listed: frozenset[str] = frozenset()
    served: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """For a table: its name, else what is known of its content."""
        return one_line(self.name, 200) or ("known by its content" if self.parts else "")


def checkpoint_of(found: lookup.Run, protocols: Sequence[Protocol], served: Sequence[str] = ()) -> Checkpoint:
    """The checkpoint of a run: by the config that NEL kept beside the results, by the ledger, and by its servers' logs.

    Args:
        found: The run.
        protocols: Of its tasks.
        served: What its servers loaded, by its validation.
    """
    config = next((p.config for p in protocols if p.config), {})
    named = next((str(value) for place in _PLACES if (value := paths.dig(config, *place)) not in (None, "", "???")), "")
    return Checkpoint(
        named,
        _parts(found.attempt) if found.attempt is not None else {},
        frozenset(p.asked for p in protocols if all(p.asked)),
        _listed(found.attempt.endpoint) if found.attempt is not None else frozenset(),
        tuple(served),
    )


def _parts(attempt: ledger.Attempt) -> dict[str, str]:
    contents = (c.content for c in ledger.contents_of(attempt.config) if c.fingerprint == attempt.fingerprint)
    return {k.removeprefix(CHECKPOINT): v for k, v in next(contents, {}).items() if k.startswith(CHECKPOINT)}


def _listed(endpoint: str) -> frozenset[str]:
    try:
        data = json.loads(endpoint) if endpoint else {}
    except ValueError:
        return frozenset()
    models = data.get("models") if isinstance(data, dict) else None
    return frozenset(str(m) for m in models) if isinstance(models, list) else frozenset()


def compared(baseline: Checkpoint, candidate: Checkpoint) -> tuple[list[Compared], list[str]]:
    """Whether two sides evaluated one checkpoint.

    Returns:
        The rows for the comparability, and notes. Two checkpoints are what a comparison is for; one is a rerun, which shows the
        noise of the evaluation and nothing of a candidate; where one endpoint answered under one name, which it was is not known.
    """
    rows, notes = _as_recorded(baseline, candidate)
    one = _one_served(baseline, candidate)
    if one:
        rows.append(Compared("served checkpoint", True, contradiction=one))
    elif (same := _one_endpoint(baseline, candidate)) and not _told_apart(baseline, candidate):
        rows.append(Compared("answering model", True, unknown=True, unproven=same))
    return rows, notes


def _as_recorded(baseline: Checkpoint, candidate: Checkpoint) -> tuple[list[Compared], list[str]]:
    """By the content in the ledger, else by the names in the configs."""
    if baseline.parts and candidate.parts:
        return _by_content(baseline, candidate)
    if not baseline.name or not candidate.name:
        return [Compared("checkpoint", True, unknown=True)], []
    if baseline.name == candidate.name:
        note = f"both runs name the same checkpoint: {_RERUN}"
        return [Compared("checkpoint", True)], [note]
    return [_differs("checkpoint", baseline.shown, candidate.shown, "what is compared")], []


def _one_served(baseline: Checkpoint, candidate: Checkpoint) -> str:
    """That the servers of both runs loaded the one side's checkpoint, though the configs name two; empty otherwise."""
    names = [side.name.rstrip("/") for side in (baseline, candidate)]
    if not all(names) or names[0] == names[1] or not baseline.served or set(baseline.served) != set(candidate.served):
        return ""
    # A path inside of containers may be the same for two checkpoints; one that a config names is the checkpoint.
    if not set(baseline.served) & set(names):
        return ""
    listed = one_line(", ".join(baseline.served[:MOST_NAMED]), 300)
    return f"the servers of both runs loaded {listed}, though the configs name two checkpoints: one model answered both"


def _one_endpoint(baseline: Checkpoint, candidate: Checkpoint) -> str:
    """That both sides asked one address for one model; empty otherwise."""
    common = sorted(baseline.asked & candidate.asked)
    if not common:
        return ""
    url, model = common[0]
    return f"nothing shows that two different models answered: both runs asked {one_line(model, 120)} at {one_line(url, 200)}"


def _told_apart(baseline: Checkpoint, candidate: Checkpoint) -> bool:
    """Whether records show two checkpoints: their content, their names, what the endpoint listed or what the servers loaded."""
    if baseline.parts and candidate.parts:
        return baseline.parts != candidate.parts
    pairs = (
        (baseline.name.rstrip("/"), candidate.name.rstrip("/")),
        (baseline.listed, candidate.listed),
        (frozenset(baseline.served), frozenset(candidate.served)),
    )
    return any(one and other and one != other for one, other in pairs)


def _by_content(baseline: Checkpoint, candidate: Checkpoint) -> tuple[list[Compared], list[str]]:
    changed = sorted(n for n in {*baseline.parts, *candidate.parts} if baseline.parts.get(n) != candidate.parts.get(n))
    if not changed:
        return [Compared("checkpoint", True)], [f"both runs evaluated the same checkpoint (by its content): {_RERUN}"]
    shown = [one_line(side.name, 200) or "?" for side in (baseline, candidate)]
    rows = [_differs("checkpoint", shown[0], shown[1], "what is compared: " + one_line(", ".join(changed), 200))]
    # A GGUF file has its tokenizer and its template in itself: there a missing file says nothing.
    whole = all("config.json" in side.parts for side in (baseline, candidate))
    for name in changed:
        before, after = baseline.parts.get(name, _ABSENT), candidate.parts.get(name, _ABSENT)
        if name in _TOLD_APART and (whole or _ABSENT not in (before, after)):
            rows.append(_differs(f"checkpoint's {name}", before, after, _TOLD_APART[name], "warning"))
    return rows, []


def _differs(label: str, before: str, after: str, meaning: str, severity: Severity = "expected") -> Compared:
    return Compared(label, True, Difference(label, before, after, severity, meaning))
