"""Where a checkpoint contradicts itself: its two records, its tensors, its name. Each conflict is one sentence.

Rules D12 and D38: a wrong precision must not be evaluated unnoticed.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from . import tables
from .layer_formats import FLOATS, Layer
from .recorded import Recorded
from .weights import Weights

MAX_NAMED = 3
# Layers that serving frameworks keep in 16 bits by themselves, whatever the record says.
_NEVER_QUANTIZED = re.compile(
    r"embed|norm|conv|rotary|router|(?:^|\.)gate$|lm_head|shared_expert_gate|A_log|(?:^|\.)D$|bias$|scale$"
)
_CLAIMS: tuple[tuple[re.Pattern[str], frozenset[str], str], ...] = tuple(
    (re.compile(rf"(?<![a-z0-9]){pattern}(?![0-9])", re.IGNORECASE), frozenset(formats), claim)
    for pattern, formats, claim in (
        (r"mx-?fp4", {"MXFP4"}, "MXFP4"),
        (r"nv-?fp4", {"NVFP4"}, "NVFP4"),
        (r"fp4", {"NVFP4", "MXFP4", "FP4"}, "FP4"),
        (r"mx-?fp8", {"MXFP8"}, "MXFP8"),
        (r"fp8", {"FP8", "MXFP8"}, "FP8"),
        (r"(?:int4|w4a16|w4a8|awq)", {"INT4", "NVFP4", "MXFP4"}, "4 bits"),
        (r"(?:int8|w8a8|w8a16)", {"INT8", "FP8", "MXFP8"}, "8 bits"),
        (r"gptq", {"INT2", "INT3", "INT4", "INT8"}, "GPTQ"),
    )
)
_PLAIN_CLAIM = re.compile(r"(?<![a-z0-9])(?:bf16|fp16|bfloat16|float16)(?![0-9])", re.IGNORECASE)


def between_records(first: Recorded, second: Recorded) -> list[str]:
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
    return found


def stored_formats(record: Recorded) -> frozenset[str]:
    """The storage formats that a record allows; empty when it does not say."""
    table = tables.methods()
    if record.method == "modelopt":
        algorithms: Iterable[str] = record.layers.values() if record.layers else (record.algorithm,)
        return frozenset(f for a in algorithms if a in table.modelopt for f in table.modelopt[a].tensors)
    if record.method == "compressed-tensors":
        by_scheme = {"FP8": "FP8", "FP8_W8A16": "FP8", "NVFP4": "NVFP4", "NVFP4A16": "NVFP4", "MXFP4": "MXFP4"}
        by_scheme |= {"MXFP4A16": "MXFP4", "MXFP8": "MXFP8", "W8A8": "INT8", "W8A16": "INT8"}
        by_scheme |= {"W4A16": "INT4", "W4A8": "INT4"}
        return frozenset({by_scheme[record.algorithm]} if record.algorithm in by_scheme else ())
    row = table.foreign.get(record.method)
    return frozenset(row.tensors if row else ())


def with_tensors(record: Recorded | None, layers: Sequence[Layer], weights: Weights) -> list[str]:
    """What the record and the stored tensors contradict each other in."""
    matrices = [layer for layer in layers if layer.matrix]
    if not matrices:
        return []
    stored = [layer for layer in matrices if layer.quantized]
    found = []
    if record is None or not record.algorithm:
        if stored:
            found.append(f"no quantization is recorded, but {_counted(stored)} are stored quantized")
    else:
        allowed = stored_formats(record)
        if allowed and not any(layer.format in allowed for layer in stored):
            found.append(
                f"{record.file} says {record.algorithm}, but the tensors hold no {' or '.join(sorted(allowed))}: "
                f"{_counted(matrices)}"
            )
        else:
            found.extend(_layer_by_layer(record, matrices, allowed))
    leftovers = [layer.name for layer in matrices if layer.leftover_scale]
    if leftovers:
        found.append(f"weight scales lie beside weights that are not quantized: {_some(leftovers)}")
    found.extend(_incomplete(record, weights))
    return found


def _incomplete(record: Recorded | None, weights: Weights) -> list[str]:
    found = []
    scales = [n for n in weights.tensors if n.endswith((".k_scale", ".v_scale"))]
    if scales and not (record and record.kv_cache):
        found.append(f"scales of a quantized KV cache are stored, but none is recorded: {_some(sorted(scales))}")
    if weights.missing_tensors:
        found.append(f"the index places tensors in files that do not hold them: {_some(weights.missing_tensors)}")
    return found


def _layer_by_layer(record: Recorded, matrices: Sequence[Layer], allowed: frozenset[str]) -> list[str]:
    if record.method != "modelopt":
        return []
    found, table = [], tables.methods().modelopt
    excluded = matcher(record.excluded)
    if record.layers:
        by_name = {layer.name: layer for layer in matrices}
        wrong = [
            f"{name} is {by_name[name].format}, not {algorithm}"
            for name, algorithm in record.layers.items()
            if name in by_name and algorithm in table and by_name[name].format not in table[algorithm].tensors
        ]
        if wrong:
            found.append(f"{len(wrong)} layers are not stored as {record.file} says: {_some(wrong)}")
        return found
    plain = [
        layer.name
        for layer in matrices
        if not layer.quantized and not _NEVER_QUANTIZED.search(layer.name) and not excluded(layer.name)
    ]
    if plain:
        found.append(
            f"{len(plain)} layers are not quantized although {record.file} does not exclude them: {_some(plain)}"
        )
    held = [layer.name for layer in matrices if layer.quantized and excluded(layer.name)]
    if held:
        found.append(f"{len(held)} layers are quantized although {record.file} excludes them: {_some(held)}")
    other = [
        f"{layer.name} ({layer.format})"
        for layer in matrices
        if layer.quantized and allowed and layer.format not in allowed
    ]
    if other:
        found.append(f"{len(other)} layers are stored in another format than {record.algorithm}: {_some(other)}")
    return found


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test whether a module is covered by exclusion patterns (shell wildcards, as ModelOpt writes them).

    A pattern without a wildcard covers the module and everything below it.
    """
    exact = {p for p in patterns if not set(p) & set("*?[")}
    starts = tuple(p[:-1] for p in patterns if p.endswith("*") and not set(p[:-1]) & set("*?["))
    globs = [p for p in patterns if p not in exact and not (p.endswith("*") and p[:-1] in starts)]
    rest = re.compile("|".join(fnmatch.translate(p) for p in globs)) if globs else None

    def covered(name: str) -> bool:
        parts = name.split(".")
        if any(".".join(parts[:n]) in exact for n in range(1, len(parts) + 1)):
            return True
        return name.startswith(starts) or (rest is not None and rest.match(name) is not None)

    return covered


def with_name(name: str, formats: Iterable[str], kv_cache: str) -> list[str]:
    """What a checkpoint's name claims and neither its record nor its tensors show.

    Args:
        name: The directory's, the file's or the handle's name.
        formats: Storage formats that the record or the tensors have.
        kv_cache: The recorded KV-cache algorithm: a name may claim that instead.
    """
    have = set(formats) - set(FLOATS.values())
    shown = ", ".join(sorted(have)) or "no quantization"
    found = [
        f"the name {name[:120]!r} claims {claim}, but the files have {shown}"
        for pattern, wanted, claim in _CLAIMS
        if pattern.search(name) and not wanted & (have | ({kv_cache} if kv_cache else set()))
    ]
    # `…-BF16-FP8` names what it was made from, so only a lone claim of 16 bits contradicts.
    claims_less = any(pattern.search(name) for pattern, _, _ in _CLAIMS)
    if have and not claims_less and _PLAIN_CLAIM.search(name):
        found.append(f"the name {name[:120]!r} claims 16 bits, but the files have {shown}")
    return found


def _counted(layers: Sequence[Layer]) -> str:
    counts = Counter(layer.format for layer in layers)
    return ", ".join(f"{count} layers {name}" for name, count in counts.most_common())


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(n[:160] for n in names[:MAX_NAMED])
    return shown + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")
