"""Records of quantization methods other than ModelOpt's: the method, and what its fields say in `foreign_schemes`."""

from __future__ import annotations

from dataclasses import replace

from .. import tables
from ..config_json import text_field, whole_field
from .compressed_tensors import is_class, read_groups, targets_of
from .excluded_modules import read_excluded, read_targets
from .fields import MAX_EXCLUDED, MAX_LAYERS, MAX_NAME, MIXED, UNKNOWN, Evidence, Place, Recorded, same
from .foreign_schemes import READERS, Scheme
from .kv_cache import read_kv, read_quark_kv
from .module_patterns import is_pattern
from .nested_schemes import NESTED_READERS
from .producer import read_producer

BITSANDBYTES = "bitsandbytes"
COMPRESSED = "compressed-tensors"
_SAME_AS = {
    "compressed_tensors": COMPRESSED,  # vLLM 0.33.0 transformers_utils/model_arch_config_convertor.py
    "intel/auto-round": "auto-round",  # Transformers 5.23.0 AutoRoundConfig.from_dict takes any that contains the name
    "inc": "auto-round",  # the rest: vLLM 0.33.0 model_executor/layers/quantization/__init__.py, one class for both
    "auto_awq": "awq",
    "awq_marlin": "awq",
    "auto_gptq": "gptq",
    "gptq_marlin": "gptq",
    "gpt_oss_mxfp4": "mxfp4",
}


def read_foreign(place: Place, method: str) -> Recorded:
    """The record of a block that is not ModelOpt's.

    Args:
        place: The block.
        method: Its `quant_method` in lower case; empty when it has none, or one that is no text.
    """
    block = place.block
    if block.get("load_in_4bit") is True or block.get("load_in_8bit") is True:
        method = method or BITSANDBYTES  # older files have no method (Transformers 5.23.0 quantizers/auto.py)
    method = _SAME_AS.get(method, method)
    if method == COMPRESSED:
        return _compressed(place)
    row = tables.methods().foreign.get(method)
    if row is None:
        return _unknown(place, method)
    reader = READERS.get(method) or NESTED_READERS.get(method)
    scheme = reader(block) if reader else Scheme()
    return _recorded(place, method, scheme)


def _recorded(place: Place, method: str, scheme: Scheme) -> Recorded:
    block, row = place.block, tables.methods().foreign[method]
    kv = read_quark_kv(place) if method == "quark" else read_kv(place)
    excluded, omitted = read_excluded(block)
    known = scheme.certain and scheme.algorithm != UNKNOWN and all(g.algorithm != UNKNOWN for g in scheme.groups)
    evidence = [*place.evidence("quant_method", *scheme.fields), *kv.evidence]
    # A mix has no bits of its own, whatever the method's row says.
    mixed = len({g.bits for g in scheme.groups}) > 1
    bits = scheme.bits or (0 if mixed else row.bits)
    return Recorded(
        file=place.file,
        method=method,
        algorithm=scheme.algorithm or method.upper().replace("-", "_"),
        known=known,
        kv_cache=kv.algorithm,
        known_kv=kv.known,
        group_size=scheme.group_size,
        bits=bits,
        bits_per_weight=scheme.bits_per_weight or bits,
        activation_bits=scheme.activation_bits or row.activation_bits,
        tensors=scheme.tensors if scheme.tensors is not None else row.tensors,
        groups=scheme.groups,
        layer_patterns=scheme.patterns,
        excluded=excluded,
        excluded_omitted=omitted,
        targets=read_targets(block),
        packing=scheme.packing[:MAX_NAME],
        producer=read_producer(block, method=method),
        evidence=tuple(evidence if known and kv.known else [*evidence, place.raw()]),
        problems=kv.problems,
    )


def _unknown(place: Place, method: str) -> Recorded:
    """A method that is not in methods.yaml: its raw fields, and of them what can be named without guessing."""
    block, kv = place.block, read_kv(place)
    excluded, omitted = read_excluded(block)
    given = block.get("quant_method")
    problems = list(kv.problems)
    if given is not None and not isinstance(given, str):
        problems.append(f"{place.at('quant_method')} is a JSON {type(given).__name__}, not text")
    elif not method:
        problems.append(f"{place.path or place.file} names no quant_method")
    bits = whole_field(block, "bits", "num_bits", "nbits", "w_bit", "weight_bits")
    return Recorded(
        file=place.file,
        method=method or "unknown",
        algorithm=method.upper().replace("-", "_") or UNKNOWN,
        known=False,
        kv_cache=kv.algorithm,
        known_kv=kv.known,
        bits=bits,
        bits_per_weight=bits,
        group_size=whole_field(block, "group_size"),
        excluded=excluded,
        excluded_omitted=omitted,
        producer=read_producer(block, method=method),
        evidence=(*place.evidence("quant_method"), *kv.evidence, place.raw()),
        problems=tuple(problems),
    )


def _compressed(place: Place) -> Recorded:
    """compressed-tensors: schemes by group of targets, an `ignore` list, a KV-cache scheme, and maybe sparsity."""
    inner = place.block.get("quantization_config")  # under `compression_config` (Transformers 5.23.0)
    if isinstance(inner, dict):
        place = Place(place.file, place.at("quantization_config"), inner)
    block, kv = place.block, read_kv(place)
    excluded, omitted = read_excluded(block)
    pairs = read_groups(block)
    groups = tuple(g for g, _ in pairs)
    algorithms = sorted({g.algorithm for g in groups})
    # Without groups nothing but the KV cache is quantized, or the weights are sparse only; anything else is not told.
    others = bool(kv.algorithm) or isinstance(block.get("sparsity_config"), dict) or block.get("config_groups") == {}
    algorithm = algorithms[0] if len(algorithms) == 1 else MIXED if algorithms else "" if others else UNKNOWN
    known = UNKNOWN not in (algorithm, *algorithms)
    fields = ("quant_method", "config_groups", "format", "quantization_status", "sparsity_config", "transform_config")
    evidence: list[Evidence] = [*place.evidence(*fields), *kv.evidence]
    record = Recorded(
        file=place.file,
        method=COMPRESSED,
        algorithm=algorithm,
        known=known,
        kv_cache=kv.algorithm,
        known_kv=kv.known,
        group_size=same(g.group_size for g in groups if g.group_size),
        bits=same(g.bits for g in groups),
        bits_per_weight=same(g.bits for g in groups),
        activation_bits=same(g.activation_bits for g in groups),
        tensors=tuple(sorted({t for g in groups for t in g.tensors})) if all(g.tensors for g in groups) else (),
        groups=groups,
        excluded=excluded,
        excluded_omitted=omitted,
        packing=text_field(block, "format")[:MAX_NAME],
        producer=read_producer(block, method=COMPRESSED),
        evidence=tuple(evidence if known and kv.known else [*evidence, place.raw()]),
        problems=kv.problems,
    )
    return _with_targets(record, [(g.algorithm, targets_of(value)) for g, value in pairs])


def _with_targets(record: Recorded, targets: list[tuple[str, list[str]]]) -> Recorded:
    """The record with its targets: which modules alone are quantized, and which has what format."""
    exact: dict[str, str] = {}
    patterns: list[tuple[str, str]] = []
    every = [t for _, listed in targets for t in listed]
    for algorithm, listed in targets:
        for target in listed:
            if is_class(target) or len(exact) + len(patterns) >= MAX_LAYERS:
                continue
            if is_pattern(target):
                patterns.append((target, algorithm))
            else:
                exact[target] = algorithm
    mixed = record.algorithm == MIXED
    return replace(
        record,
        layers=exact if mixed else {},
        layer_patterns=tuple(patterns) if mixed else (),
        layers_omitted=max(0, len(every) - MAX_LAYERS) if mixed else 0,
        targets=() if "Linear" in every else tuple(dict.fromkeys(every))[:MAX_EXCLUDED],
    )
