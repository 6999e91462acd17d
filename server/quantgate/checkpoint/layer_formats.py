"""In what format each layer is stored, told from its tensors' names, dtypes and neighbours alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .safetensors_header import Tensor

FLOATS = {"BF16": "BF16", "F16": "FP16", "F32": "FP32", "F64": "FP64"}
_COMPANION = re.compile(
    r"(?:scales?(?:_\d+|_inv)?|absmax|amax|zeros|zero_point|g_idx|quant_map|_shape|SCB"
    r"|quant_state\.\S*|_scale|_zero|weight_format|meta)\Z"
)
_WEIGHT_LEAVES = ("weight", "weight_packed", "qweight", "weight_q")


@dataclass(frozen=True)
class Layer:
    """One module that holds a weight.

    Attributes:
        name: The module's name, such as `model.layers.0.mlp.up_proj`.
        format: BF16, FP16, FP32, FP8, MXFP8, NVFP4, MXFP4, INT4, INT8, NF4, FP4, or the dtype when nothing says more.
        parameters: Number of weights, unpacked.
        matrix: It has two dimensions or more (norms and the like have one).
        leftover_scale: The weight is unquantized, yet a weight scale lies beside it.
    """

    name: str
    format: str
    parameters: int
    matrix: bool
    leftover_scale: bool = False

    @property
    def quantized(self) -> bool:
        """Whether the weight is stored in less than 16 bits."""
        return self.format not in FLOATS.values()


def read_layers(tensors: Mapping[str, Tensor], bits: int = 0) -> list[Layer]:
    """Group tensors into layers and name each layer's format.

    Args:
        tensors: By name, as the headers describe them.
        bits: Bits per weight that the record states, for packed integers; 0 for 4.
    """
    modules: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, leaf = _split(name)
        modules.setdefault(module, {})[leaf] = tensor
    layers: list[Layer] = []
    for module, leaves in modules.items():
        main = next((leaf for leaf in _WEIGHT_LEAVES if leaf in leaves), None)
        if main is not None:
            layers.append(_layer(module, leaves, main, bits or 4))
            continue
        for leaf, tensor in leaves.items():
            if not _COMPANION.search(leaf):
                layers.append(_plain(f"{module}.{leaf}" if module else leaf, leaf, tensor, leaves))
    return layers


def _split(name: str) -> tuple[str, str]:
    head, mark, tail = name.partition(".weight.")
    if mark:  # bitsandbytes and quanto keep a weight's parts below it
        return head, "weight" if tail == "_data" else tail
    for suffix in ("_blocks", "_scales"):  # gpt-oss experts
        if name.endswith(suffix):
            return name.removesuffix(suffix), "weight" if suffix == "_blocks" else "mx_scales"
    module, _, leaf = name.rpartition(".")
    return module, leaf


def _layer(module: str, leaves: dict[str, Tensor], main: str, bits: int) -> Layer:
    weight = leaves[main]
    name = _format(leaves, main, weight, bits)
    factor = 1
    if weight.dtype in {"U8", "I8"} and name in {"NVFP4", "MXFP4", "INT4", "NF4", "FP4"}:
        factor = 2
    elif weight.dtype in {"I32", "U32"}:
        factor = 32 // bits if 0 < bits <= 32 else 1
    floating = weight.dtype in FLOATS
    return Layer(
        name=module,
        format=name,
        parameters=weight.elements * factor + (leaves["bias"].elements if "bias" in leaves else 0),
        matrix=len(weight.shape) >= 2,
        leftover_scale=floating and bool(leaves.keys() & {"weight_scale", "weight_scale_2", "weight_scale_inv"}),
    )


def _format(leaves: dict[str, Tensor], main: str, weight: Tensor, bits: int) -> str:
    if weight.dtype in FLOATS:
        return FLOATS[weight.dtype]
    scale = leaves.get("weight_scale") or leaves.get("mx_scales")
    scale_dtype = scale.dtype if scale else ""
    if weight.dtype.startswith("F8"):
        return "MXFP8" if scale_dtype in {"U8", "F8_E8M0"} else "FP8"
    if weight.dtype in {"F4", "U8"}:
        return _four_bits(leaves, scale_dtype, weight)
    if weight.dtype in {"I32", "U32"}:
        return f"INT{bits}" if main in {"qweight", "weight_packed"} else weight.dtype
    return "INT8" if weight.dtype == "I8" else weight.dtype


def _four_bits(leaves: dict[str, Tensor], scale_dtype: str, weight: Tensor) -> str:
    if scale_dtype.startswith("F8_E4M3") or "weight_global_scale" in leaves:
        return "NVFP4"
    if scale_dtype in {"U8", "F8_E8M0"}:
        return "MXFP4"
    if "absmax" in leaves:
        return "FP4" if any("__fp4" in leaf for leaf in leaves) else "NF4"
    if scale_dtype in FLOATS:
        return "INT4"
    return weight.dtype


def _plain(name: str, leaf: str, tensor: Tensor, leaves: dict[str, Tensor]) -> Layer:
    """A parameter that is its own module: a stack of experts, a norm's vector, an embedding without `.weight`."""
    kind = FLOATS.get(tensor.dtype) or ("FP8" if tensor.dtype.startswith("F8") else tensor.dtype)
    factor = 1
    if tensor.dtype == "U8" and (scale := leaves.get(f"{leaf}_weight_scale") or leaves.get(f"{leaf}_scale")):
        kind = "NVFP4" if scale.dtype.startswith("F8_E4M3") else "MXFP4" if scale.dtype == "U8" else kind
        factor = 2 if kind in {"NVFP4", "MXFP4"} else 1
    return Layer(name, kind, tensor.elements * factor, len(tensor.shape) >= 2)
