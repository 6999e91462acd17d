"""`detect_quantization` on 500 shards with 200,000 tensors against reading the same headers with plain json, in turn, in one run.

The checkpoint is a stand-in of the size of a large mixture of experts in NVFP4: real safetensors headers and a real index,
the weights being holes in sparse files. Asserts nothing: the ratio is what counts, absolute times are noise on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from quantgate.checkpoint.quantization import detect
from quantgate.checkpoint.source import resolve_model

ROUNDS = 7
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


def median(work: list[Callable[[], object]]) -> list[float]:
    """Median seconds of each, taken in turn."""
    times: list[list[float]] = [[] for _ in work]
    for _ in range(ROUNDS):
        for seconds, run in zip(times, work, strict=True):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
    return [statistics.median(seconds) for seconds in times]


def main() -> None:
    """Print the ratio for the size of the claim, and for a tenth of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=500)
    parser.add_argument("--tensors", type=int, default=200_000)
    arguments = parser.parse_args()
    print("shards  tensors  detect (s)  plain json (s)  ratio")
    for shards, tensors in ((arguments.shards // 10, arguments.tensors // 10), (arguments.shards, arguments.tensors)):
        with tempfile.TemporaryDirectory() as scratch:
            directory = Path(scratch) / "checkpoint"
            write_checkpoint(directory, shards, tensors)
            ours, theirs = median(
                [lambda d=directory: detect(resolve_model(str(d))), lambda d=directory: plain_json(d)]
            )  # type: ignore[misc]
        print(f"{shards:6d}  {tensors:7d}  {ours:10.3f}  {theirs:14.3f}  {ours / theirs:5.2f}")


if __name__ == "__main__":
    main()
