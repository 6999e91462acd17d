"""Whether a model fits: the smallest tensor parallelism, with the arithmetic shown.

Rule: weights / TP + KV cache of one sequence of full length + activations < memory x utilisation; TP is a power of
two that divides the attention heads and does not leave the node; DP = floor(GPUs / TP).
"""

from __future__ import annotations

from dataclasses import dataclass

from .model_facts import ModelFacts

GIB = 1024**3
UTILISATION = 0.9
"""vLLM's default --gpu-memory-utilization."""
ACTIVATIONS_GIB = 2.0
"""Allowance for activations and CUDA graphs: an assumption, named as such in the result."""


@dataclass(frozen=True)
class Fit:
    """A layout; `tensor_parallel` is 0 when nothing was asked, nothing is known, or nothing fits."""

    tensor_parallel: int
    data_parallel: int
    weights_gib_per_gpu: float
    because: str


def kv_bytes_per_token(facts: ModelFacts, kv_cache: str) -> float:
    """Bytes of KV cache per token over all layers.

    Grouped-query attention caches 2 x KV heads x head size values per layer, latent attention its latent width.
    """
    size = {"FP8": 1.0, "INT8": 1.0, "NVFP4": 0.5625}.get(kv_cache, 2.0)
    values = facts.mla_width or 2 * facts.kv_heads * facts.head_dim
    return facts.attention_layers * values * size


def fit(facts: ModelFacts, weights_bytes: int, kv_cache: str, gpu_memory_gb: float, gpus: int) -> Fit:
    """Find the smallest tensor parallelism that fits.

    Args:
        facts: The model's shape.
        weights_bytes: Size of the weights on disk, in bytes.
        kv_cache: The KV cache's algorithm, or empty for 16 bits.
        gpu_memory_gb: Memory of one GPU, as NVIDIA names it (80 for an H100): taken as GiB.
        gpus: GPUs of one node.
    """
    if gpu_memory_gb <= 0 or gpus <= 0:
        return Fit(0, 0, 0.0, "give gpu_memory_gb and gpus (of one node) to have this worked out")
    if not weights_bytes:
        return Fit(0, 0, 0.0, "there are no weights on disk to measure")
    weights = weights_bytes / GIB
    per_token = kv_bytes_per_token(facts, kv_cache)
    kv = per_token * facts.max_position_embeddings / GIB
    budget = gpu_memory_gb * UTILISATION
    allowance = min(ACTIVATIONS_GIB, budget * 0.1)
    tried = []
    tp = 1
    while tp <= gpus:
        if facts.heads and facts.heads % tp:
            tried.append(f"TP {tp} does not divide {facts.heads} heads")
        else:
            # Latent attention and KV heads fewer than TP are copied to every GPU.
            share = 1 if facts.mla_width else min(tp, facts.kv_heads or tp)
            need = weights / tp + kv / share + allowance
            line = (
                f"TP {tp}: {weights:.2f}/{tp} weights + {kv:.2f}/{share} KV + {allowance:.2f} activations (assumed) = "
                f"{need:.2f} GiB, budget {gpu_memory_gb:g} x {UTILISATION} = {budget:.2f}"
            )
            tried.append(line)
            if need < budget:
                tokens = facts.max_position_embeddings
                shape = f"KV {per_token:.0f} B/token x {tokens} tokens = {kv:.2f} GiB for one sequence"
                return Fit(
                    tp, gpus // tp, round(weights / tp, 3), f"{line}; {shape}; DP = floor({gpus}/{tp}) = {gpus // tp}"
                )
        tp *= 2
    return Fit(0, 0, round(weights / gpus, 3), f"does not fit on {gpus} GPUs at full context: " + "; ".join(tried[-3:]))
