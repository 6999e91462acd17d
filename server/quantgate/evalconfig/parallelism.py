"""Tensor and data parallelism of a deployment, from the checkpoint's size and the GPUs of one node."""

from __future__ import annotations

from ..checkpoint import model_facts, serving
from ..checkpoint.fit import fit
from ..checkpoint.quantization import detect, read_config
from ..checkpoint.source import resolve_model
from ..errors import BadInput, CheckpointError
from . import choices, paths, surgery
from .document import ConfigDocument

MAX_GPUS = 1024
_FRAMEWORKS = {"vllm": "vllm", "vllm_ray": "vllm", "sglang": "sglang"}


def size_to_gpus(
    document: ConfigDocument, gpus: int, gpu_memory_gb: float, gpu_arch: str, notes: list[str]
) -> ConfigDocument:
    """The config with the smallest tensor parallelism that fits, and data parallelism over the other GPUs.

    Only where NEL's own serving command is used: a command of the user's has its own flags.

    Args:
        document: Not changed.
        gpus: GPUs of one node.
        gpu_memory_gb: Memory of one GPU, in GB; 0 leaves the layout as it is.
        gpu_arch: Such as "H100"; empty when not known.
        notes: Gets the arithmetic, or why nothing was set.

    Raises:
        BadInput: A negative number, or an unknown GPU.
    """
    if not 0 <= gpus <= MAX_GPUS or not 0 <= gpu_memory_gb <= 10_000:
        raise BadInput(
            f"gpus {gpus} and gpu_memory_gb {gpu_memory_gb:g} are out of range", fix="give those of one node"
        )
    gpu = serving.find_gpu(gpu_arch)
    framework = _FRAMEWORKS.get(choices.deployment(document), "")
    if not framework or not (gpus or gpu_arch):
        return document
    model = _served_model(document)
    try:
        source = resolve_model(model)
        record = detect(source)
        if record.quantized:
            notes.extend(serving.advise(record, framework, gpu).warnings)
        if record.gguf is not None or not gpus:
            return document
        facts = model_facts.from_config(read_config(source), source.path, record.missing_shards)
    except CheckpointError:
        notes.append("the parallelism was not worked out: the checkpoint's files are not on this machine")
        return document
    if "command" in (paths.dig(document.plain, "deployment") or {}):
        notes.append("deployment.command is your own: its parallelism flags were left as they are")
        return document
    layout = fit(facts, record.weights_bytes, record.kv_cache_algorithm, gpu_memory_gb, gpus)
    if not layout.tensor_parallel:
        notes.append(f"tensor_parallel_size was not set: {layout.because}")
        return document
    notes.append(f"parallelism: {layout.because}")
    document = surgery.set_value(document, "deployment.tensor_parallel_size", layout.tensor_parallel)
    return surgery.set_value(document, "deployment.data_parallel_size", layout.data_parallel)


def _served_model(document: ConfigDocument) -> str:
    for key in ("checkpoint_path", "hf_model_handle"):
        value = paths.dig(document.plain, "deployment", key)
        if isinstance(value, str) and value != "???":
            return value
    return ""
