"""GPUs by name or compute capability, and what an architecture makes of a quantized checkpoint."""

from __future__ import annotations

import difflib

from ..errors import UnknownName
from . import tables
from .quantization_record import QuantizationRecord

SPACING = str.maketrans("", "", " -_")
"""What is left out when names are compared."""
_EIGHT_BIT_FLOATS = ("FP8", "MXFP8")


def find_gpu(name: str) -> tables.Gpu | None:
    """A GPU by its name (`H100`, `hopper`) or compute capability (`sm_90`, `9.0`); None for an empty name.

    Raises:
        UnknownName: The table has no such GPU.
    """
    if not name.strip():
        return None
    wanted = name.lower().translate(SPACING).removeprefix("nvidia")
    digits = wanted.removeprefix("sm").replace(".", "").removesuffix("a")
    gpus = tables.serving().gpus
    for gpu in gpus:
        if wanted in gpu.names or digits == str(gpu.sm):
            return gpu
    near = difflib.get_close_matches(wanted, [n for gpu in gpus for n in gpu.names], 3)
    raise UnknownName("GPU architecture", name, near, fix="" if near else "give a name such as H100, B200 or sm_90")


def gpu_warnings(record: QuantizationRecord, gpu: tables.Gpu | None, framework: str, what: str) -> list[str]:
    """What a GPU changes about a format: activations that stay in 16 bits, and the image it needs.

    Args:
        record: How the model is quantized.
        gpu: From `find_gpu`, or None when it is not known.
        framework: A key of methods.yaml's frameworks.
        what: The format's name, for the text.
    """
    if gpu is None:
        return []
    found = []
    formats = {*record.layers, record.algorithm}
    four = any("NVFP4" in f for f in formats)
    if four and not gpu.fp4 and record.activation_bits in {0, 4}:
        found.append(
            f"sm_{gpu.sm} has no FP4 units: {what} is served weight-only (W4A16), so the quantization of activations "
            "is not measured; take a Blackwell GPU or report it as W4A16"
        )
    if any(f.startswith(_EIGHT_BIT_FLOATS) for f in formats) and not gpu.fp8:
        found.append(
            f"sm_{gpu.sm} has no FP8 units: FP8 weights are served weight-only (W8A16) or not at all, so the "
            "quantization of activations is not measured"
        )
    kinds = {kind for kind in ("NVFP4", "MXFP4", "FP8") if any(kind in f for f in formats)}
    for row in tables.serving().images:
        if (
            gpu.sm in row.sms
            and framework in (row.frameworks or (framework,))
            and (not row.formats or kinds.intersection(row.formats))
        ):
            found.append(row.says)
    return found
