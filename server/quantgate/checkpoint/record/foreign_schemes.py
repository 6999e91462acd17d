"""What the fields of each foreign method say: algorithm, bits, group size.

Fields and defaults are those of Transformers 5.23.0 `utils/quantization_config.py`, unless another source is named. A field
that is absent reads as not recorded, except where the class itself gives it its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..config_json import text_field, whole_field
from .fields import MAX_GROUPS, MAX_SHORT, UNKNOWN, FormatGroup, objects, same

Block = Mapping[str, Any]


class Scheme(NamedTuple):
    """What a block says of its format; a field that is empty or 0 leaves it to the method's row in methods.yaml.

    Attributes:
        tensors: None for those of the row.
        fields: Names of further fields that are shown as evidence.
        patterns: Pairs of a pattern and an algorithm for modules that differ.
        certain: False for a scheme that is named by the block and not known here.
    """

    algorithm: str = ""
    bits: int = 0
    group_size: int = 0
    activation_bits: int = 0
    bits_per_weight: float = 0.0
    tensors: tuple[str, ...] | None = None
    groups: tuple[FormatGroup, ...] = ()
    patterns: tuple[tuple[str, str], ...] = ()
    packing: str = ""
    fields: tuple[str, ...] = ()
    certain: bool = True


_FLOAT_FORMATS = {"nvfp4": ("NVFP4", 4, 16), "mxfp4": ("MXFP4", 4, 32)}
"""Algorithm, bits and block size: the two that FP-Quant and Four Over Six take."""
_WORDS = {"int8": 8, "float8": 8, "int4": 4, "int2": 2}


def overrides(base: Scheme, entries: Iterable[tuple[str, int, int]]) -> tuple[FormatGroup, ...]:
    """The base format and those that differ from it in bits or group size; empty when none does.

    Args:
        base: What holds for all other modules.
        entries: Pattern, bits and group size of modules; 0 for what the base has.
    """
    found: dict[tuple[int, int], list[str]] = {}
    for name, bits, group in entries:
        own = (bits or base.bits, group or base.group_size)
        if own != (base.bits, base.group_size):
            found.setdefault(own, []).append(name)
    if not found:
        return ()
    label = f"INT{base.bits}" if base.bits else "the rest"
    groups = [FormatGroup(label, base.bits, base.activation_bits, base.group_size)]
    for (bits, group), names in list(found.items())[:MAX_GROUPS]:
        groups.append(FormatGroup(f"INT{bits}", bits, 0, group, (), tuple(names[:MAX_GROUPS]), len(names)))
    return tuple(groups)


def _integers(bits: int) -> tuple[str, ...] | None:
    return (f"INT{bits}",) if bits else None


def _gptq(block: Block) -> Scheme:
    """GPTQ; GPTQModel's `dynamic` changes bits and groups for modules (vLLM 0.33.0 `quantization/auto_gptq.py`)."""
    bits = whole_field(block, "bits")
    scheme = Scheme(
        bits=bits,
        group_size=whole_field(block, "group_size"),
        packing=text_field(block, "checkpoint_format", "format"),
        fields=("checkpoint_format", "desc_act", "sym", "dynamic", "modules_in_block_to_quantize", "meta"),
    )
    entries = [
        (name, whole_field(value, "bits"), whole_field(value, "group_size"))
        for name, value in objects(block.get("dynamic")).items()
        if not name.startswith("-:")
    ]
    groups = overrides(scheme, entries)
    return scheme._replace(groups=groups, tensors=None if groups else _integers(bits))


def _awq(block: Block) -> Scheme:
    # AutoAWQ's own quant_config.json has the names with w_ and q_ (vLLM 0.33.0 `quantization/auto_awq.py`).
    bits = whole_field(block, "bits", "w_bit")
    return Scheme(
        bits=bits,
        group_size=whole_field(block, "group_size", "q_group_size"),
        tensors=_integers(bits),
        packing=text_field(block, "version", "format"),
        fields=("version", "zero_point", "backend"),
    )


def _bitsandbytes(block: Block) -> Scheme:
    fields = ("load_in_4bit", "load_in_8bit", "bnb_4bit_quant_type", "bnb_4bit_use_double_quant")
    if block.get("load_in_4bit") is True:
        kind = text_field(block, "bnb_4bit_quant_type").upper() or "FP4"
        named = kind if kind in ("FP4", "NF4") else UNKNOWN
        return Scheme(named, 4, activation_bits=16, tensors=(named,) if named != UNKNOWN else None, fields=fields)
    if block.get("load_in_8bit") is True:
        return Scheme("INT8", 8, tensors=("INT8",), fields=fields)
    return Scheme(UNKNOWN, fields=fields)


def _fp8(block: Block) -> Scheme:
    """FP8 as DeepSeek and others release it; DeepSeek-V4's experts may be FP4 beside it."""
    fields = ("weight_block_size", "activation_scheme", "fmt", "scale_fmt", "expert_dtype", "modules_to_convert")
    group = columns(block.get("weight_block_size"))
    if text_field(block, "expert_dtype").lower() == "fp4":
        parts = (FormatGroup("FP8", 8, 8, group), FormatGroup("FP4", 4, targets=("experts",), count=1))
        return Scheme("FP8+FP4", group_size=group, groups=parts, tensors=(), fields=fields)
    return Scheme("FP8", 8, group, fields=fields)


def _float_words(*keys: str) -> Callable[[Block], Scheme]:
    """A method whose format is a word: NVFP4 or MXFP4, by default NVFP4."""

    def read(block: Block) -> Scheme:
        word = text_field(block, *keys).lower() or "nvfp4"
        fields = (*keys, "store_master_weights", "keep_master_weights", "pseudoquantization", "module_config_overrides")
        name, bits, group = _FLOAT_FORMATS.get(word, (UNKNOWN, 0, 0))
        return Scheme(name, bits, group, tensors=(name,) if bits else (), fields=fields)

    return read


def _weights_word(block: Block) -> Scheme:
    """Quanto and EETQ name the weights' type, and Quanto the activations'; the class's default is int8."""
    word = text_field(block, "weights").lower() or "int8"
    bits = _WORDS.get(word, 0)
    name = {"float8": "FP8"}.get(word, word.upper()) if bits else UNKNOWN
    inner = block.get("activations")
    inner_bits = 16 if inner is None else _WORDS.get(inner.lower(), 0) if isinstance(inner, str) else 0
    return Scheme(name, bits, activation_bits=inner_bits, tensors=(), fields=("weights", "activations"))


def _hqq(block: Block) -> Scheme:
    """HQQ: one configuration, or one for each kind of layer."""
    value = block.get("quant_config")
    entries = [("", value)] if isinstance(value, dict) and "weight_quant_params" in value else []
    entries = entries or list(objects(value).items())
    found = []
    for name, entry in entries:
        params = entry.get("weight_quant_params")
        numbers = params if isinstance(params, dict) else entry
        found.append((name, whole_field(numbers, "nbits"), whole_field(numbers, "group_size")))
    bits, group = same(b for _, b, _ in found), same(g for _, _, g in found)
    groups: dict[tuple[int, int], list[str]] = {}
    for name, own_bits, own_group in found:
        groups.setdefault((own_bits, own_group), []).append(name)
    mixed = tuple(
        FormatGroup(f"INT{b}", b, 16, g, (), tuple(names[:MAX_GROUPS]), len(names))
        for (b, g), names in list(groups.items())[:MAX_GROUPS]
        if len(groups) > 1
    )
    return Scheme(bits=bits, group_size=group, activation_bits=16, groups=mixed, fields=("quant_config",))


def _aqlm(block: Block) -> Scheme:
    """AQLM: each group of weights is a code of so many bits in each of the codebooks (the codebooks not counted)."""
    code, books = whole_field(block, "nbits_per_codebook"), whole_field(block, "num_codebooks")
    width, height = whole_field(block, "in_group_size"), whole_field(block, "out_group_size")
    exact = code * books / (width * height) if 0 < width * height < 2**31 and code * books < 2**31 else 0.0
    fields = ("nbits_per_codebook", "num_codebooks", "in_group_size", "out_group_size")
    whole = int(exact) if exact.is_integer() else 0
    return Scheme(bits=whole, group_size=width, bits_per_weight=exact, activation_bits=16, fields=fields)


def _numbers(bits: str, group: str = "", *fields: str) -> Callable[[Block], Scheme]:
    """A method that has bits and group size under these names."""

    def read(block: Block) -> Scheme:
        return Scheme(
            bits=whole_field(block, bits),
            group_size=whole_field(block, group) if group else 0,
            fields=(bits, group, *fields),
        )

    return read


def _gemma(block: Block) -> Scheme:
    """Gemma's own: bits for all, and others by an expression for modules."""
    scheme = Scheme(bits=whole_field(block, "num_bits"), fields=("num_bits", "module_quant_configs"))
    listed = objects(block.get("module_quant_configs"))
    return scheme._replace(groups=overrides(scheme, [(n, whole_field(v, "num_bits"), 0) for n, v in listed.items()]))


def _auto_round(block: Block) -> Scheme:
    """AutoRound: integers, FP8 or MX formats (vLLM 0.33.0 `quantization/inc/`)."""
    bits = whole_field(block, "bits")
    group = columns(block.get("group_size")) or whole_field(block, "group_size")
    kind = text_field(block, "data_type").lower()[:MAX_SHORT] or "int"
    if "mx_fp" in kind:
        name, tensors = (f"MXFP{bits}", (f"MXFP{bits}",)) if bits in (4, 8) else (UNKNOWN, ())
    elif "nv_fp" in kind:  # AutoRound's own schemes.py
        name, tensors = ("NVFP4", ("NVFP4",)) if bits == 4 else (UNKNOWN, ())
    elif kind in ("fp", "fp8"):
        name, tensors = ("FP8", ("FP8",)) if bits == 8 else (UNKNOWN, ())
    else:
        name, tensors = ("", (f"INT{bits}",)) if kind == "int" and bits else ("" if kind == "int" else UNKNOWN, ())
    scheme = Scheme(
        name,
        bits,
        group,
        whole_field(block, "act_bits"),
        tensors=tensors,
        packing=text_field(block, "packing_format"),
        fields=("bits", "data_type", "act_data_type", "packing_format", "extra_config", "block_name_to_quantize"),
    )
    entries = [
        (layer, whole_field(value, "bits"), whole_field(value, "group_size"))
        for layer, value in objects(block.get("extra_config")).items()
        if whole_field(value, "bits") < 16
    ]
    groups = overrides(scheme, entries)
    return scheme._replace(groups=groups, tensors=() if groups else tensors)


def _block_columns(block: Block) -> Scheme:
    """Formats that SGLang 0.5.23 reads: their names say the bits (methods.yaml), the block its size."""
    return Scheme(group_size=columns(block.get("weight_block_size")), fields=("weight_block_size", "activation_scheme"))


def columns(size: object) -> int:
    """The width of a block that is given as a list of rows and columns; 0 when it is none."""
    return whole_field({"last": size[-1]}, "last") if isinstance(size, list) and size else 0


READERS: Mapping[str, Callable[[Block], Scheme]] = {
    "aqlm": _aqlm,
    "auto-round": _auto_round,
    "awq": _awq,
    "bitsandbytes": _bitsandbytes,
    "eetq": _weights_word,
    "fbgemm_fp8": lambda _: Scheme("FP8", 8, fields=("activation_scale_ub",)),
    "fouroversix": _float_words("weight_dtype", "dtype"),
    "fp8": _fp8,
    "fp_quant": _float_words("forward_dtype"),
    "gemma": _gemma,
    "gptq": _gptq,
    "higgs": _numbers("bits", "group_size", "p", "hadamard_size"),
    "hqq": _hqq,
    "metal": _numbers("bits", "group_size"),
    "mxfp8": lambda block: _fp8(block)._replace(algorithm="MXFP8"),
    "quanto": _weights_word,
    "sinq": _numbers("nbits", "group_size", "method", "tiling_mode"),
    "spqr": _numbers("bits", "", "beta1", "beta2"),
    "vptq": lambda _: Scheme(fields=("config_for_layers", "shared_layer_config")),
    **dict.fromkeys(("blockwise_int8", "w4afp8", "w8a8_fp8", "w8a8_int8"), _block_columns),
}
