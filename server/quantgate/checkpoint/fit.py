"""Whether a model fits on a node: the smallest tensor parallelism, with the arithmetic shown.

Rule: weights / TP + one sequence of the served length + activations < memory x utilisation; DP = floor(GPUs / TP). TP
follows vLLM 0.33.0: it divides the attention heads (vllm/config/model.py `verify_with_parallel_config`), it divides the
KV heads or is a multiple of them (model_executor/models/llama.py), and it divides the heads of recurrent layers
(layers/mamba/mamba_mixer2.py). A TP that leaves GPUs of the node idle is taken only where no other fits, and one that is
no power of two only where no power of two fits: the widths of the layers, which are not read here, must divide by it too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from .model_facts import ModelFacts
from .shape.kv_memory import groups_of, kv_bytes_per_token, sequence_bytes

GIB = 1024**3
UTILISATION = 0.92
"""vLLM 0.33.0's default --gpu-memory-utilization (vllm/config/cache.py)."""
ACTIVATIONS_GIB = 2.0
"""Allowance for activations and CUDA graphs: an assumption, named as such in the result."""
MAX_GPUS = 1024
_LENGTH_STEP = 1024


@dataclass(frozen=True)
class Fit:
    """A layout; `tensor_parallel` is 0 when nothing was asked, nothing is known, or nothing fits.

    Attributes:
        weights_gib_per_gpu: With `tensor_parallel`; over all GPUs when nothing fits.
        kv_gib_per_gpu: KV cache and state of one sequence of the served length.
        kv_tokens: Tokens of KV cache that one of the `data_parallel` servers has room for.
        shorter_context: A --max-model-len that would fit on the node where the served length does not; else 0.
        nodes: Nodes of this kind that would hold the served length, roughly, where one does not; else 0.
    """

    tensor_parallel: int
    data_parallel: int
    weights_gib_per_gpu: float
    because: str
    kv_gib_per_gpu: float = 0.0
    kv_tokens: int = 0
    shorter_context: int = 0
    nodes: int = 0


@dataclass(frozen=True)
class _Room:
    """The question: a model, its weights in GiB, and what one GPU gives."""

    facts: ModelFacts
    weights: float
    kv_cache: str
    memory_gb: float
    length: int
    framework: str = "vllm"

    @property
    def budget(self) -> float:
        return self.memory_gb * 1e9 / GIB * UTILISATION

    @property
    def allowance(self) -> float:
        return min(ACTIVATIONS_GIB, self.budget * 0.1)

    def sequence(self, tp: int, tokens: int = 0) -> float:
        """GiB of one sequence on one GPU."""
        return sequence_bytes(self.facts, self.kv_cache, tokens or self.length, tp) / GIB

    def need(self, tp: int, tokens: int = 0) -> float:
        """GiB of one GPU."""
        return self.weights / tp + self.sequence(tp, tokens) + self.allowance

    def line(self, tp: int) -> str:
        """The sum for one TP."""
        whole, own = self.sequence(1), self.sequence(tp)
        share = f"{whole / own:.3g}" if own else "1"
        return (
            f"TP {tp}: {self.weights:.2f}/{tp} weights + {whole:.2f}/{share} KV + {self.allowance:.2f} activations "
            f"(assumed) = {self.need(tp):.2f} GiB, budget {self.budget:.2f}"
        )


def fit(
    facts: ModelFacts, weights_bytes: int, kv_cache: str, gpu_memory_gb: float, gpus: int, framework: str = "vllm"
) -> Fit:
    """Find the smallest tensor parallelism that fits.

    Args:
        facts: The model's shape.
        weights_bytes: Size of the weights on disk, in bytes.
        kv_cache: The KV cache's algorithm, or empty for 16 bits.
        gpu_memory_gb: Memory of one GPU in GB, 10^9 bytes. The name's number (80 for an H100) is on the safe side:
            nvidia-smi shows 81559 MiB there, which is 85.5 GB.
        gpus: GPUs of one node; at most 1024 are believed.
        framework: What serves. The share of the memory is vLLM's default for every one, and the reasons say so.
    """
    if not 1 <= gpu_memory_gb < 1e6 or gpus <= 0:  # NaN is in no range
        return Fit(0, 0, 0.0, "give gpu_memory_gb and gpus (of one node) to have this worked out")
    if weights_bytes <= 0:
        return Fit(0, 0, 0.0, "there are no weights on disk to measure")
    gpus = min(gpus, MAX_GPUS)
    length = facts.served_length or facts.max_position_embeddings
    room = _Room(facts, weights_bytes / GIB, kv_cache, gpu_memory_gb, length, framework)
    allowed = [tp for tp in range(1, gpus + 1) if not _left_out(facts, tp)]
    for tp in sorted(allowed, key=lambda n: (gpus % n != 0, not _power_of_two(n), n)):
        if room.need(tp) < room.budget:
            return _found(room, tp, gpus)
    return _not_found(room, allowed, gpus)


def _power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


def refused(facts: ModelFacts, tp: int) -> str:
    """Why vLLM would not start with this TP; empty when it would."""
    if facts.heads and facts.heads % tp:
        return f"does not divide {facts.heads} attention heads"
    for heads in sorted({group.kv_heads for group in groups_of(facts) if group.kv_heads}):
        if heads % tp and tp % heads:
            return f"neither divides {heads} KV heads nor is a multiple of them"
    if facts.state_heads and facts.state_heads % tp:
        return f"does not divide {facts.state_heads} heads of the recurrent layers"
    return ""


def _left_out(facts: ModelFacts, tp: int) -> str:
    """Why a TP is not proposed; empty when it may be."""
    if not facts.heads and not facts.state_heads and not _power_of_two(tp):
        return "is no power of two, and the heads are not recorded"
    return refused(facts, tp)


def _found(room: _Room, tp: int, gpus: int) -> Fit:
    facts, dp = room.facts, gpus // tp
    own = room.sequence(tp)
    free = room.budget - room.weights / tp - room.allowance
    sequences = free / own if own else 0.0
    parts = [room.line(tp), _memory(room), *_shape(room), f"DP = floor({gpus}/{tp}) = {dp}"]
    if own:
        parts.append(
            f"({free:.2f} free) / {own:.2f} = {sequences:.1f} sequences of full length at once on each, more wait"
        )
    if idle := gpus - tp * dp:
        parts.append(f"{idle} of {gpus} GPUs stay idle: no TP that uses all fits")
    parts.extend(_notes(facts, tp, dp))
    return Fit(
        tp,
        dp,
        round(room.weights / tp, 3),
        "; ".join(parts),
        kv_gib_per_gpu=round(own, 3),
        kv_tokens=int(sequences * room.length),
    )


def _memory(room: _Room) -> str:
    share = "vLLM 0.33.0's default utilisation"
    if room.framework != "vllm":
        share += f", taken for {room.framework} too, which shares the memory out in its own way"
    return f"budget = {room.memory_gb:g} GB (10^9 bytes; give nvidia-smi's figure to be exact) x {UTILISATION}, {share}"


def _shape(room: _Room) -> list[str]:
    """One sequence, in words."""
    facts = room.facts
    if not room.length:
        return ["no context length is recorded: KV not counted"]
    parts = []
    if groups := groups_of(facts):
        per_token = kv_bytes_per_token(facts, room.kv_cache)
        text = f"KV {per_token:.0f} B/token x {room.length} tokens"
        if windowed := sum(group.layers for group in groups if group.window):
            text += f" ({windowed} of {facts.attention_layers} layers keep only their window and the running batch)"
        parts.append(f"{text}; one sequence is {room.sequence(1):.2f} GiB")
    elif not facts.state_layers:
        parts.append("layers or heads are not recorded: KV not counted")
    if facts.state_bytes:
        parts.append(f"{facts.state_bytes / GIB:.3f} GiB of it is the state of {facts.state_layers} layers")
    elif facts.state_layers:
        parts.append(f"the state of {facts.state_layers} layers is not counted: its sizes are not recorded")
    return parts


def _notes(facts: ModelFacts, tp: int, dp: int) -> list[str]:
    notes = []
    if not _power_of_two(tp):
        notes.append(f"TP {tp} is no power of two: the widths of all layers must divide by it too; not checked")
    few = [group.kv_heads for group in groups_of(facts) if 0 < group.kv_heads < tp]
    if few:
        notes.append(f"{min(few)} KV heads are fewer than TP {tp}: copied")
    if facts.moe and tp * dp > 1:
        whole = "" if facts.experts % (tp * dp) == 0 else " (not evenly)"
        notes.append(
            f"{facts.experts} experts: with --data-parallel-size vLLM splits them over TP x DP = {tp * dp} GPUs, with "
            f"--enable-expert-parallel as whole experts{whole}"
        )
    return notes


def _not_found(room: _Room, allowed: list[int], gpus: int) -> Fit:
    parts = [f"does not fit on {gpus} GPUs at {room.length} tokens" if room.length else f"does not fit on {gpus} GPUs"]
    # TP 1 is always allowed. Of the others the one with the least need is the best that the node can do.
    best = min(allowed, key=room.need)
    parts.append(room.line(best))
    refused = [f"TP {tp} {why}" for tp in range(2, gpus + 1) if gpus % tp == 0 and (why := _left_out(room.facts, tp))]
    parts.extend(refused[-3:])
    shorter = _shorter(room, best)
    if shorter:
        parts.append(f"with --max-model-len {shorter} TP {best} fits ({room.need(best, shorter):.2f} GiB)")
    nodes = _nodes(room, best)
    if nodes:
        parts.append(f"about {nodes} such nodes (TP {best}, pipeline over {nodes}) hold it at full length")
    parts += [_memory(room), *_shape(room)]
    weights = round(room.weights / gpus, 3)
    return Fit(0, 0, weights, "; ".join(parts), round(room.sequence(best), 3), shorter_context=shorter, nodes=nodes)


def _shorter(room: _Room, tp: int) -> int:
    """The longest context that fits, down to a multiple of 1024; 0 when not even 1024 tokens fit."""
    low, high = 0, room.length // _LENGTH_STEP
    while low < high:
        middle = (low + high + 1) // 2
        if room.need(tp, middle * _LENGTH_STEP) < room.budget:
            low = middle
        else:
            high = middle - 1
    return low * _LENGTH_STEP


def _nodes(room: _Room, tp: int) -> int:
    """Nodes when a pipeline splits the layers over them: weights and KV shrink, the allowance does not."""
    free = room.budget - room.allowance
    return max(2, ceil((room.weights / tp + room.sequence(tp)) / free))
