"""Deployments and checkpoints that the tests of the deployment rules put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quantgate.evalconfig.lint import (
    Finding,
    check,
    loading,
    parallel_layout,
    quantized_serving,
    serving_command,
    serving_images,
)
from quantgate.evalconfig.lint import deployment as about_models
from quantgate.evalconfig.lint import thinking as about_thinking

from ..checkpoint.made import checkpoint as make
from .made import SLURM, write

MODULES = (
    about_models,
    serving_command,
    quantized_serving,
    serving_images,
    parallel_layout,
    loading,
    about_thinking,
)
OF_DEPLOYMENTS = {rule.id for module in MODULES for rule in module.RULES if rule.id.startswith("D")}
IMAGE = "vllm/vllm-openai:v0.11.0"
OWN = "vllm serve /checkpoint --served-model-name ${deployment.served_model_name} --port ${deployment.port}"
LAYER = "model.layers.0.mlp.up_proj.weight"
FP8: dict[str, Any] = {"quant_method": "modelopt", "quant_algo": "FP8"}
NVFP4: dict[str, Any] = {"quant_method": "modelopt", "quant_algo": "NVFP4"}
KV = {"kv_cache_scheme": {"num_bits": 8, "type": "float"}}
AWQ: dict[str, Any] = {"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}
THINKS = "{% if enable_thinking %}<think>{% endif %}{{ messages }}"
PARAMS = "        parallelism: 16\n"
ADAPTER = "    target: {api_endpoint: {adapter_config: %s}}\n"

SCALES = {f"{LAYER}_scale": ("F8_E4M3", (4, 1)), f"{LAYER}_scale_2": ("F32", ())}


def config(command: str = "", image: str = IMAGE, deploy: str = "", execute: str = "", evaluate: str = "") -> str:
    """A Slurm config; `command` is one of the user's own, `deploy`, `execute` and `evaluate` are lines of the sections."""
    text = SLURM.replace(IMAGE, image)
    lines = f"  command: >-\n    {command}\n" if command else ""
    lines += "".join(f"  {line}\n" for line in deploy.splitlines())
    text = text.replace("deployment:\n", f"deployment:\n{lines}", 1)
    text = text.replace("execution:\n", "execution:\n" + "".join(f"  {line}\n" for line in execute.splitlines()), 1)
    return text.replace("  nemo_evaluator_config:\n", f"  nemo_evaluator_config:\n{evaluate}", 1)


def of(directory: Path, text: str, *rules: str) -> list[Finding]:
    """What these rules (all of this file without a name) say."""
    wanted = set(rules) or OF_DEPLOYMENTS
    return [finding for finding in check(write(directory, text)).findings if finding.rule in wanted]


def model(directory: Path, quantization: Any = None, template: str = "", name: str = "m", **settings: Any) -> Path:
    """A checkpoint on this machine."""
    kinds = {"FP8": ("F8_E4M3", (4, 4)), "NVFP4": ("U8", (4, 4)), "W4A8_AWQ": ("U8", (4, 4))}
    tensor = kinds.get((quantization or {}).get("quant_algo"), ("BF16", (4, 4)))
    tensors = {LAYER: tensor} | (SCALES if quantization else {})
    path = make(directory / name, quantization, tensors, **settings)
    (path / "tokenizer.json").write_text("{}")
    if template:
        (path / "chat_template.jinja").write_text(template)
    return path


def served(text: str, path: Path) -> str:
    """The config with that checkpoint."""
    return text.replace("/shared/models/m-NVFP4", str(path))
