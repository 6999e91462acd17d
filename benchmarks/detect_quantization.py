"""`detect_quantization` on 500 shards with 200,000 tensors against reading the same headers with plain json.

The checkpoint is a stand-in of the size of a large mixture of experts in NVFP4: real safetensors headers and a real index,
the weights being holes in sparse files.
"""

from __future__ import annotations

import json
import statistics
import struct
import tempfile
from functools import partial
from pathlib import Path

from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model

from .measured import Effort, Growth, Point, Result, compared, in_turn, timed

SHARDS, TENSORS = 500, 200_000
EXPERTS = 256
HIDDEN, INTERMEDIATE = 7168, 2048
CONFIG = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "model_type": "deepseek_v3",
    "torch_dtype": "bfloat16",
    "hidden_size": HIDDEN,
    "num_attention_heads": 128,
    "num_hidden_layers": 61,
    "n_routed_experts": EXPERTS,
    "max_position_embeddings": 163840,
    "quantization_config": {
        "quant_method": "modelopt",
        "quant_algo": "NVFP4",
        "ignore": ["lm_head", "model.embed_tokens"],
        "producer": {"name": "modelopt", "version": "0.47.0"},
        "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "float", "group_size": 16}}},
    },
}


def names(tensors: int) -> list[tuple[str, str, list[int]]]:
    """Tensors as (name, dtype, shape): projections of experts in NVFP4, four tensors each, layer after layer."""
    made: list[tuple[str, str, list[int]]] = [("model.embed_tokens.weight", "BF16", [1024, HIDDEN])]
    made.append(("lm_head.weight", "BF16", [1024, HIDDEN]))
    number = 0
    while len(made) < tensors:
        layer, rest = divmod(number, EXPERTS * 3)
        expert, part = divmod(rest, 3)
        name = f"model.layers.{layer}.mlp.experts.{expert}.{('up_proj', 'gate_proj', 'down_proj')[part]}"
        rows, columns = (HIDDEN, INTERMEDIATE) if part == 2 else (INTERMEDIATE, HIDDEN)
        made.append((f"{name}.weight", "U8", [rows, columns // 2]))
        made.append((f"{name}.weight_scale", "F8_E4M3", [rows, columns // 16]))
        made.append((f"{name}.weight_scale_2", "F32", []))
        made.append((f"{name}.input_scale", "F32", []))
        number += 1
    return made[:tensors]


def write_checkpoint(directory: Path, shards: int, tensors: int) -> None:
    """Write the stand-in: `shards` sparse files that hold `tensors` tensors together."""
    sizes = {"U8": 1, "F8_E4M3": 1, "F32": 4, "BF16": 2}
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    described, weight_map = names(tensors), {}
    per_shard = -(-len(described) // shards)
    for shard in range(shards):
        file_name = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        header: dict[str, object] = {"__metadata__": {"format": "pt"}}
        at = 0
        for name, dtype, shape in described[shard * per_shard : (shard + 1) * per_shard]:
            size = sizes[dtype]
            for n in shape:
                size *= n
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
            weight_map[name] = file_name
            at += size
        text = json.dumps(header).encode()
        with (directory / file_name).open("wb") as stream:
            stream.write(struct.pack("<Q", len(text)) + text)
            stream.truncate(8 + len(text) + at)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")


def plain_json(directory: Path) -> int:
    """What a user would do instead: read every header with json; the index, which `detect` reads too, is left out."""
    count = 0
    for path in sorted(directory.glob("*.safetensors")):
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            count += len(json.loads(stream.read(length))) - 1
    return count


def ours(directory: Path) -> object:
    """What is measured."""
    return detect(resolve_model(str(directory)))


def measure(effort: Effort) -> Result:
    """A row for the largest, and the growth."""
    shards, tensors, points = effort.size(SHARDS, 100), effort.size(TENSORS, 20_000), []
    for part in (100, 10, 1):
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch) / "checkpoint"
            write_checkpoint(directory, shards // part, tensors // part)
            sides = timed(partial(ours, directory), partial(plain_json, directory))
            sides[0]()
            rounds = in_turn(sides, effort.rounds(7))
        mine, plain = (statistics.median(column) for column in zip(*rounds, strict=True))
        label = f"{shards // part} ({tensors // part:,} tensors)"
        points.append(Point(label, shards / part, {"detect_quantization": mine, "plain json": plain}))
    what = f"detect_quantization of {shards} shards with {tensors:,} tensors"
    row = compared("shards", what, "json of the same headers, and nothing else", rounds)
    growth = Growth("shards", "detect_quantization", "shards of the checkpoint", "s", tuple(points))
    return Result((row,), (growth,))
