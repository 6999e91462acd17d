"""In what format each layer is stored, told from its tensors' names, dtypes and neighbours alone.

A large checkpoint has tens of thousands of layers and a handful of kinds of them, so layers are grouped by kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from .safetensors import Tensor

FLOATS = {"BF16": "BF16", "F16": "FP16", "F32": "FP32", "F64": "FP64"}
_PLAIN = frozenset(FLOATS.values())
_COMPANION = re.compile(
    r"(?:[kv]_zero_point|scales?(?:_\d+|_inv)?|absmax|amax|zeros|zero_point|g_idx|quant_map|_shape|SCB"
    r"|quant_state\.\S*|_scale|_zero|weight_format|meta)\Z"
)
_WEIGHT_LEAVES = ("weight", "weight_packed", "qweight", "weight_q")
_WEIGHT_SCALES = frozenset({"weight_scale", "weight_scale_2", "weight_scale_inv"})
_KV_SCALES = frozenset({"k_scale", "v_scale"})
_SECOND_SCALES = frozenset({"weight_scale_2", "weight_global_scale"})
_PER_BYTE = {"NVFP4": 2, "MXFP4": 2, "INT4": 2, "NF4": 2, "FP4": 2, "INT2": 4}


class LayerKind(NamedTuple):
    """What layers with the same tensors have in common.

    Attributes:
        format: BF16, FP16, FP32, FP8, MXFP8, NVFP4, MXFP4, INT4, INT8, NF4, FP4, or the dtype when nothing says more.
        parameters: Number of weights of one such layer, unpacked.
        matrix: It has two dimensions or more (norms and the like have one).
        leftover_scale: The weight is unquantized, yet a weight scale lies beside it.
        lone_scale: There is a weight scale and no weight.
        kv_scale: A scale of the KV cache lies beside it.
        missing_scale: The weight is stored in FP8 or NVFP4, and a scale that belongs to it is not there.
        linear: It is the weight of a module, or a stack of experts: not a bare parameter of another kind.
    """

    format: str
    parameters: int
    matrix: bool
    leftover_scale: bool = False
    lone_scale: bool = False
    kv_scale: bool = False
    missing_scale: bool = False
    linear: bool = True

    @property
    def quantized(self) -> bool:
        """Whether the weight is stored in less than 16 bits."""
        return self.format not in _PLAIN


class LayerGroup(NamedTuple):
    """All layers of one kind; the names are those of the modules, such as `model.layers.0.mlp.up_proj`."""

    kind: LayerKind
    names: list[str]


def read_layers(tensors: Iterable[tuple[str, Tensor]], bits: int = 0) -> list[LayerGroup]:
    """Group tensors into layers, name each layer's format, and put layers of one kind together.

    Args:
        tensors: Names and what the headers say of them.
        bits: Bits per weight that the record states, for packed integers; 0 for 4.
    """
    groups: dict[LayerKind, list[str]] = {}
    seen: dict[object, list[str]] = {}
    for module, leaves in _modules(tensors).items():
        if (main := next((leaf for leaf in _WEIGHT_LEAVES if leaf in leaves), None)) is None:
            for name, kind in _without_weight(module, leaves):
                groups.setdefault(kind, []).append(name)
            continue
        # Layers of one signature are of one kind: the rules below run once for each, not for each layer.
        signature = (tuple(leaves), tuple([t.dtype for t in leaves.values()]), leaves[main].shape, len(leaves))
        names = seen.get(signature)
        if names is None or "bias" in leaves:
            names = seen[signature] = groups.setdefault(_kind(leaves, main, bits or 4), [])
        names.append(module)
    return [LayerGroup(kind, names) for kind, names in groups.items()]


def _modules(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    modules: dict[str, dict[str, Tensor]] = {}
    last, leaves = "", modules.setdefault("", {})
    for name, tensor in tensors:
        module, _, leaf = name.rpartition(".")
        if leaf[-7:] in {"_blocks", "_scales"}:  # gpt-oss experts
            module, leaf = name[:-7], "weight" if name.endswith("_blocks") else "mx_scales"
        elif ".weight." in name:  # bitsandbytes and quanto keep a weight's parts below it
            module, _, leaf = name.partition(".weight.")
            leaf = "weight" if leaf == "_data" else leaf
        if module != last:  # the tensors of a module usually follow each other
            last, leaves = module, modules.setdefault(module, {})
        leaves[leaf] = tensor
    return modules


def _kind(leaves: dict[str, Tensor], main: str, bits: int) -> LayerKind:
    weight = leaves[main]
    name = _format(leaves, main, weight, bits)
    factor = _PER_BYTE.get(name, 1) if weight.dtype in {"U8", "I8"} else 1
    if weight.dtype in {"I32", "U32"}:
        factor = 32 // bits if 0 < bits <= 32 else 1
    return LayerKind(
        format=name,
        parameters=weight.elements * factor + (leaves["bias"].elements if "bias" in leaves else 0),
        matrix=len(weight.shape) >= 2,
        leftover_scale=weight.dtype in FLOATS and not _WEIGHT_SCALES.isdisjoint(leaves),
        kv_scale=not _KV_SCALES.isdisjoint(leaves),
        missing_scale=_lacks_scale(name, leaves),
    )


def _lacks_scale(name: str, leaves: dict[str, Tensor]) -> bool:
    if name == "FP8":
        return not any("scale" in leaf and "input" not in leaf for leaf in leaves)
    return name == "NVFP4" and _SECOND_SCALES.isdisjoint(leaves)


def _format(leaves: dict[str, Tensor], main: str, weight: Tensor, bits: int) -> str:
    if weight.dtype in FLOATS:
        return FLOATS[weight.dtype]
    scale = leaves.get("weight_scale") or leaves.get("mx_scales")
    scale_dtype = scale.dtype if scale else ""
    if weight.dtype.startswith("F8"):
        return "MXFP8" if scale_dtype in {"U8", "F8_E8M0"} else "FP8"
    if weight.dtype in {"F4", "U8"}:
        return _below_a_byte(leaves, scale_dtype, weight, bits)
    if weight.dtype in {"I32", "U32"}:
        return f"INT{bits}" if main in {"qweight", "weight_packed"} else weight.dtype
    return "INT8" if weight.dtype == "I8" else weight.dtype


def _below_a_byte(leaves: dict[str, Tensor], scale_dtype: str, weight: Tensor, bits: int) -> str:
    if scale_dtype.startswith("F8_E4M3") or "weight_global_scale" in leaves:
        return "NVFP4"
    if scale_dtype in {"U8", "F8_E8M0"}:
        return "MXFP4"
    if "absmax" in leaves:
        return "FP4" if any("__fp4" in leaf for leaf in leaves) else "NF4"
    if scale_dtype in FLOATS:
        return "INT2" if bits == 2 else "INT4"  # BitNet packs four weights into a byte
    return weight.dtype


def _without_weight(module: str, leaves: dict[str, Tensor]) -> Iterable[tuple[str, LayerKind]]:
    """Parameters that are their own module: a stack of experts, a norm's vector, an embedding without `.weight`."""
    lone, kv_cache = not _WEIGHT_SCALES.isdisjoint(leaves), not _KV_SCALES.isdisjoint(leaves)
    if lone or kv_cache:
        yield module, LayerKind("", 0, matrix=False, lone_scale=lone, kv_scale=kv_cache)
    for leaf, tensor in leaves.items():
        if _COMPANION.search(leaf):
            continue
        kind = FLOATS.get(tensor.dtype) or ("FP8" if tensor.dtype.startswith("F8") else tensor.dtype)
        factor = 1
        if tensor.dtype == "U8" and (scale := leaves.get(f"{leaf}_weight_scale") or leaves.get(f"{leaf}_scale")):
            kind = "NVFP4" if scale.dtype.startswith("F8_E4M3") else "MXFP4" if scale.dtype == "U8" else kind
            factor = 2 if kind in {"NVFP4", "MXFP4"} else 1
        name = f"{module}.{leaf}" if module else leaf
        dimensions = len(tensor.shape)
        yield name, LayerKind(kind, tensor.elements * factor, dimensions >= 2, linear=dimensions > 2)
