"""Where a checkpoint contradicts itself: its two records, its tensors, its vision tower, its missing files.

Rules D12, D13 and D38: a wrong precision or a broken export must not be evaluated unnoticed. What the name claims is in `claims`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from . import tables
from .headers.layer_formats import LayerGroup
from .headers.weights import Weights
from .record.module_patterns import assigned, covers, is_pattern
from .record.recorded import Recorded

MAX_NAMED = 3
# Layers that serving frameworks keep in 16 bits by themselves, whatever the record says.
_NEVER_QUANTIZED = re.compile(
    r"embed|norm|conv|rotary|router|(?:^|\.)gate$|lm_head|shared_expert_gate|A_log|(?:^|\.)D$|bias$|scale$"
)
_VISION = re.compile(
    r"(?:^|\.)(?:visual|vision_tower|vision_model|vision_encoder|image_encoder|vision_embed_tokens|vit|audio_tower)\."
)
_PLAIN_LAYER = re.compile(r"^(?!.*experts).*(?:[qkvo]_proj|out_proj|up_proj|down_proj|gate_proj)$")
_PREFIXES = ("model", "model.language_model", "language_model", "language_model.model")
_VISION_WORDS = ("visual.", "vision_", "image_encoder.", "vit.", "audio_tower.")

Kind = Literal["records", "tensors", "vision", "incomplete", "name"]


@dataclass(frozen=True)
class Conflict:
    """One contradiction as a sentence.

    Attributes:
        kind: Between what: two `records`, the record and the `tensors`, a quantized `vision` tower, an `incomplete`
            export, or the `name` and the files.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text


def between_records(first: Recorded, second: Recorded) -> list[Conflict]:
    """Fields in which `config.json` and `hf_quant_config.json` disagree."""
    found = []
    for label, one, other in (
        ("algorithm", first.algorithm, second.algorithm),
        ("method", first.method, second.method),
        ("KV-cache algorithm", first.kv_cache, second.kv_cache),
        ("group size", first.group_size, second.group_size),
    ):
        # A group size of 0 was left out rather than contradicted.
        if one != other and not (label == "group size" and 0 in {one, other}):
            found.append(f"{first.file} gives the {label} {one or 'none'!r}, {second.file} {other or 'none'!r}")
    if set(first.excluded) != set(second.excluded):
        only = sorted(set(first.excluded) ^ set(second.excluded))
        found.append(f"{first.file} and {second.file} exclude different modules: {_some(only)}")
    if first.layers != second.layers and first.layers and second.layers:
        names = sorted(
            n for n in first.layers.keys() | second.layers.keys() if first.layers.get(n) != second.layers.get(n)
        )
        found.append(f"{first.file} and {second.file} give different formats to {_some(names)}")
    return [Conflict("records", text) for text in found]


def with_tensors(record: Recorded | None, layers: Sequence[LayerGroup], weights: Weights) -> list[Conflict]:
    """What the record and the stored tensors contradict each other in, and what is incomplete."""
    matrices = [g for g in layers if g.kind.matrix]
    found = [Conflict("tensors", text) for text in _formats(record, matrices, not weights.missing_shards)]
    found += [Conflict("vision", text) for text in _vision(layers)]
    return found + [Conflict("incomplete", text) for text in _incomplete(record, layers, weights)]


def _formats(record: Recorded | None, matrices: Sequence[LayerGroup], complete: bool) -> list[str]:
    stored = [g for g in matrices if g.kind.quantized]
    if record is None or not record.algorithm:
        return [f"no quantization is recorded, but {_counted(stored)} are stored quantized"] if stored else []
    allowed = frozenset(record.tensors)
    if matrices and allowed and not any(g.kind.format in allowed for g in stored):
        wanted = " or ".join(sorted(allowed))
        return [f"{record.file} says {record.algorithm}, but the tensors hold no {wanted}: {_counted(matrices)}"]
    if record.layers or record.layer_patterns:
        return _listed_layers(record, matrices, complete)
    # Other methods name exclusions by substring, class or regular expression of the loader's own.
    if record.method not in {"modelopt", "compressed-tensors"} or not set(record.targets) <= {"Linear"}:
        return []
    return _excluded_layers(record, matrices, allowed)


def _listed_layers(record: Recorded, matrices: Sequence[LayerGroup], complete: bool) -> list[str]:
    """Layers whose own recorded algorithm is not what they are stored in."""
    table = tables.methods().modelopt
    own = assigned(record.layers, record.layer_patterns)
    wrong, unlisted, seen = [], [], set[str]()
    for group in matrices:
        stored = group.kind.format
        for name in group.names:
            names = (name,) if own(name) else aliases(name)
            seen.update(names)
            algorithm = next((a for alias in names if (a := own(alias))), "")
            if algorithm in table and stored not in table[algorithm].tensors and not _NEVER_QUANTIZED.search(name):
                wrong.append(f"{name} is {stored}, not {algorithm}")
            elif not algorithm and group.kind.quantized and not record.layers_omitted:
                unlisted.append(f"{name} ({stored})")
    found = []
    if wrong:
        found.append(f"{len(wrong)} layers are not stored as {record.file} says: {_some(wrong)}")
    if unlisted:
        found.append(
            f"{len(unlisted)} layers are stored quantized and {record.file} does not list them: {_some(unlisted)}"
        )
    # Experts may be stored as one stack, and fused projections under another name: only plain layers must be there.
    absent = sorted(n for n in record.layers.keys() - seen if _PLAIN_LAYER.search(n))
    if absent and complete:
        found.append(f"{len(absent)} layers that {record.file} lists have no tensors: {_some(absent)}")
    return found


def aliases(name: str) -> tuple[str, ...]:
    """Names that a record may give a stored module.

    Since Transformers 4.52 a vision-language model's modules have other names in memory (`model.visual…`,
    `model.language_model…`), which the record has, than in its files (`visual…`, `language_model.model…`).
    """
    core = name
    while (head := core.partition("."))[0] in {"model", "language_model"} and head[2]:
        core = head[2]
    return (name, core, *(f"{start}.{core}" for start in _PREFIXES))


def _excluded_layers(record: Recorded, matrices: Sequence[LayerGroup], allowed: frozenset[str]) -> list[str]:
    """Layers that the record excludes and that are quantized, and the reverse."""
    found = []
    excluded = covers(record.excluded)
    modules = [g for g in matrices if not g.kind.quantized and g.kind.linear]
    plain = [n for g in modules for n in g.names if not _NEVER_QUANTIZED.search(n) and not excluded(n)]
    plain = [n for n in plain if not any(map(excluded, aliases(n)))] if not record.excluded_omitted else []
    if plain and not (excluded.refused or excluded.exhausted or excluded.untried):
        found.append(
            f"{len(plain)} layers are not quantized although {record.file} does not exclude them: {_some(plain)}"
        )
    held = sorted(n for g in matrices if g.kind.quantized for n in _covered(record.excluded, g.names))
    if held:
        found.append(f"{len(held)} layers are quantized although {record.file} excludes them: {_some(held)}")
    other = [
        f"{n} ({g.kind.format})"
        for g in matrices
        if g.kind.quantized and allowed and g.kind.format not in allowed
        for n in g.names
    ]
    if other:
        found.append(f"{len(other)} layers are stored in another format than {record.algorithm}: {_some(other)}")
    return found


def _covered(patterns: Sequence[str], names: Sequence[str]) -> set[str]:
    """The names that the patterns cover; plain ones are looked up, so tens of thousands of names cost little."""
    ordered = sorted(names)
    found: set[str] = set()
    others = []
    for pattern in patterns:
        stem = pattern.removesuffix("*")
        if is_pattern(stem):
            others.append(pattern)
            continue
        at = bisect_left(ordered, stem)
        while at < len(ordered) and ordered[at].startswith(stem):
            if stem != pattern or ordered[at][len(stem) :][:1] in {"", "."}:
                found.add(ordered[at])
            at += 1
    if others:
        within = covers(others)
        found.update(name for name in names if within(name))
    return found


def _vision(layers: Sequence[LayerGroup]) -> list[str]:
    """Rule D13: a quantized vision tower brings multimodal scores near 0."""
    names = [n for g in layers if g.kind.matrix and g.kind.quantized for n in _within_vision(g.names)]
    if not names:
        return []
    return [
        f"{len(names)} layers of the vision or audio tower are quantized, which brings multimodal scores near 0: "
        f"{_some(sorted(names))}"
    ]


def vision_formats(layers: Sequence[LayerGroup]) -> dict[str, int]:
    """Layers of the vision or audio tower by format; empty without a tower."""
    counts: Counter[str] = Counter()
    for group in layers:
        if group.kind.matrix and (found := len(_within_vision(group.names))):
            counts[group.kind.format] += found
    return dict(counts.most_common())


def _within_vision(names: Sequence[str]) -> list[str]:
    together = "\n".join(names)  # searched as a whole first: a language model has none of these words
    return [n for n in names if _VISION.search(n)] if any(word in together for word in _VISION_WORDS) else []


def _incomplete(record: Recorded | None, layers: Sequence[LayerGroup], weights: Weights) -> list[str]:
    found = []
    if leftovers := _named(layers, lambda g: g.kind.leftover_scale and g.kind.matrix):
        found.append(f"weight scales lie beside weights that are not quantized: {_some(leftovers)}")
    if lone := _named(layers, lambda g: g.kind.lone_scale):
        found.append(f"there are scales without a weight: {_some(lone)}")
    if bare := _named(layers, lambda g: g.kind.missing_scale and g.kind.matrix):
        found.append(f"{len(bare)} quantized weights lack a scale: {_some(bare)}")
    scaled = _named(layers, lambda g: g.kind.kv_scale)
    if scaled and not (record and record.kv_cache):
        found.append(f"scales of a quantized KV cache are stored, but none is recorded: {_some(scaled)}")
    if weights.missing_shards:
        found.append(f"{len(weights.missing_shards)} weight files are missing: {_some(weights.missing_shards)}")
    if weights.missing_tensors:
        found.append(f"the index places tensors in files that do not hold them: {_some(weights.missing_tensors)}")
    if weights.doubled_tensors:
        found.append(f"tensors stand in more than one file: {_some(weights.doubled_tensors)}")
    return found


def _named(layers: Sequence[LayerGroup], wanted: Callable[[LayerGroup], bool]) -> list[str]:
    return sorted(name for group in layers if wanted(group) for name in group.names)


def _counted(groups: Sequence[LayerGroup]) -> str:
    counts: Counter[str] = Counter()
    for group in groups:
        counts[group.kind.format] += len(group.names)
    return ", ".join(f"{count} layers {name}" for name, count in counts.most_common())


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(n[:160] for n in names[:MAX_NAMED])
    return shown + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
