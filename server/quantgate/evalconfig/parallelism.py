"""The sizes of a deployment worked out: TP, PP and DP from the checkpoint and the GPUs of one node.

One node: TP the smallest that fits (`checkpoint.fit`), never across nodes; DP = floor(GPUs / TP). Several nodes for one
instance: TP within a node and PP over the nodes, as vLLM 0.33.0 advises (docs/serving/parallelism_scaling.md). There DP
is 1: data-parallel ranks that each span nodes need more than NEL's Ray script gives vLLM (`--data-parallel-backend ray`,
VLLM_RAY_DP_PACK_STRATEGY=span; docs/serving/data_parallel_deployment.md), and instances behind HAProxy do the same.
"""

from __future__ import annotations

import re

from ..checkpoint import serving
from ..checkpoint.fit import GIB, Fit, fit, refused
from ..checkpoint.inspection import Inspection, inspect_model
from ..errors import BadInput, CheckpointError
from . import capacity, choices, packaged, paths, serving_sizes, surgery
from .document import ConfigDocument
from .layout import read_layout
from .remote_checkpoint import readable_name
from .serving_sizes import Sizes

MAX_GPUS = 1024
_GRES = re.compile(r"gpu(?P<kind>:[\w.\-]+?)?:(?P<count>\d{1,4})")


def size_to_gpus(
    document: ConfigDocument, gpus: int, gpu_memory_gb: float, gpu_arch: str, notes: list[str]
) -> ConfigDocument:
    """The config with the sizes that suit the checkpoint, the GPUs and the layout, and what depends on them.

    Args:
        document: Not changed.
        gpus: GPUs of one node.
        gpu_memory_gb: Memory of one GPU, in GB; 0: what fits is not known, and one node's sizes are left.
        gpu_arch: Such as "H100"; empty when not known.
        notes: Gets the arithmetic, or why nothing was set.

    Raises:
        BadInput: A number out of range, or an unknown GPU.
    """
    if not 0 <= gpus <= MAX_GPUS or not 0 <= gpu_memory_gb <= 10_000:
        raise BadInput(
            f"gpus {gpus} and gpu_memory_gb {gpu_memory_gb:g} are out of range", fix="give those of one node"
        )
    gpu = serving.find_gpu(gpu_arch)
    framework = serving_sizes.framework(document)
    if not framework or not (gpus or gpu_arch):
        return document
    found = _inspected(document, notes)
    if found is not None and found.record.quantized:
        notes.extend(serving.advise(found.record, framework, gpu, found.facts).warnings)
    if not gpus or (found is not None and found.record.gguf is not None):
        return document
    document = _with_gres(document, gpus, notes)
    if serving_sizes.is_own_script(document):
        notes.append("deployment.command is a script of your own: its parallelism flags were left as they are")
        return document
    nodes = read_layout(document).nodes_per_instance
    answer = _fit(found, gpu_memory_gb, gpus, framework)
    sizes = _over_nodes(found, answer, gpus, nodes, notes) if nodes > 1 else _on_a_node(answer, notes)
    if sizes is None:
        return document
    document = _written(document, sizes, gpus * nodes, notes)
    return capacity.settle(document, notes)


def _inspected(document: ConfigDocument, notes: list[str]) -> Inspection | None:
    try:
        return inspect_model(readable_name(document.plain, _served_model(document)))
    except CheckpointError:
        notes.append("what fits was not worked out: the checkpoint's files are not on this machine")
        return None


def _served_model(document: ConfigDocument) -> str:
    for key in ("checkpoint_path", "hf_model_handle"):
        value = paths.dig(document.plain, "deployment", key)
        if isinstance(value, str) and value != "???":
            return value
    return ""


def _fit(found: Inspection | None, gpu_memory_gb: float, gpus: int, framework: str) -> Fit | None:
    if found is None:
        return None
    record = found.record
    return fit(found.facts, record.weights_bytes, record.kv_cache_algorithm, gpu_memory_gb, gpus, framework)


def _on_a_node(answer: Fit | None, notes: list[str]) -> Sizes | None:
    if answer is None:
        return None
    if not answer.tensor_parallel:
        notes.append(f"the sizes were not set: {answer.because}")
        if answer.nodes > 1:
            notes.append(f'on Slurm, layout="ray:{answer.nodes}" spreads one instance over {answer.nodes} nodes')
        return None
    notes.append(f"parallelism: {answer.because}")
    return Sizes(answer.tensor_parallel, 1, answer.data_parallel)


def _over_nodes(found: Inspection | None, answer: Fit | None, gpus: int, nodes: int, notes: list[str]) -> Sizes:
    """Whole nodes: the largest power of two as TP, because a smaller one would leave GPUs of the instance idle."""
    tensor = max(
        size
        for size in (2**power for power in range(gpus.bit_length()))
        if found is None or not refused(found.facts, size)
    )
    pipeline = nodes * gpus // tensor if gpus % tensor == 0 else nodes
    notes.append(
        f"parallelism: TP {tensor}, the largest power of two within a node of {gpus} GPUs that the model's heads allow; "
        f"PP = {nodes} nodes x {gpus} GPUs / TP {tensor} = {pipeline}; DP = floor({nodes * gpus}/({tensor} x {pipeline})) "
        f"= {nodes * gpus // (tensor * pipeline)}"
    )
    if found is not None and found.record.weights_bytes:
        weights = found.record.weights_bytes / GIB
        notes.append(
            f"{weights:.2f} GiB of weights / (TP {tensor} x PP {pipeline}) = {weights / tensor / pipeline:.2f} GiB on each GPU"
        )
    if answer is not None and answer.tensor_parallel:
        notes.append(
            f"one node is enough (TP {answer.tensor_parallel}): haproxy:{nodes} would give {nodes} independent servers "
            "instead of one slower one"
        )
    elif answer is not None and answer.nodes > nodes:
        notes.append(f"it does not fit: about {answer.nodes} nodes are needed for one instance; {answer.because}")
    elif answer is not None and 1 < answer.nodes <= nodes // 2:
        notes.append(
            f"about {answer.nodes} nodes hold one instance: combined:{nodes}x{nodes // answer.nodes} serves more"
        )
    return Sizes(tensor, pipeline, 1)


def _written(document: ConfigDocument, sizes: Sizes, available: int, notes: list[str]) -> ConfigDocument:
    old = serving_sizes.read(document)
    if serving_sizes.framework(document) == "trtllm" and sizes.data > 1:
        notes.append(
            f"trtllm-serve has no data parallelism: {available - sizes.tensor * sizes.pipeline} GPUs stay idle"
        )
        sizes = Sizes(sizes.tensor, sizes.pipeline, 1)
    if old != sizes and serving_sizes.command_path(document):
        notes.append(
            f"{serving_sizes.command_path(document)} had TP {old.tensor}, PP {old.pipeline}, DP {old.data}; "
            f"it now has TP {sizes.tensor}, PP {sizes.pipeline}, DP {sizes.data}"
        )
    return serving_sizes.write(document, sizes)


def gpus_left_idle(document: ConfigDocument, notes: list[str]) -> int:
    """GPUs of a node by `execution.gres`, where one instance over several nodes uses half of them or fewer; else 0.

    Args:
        document: With its layout.
        notes: Gets where the number is from.
    """
    nodes = read_layout(document).nodes_per_instance
    given = packaged.value(document, "execution", "gres")
    match = _GRES.fullmatch(given) if isinstance(given, str) else None
    if nodes < 2 or match is None or serving_sizes.is_own_script(document):
        return 0
    gpus, used = int(match["count"]), serving_sizes.read(document).gpus
    if not 0 < gpus <= MAX_GPUS or 2 * used > nodes * gpus:
        return 0
    notes.append(
        f"gpus was not given: execution.gres {given} says {gpus} GPUs a node, of which {used} in all were used"
    )
    return gpus


def _with_gres(document: ConfigDocument, gpus: int, notes: list[str]) -> ConfigDocument:
    """The config that asks Slurm for the node's GPUs; gres counts per node, so a layout does not change it."""
    if choices.executor(document) != "slurm":
        return document
    if paths.dig(document.plain, "execution", "gpus_per_node") not in (None, gpus):
        document = surgery.set_value(document, "execution.gpus_per_node", gpus)
    given = packaged.value(document, "execution", "gres")
    match = _GRES.fullmatch(given) if isinstance(given, str) else None
    if match is None or int(match["count"]) == gpus:
        return document
    wanted = f"gpu{match['kind'] or ''}:{gpus}"
    notes.append(f"execution.gres is {wanted} (was {given}): it counts the GPUs of one node")
    return surgery.set_value(document, "execution.gres", wanted)
