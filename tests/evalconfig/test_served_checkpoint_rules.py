"""The rules about a deployment and its checkpoint together: each is broken by one pair and kept by a near miss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .made_deployments import (
    ADAPTER,
    AWQ,
    FP8,
    KV,
    LAYER,
    NVFP4,
    OF_DEPLOYMENTS,
    OWN,
    PARAMS,
    THINKS,
    config,
    model,
    of,
    served,
)
from .test_deployment_rules import WITHOUT_CHECKPOINT

_MORE: dict[str, Any] = {"num_attention_heads": 4, "num_key_value_heads": 2}
# rule, config, the checkpoint, path of the finding, severity, words
WITH_CHECKPOINT: list[tuple[str, str, dict[str, Any], str, str, str]] = [
    (
        "D06",
        config(OWN),
        {"auto_map": {"AutoConfig": "c.C"}, "model_type": "own"},
        "deployment.command",
        "error",
        "auto_map",
    ),
    ("D06", config(OWN), {"auto_map": {"AutoConfig": "c.C"}}, "deployment.command", "warning", "older image"),
    (
        "D06",
        config().replace("deployment: vllm", "deployment: sglang"),
        {"auto_map": {"A": "c.C"}, "model_type": "own"},
        "deployment.extra_args",
        "error",
        "--trust-remote-code",
    ),
    ("D08", config(), {"model_type": "qwen3_5"}, "deployment.image", "error", "v0.17.0"),
    ("D14", config(OWN), {"quantization": FP8 | KV}, "deployment.command", "warning", "--kv-cache-dtype fp8"),
    (
        "D14",
        config(f"{OWN} --kv-cache-dtype bfloat16"),
        {"quantization": FP8 | KV},
        "deployment.command",
        "warning",
        "bfloat16",
    ),
    (
        "D14",
        config(),
        {"quantization": FP8 | KV},
        "deployment.extra_args",
        "warning",
        "deployment.extra_args=--kv-cache-dtype fp8",
    ),
    (
        "D15",
        config(f"{OWN} --kv-cache-dtype=fp8_e4m3"),
        {"quantization": FP8},
        "deployment.command",
        "error",
        "records no KV",
    ),
    ("D15", config(f"{OWN} --kv-cache-dtype fp8"), {}, "deployment.command", "error", "records no KV"),
    ("D17", config(f"{OWN} --quantization modelopt"), {"quantization": FP8}, "deployment.command", "warning", "forced"),
    ("D18", config(OWN), {"quantization": AWQ}, "deployment.checkpoint_path", "error", "W4A8_AWQ"),
    ("D21", config(f"{OWN} -tp 2"), {"num_local_experts": 8}, "deployment.command", "warning", "8 experts"),
    ("D21", config(f"{OWN} --enable-expert-parallel"), {}, "deployment.command", "warning", "no experts"),
    ("D22", config(f"{OWN} --tensor-parallel-size 3"), _MORE, "deployment.command", "error", "4 attention heads"),
    ("D22", config(), _MORE, "deployment.tensor_parallel_size", "error", "Tensor parallelism 8"),
    ("D25", config(f"{OWN} --max-model-len 8192"), {}, "deployment.command", "error", "4096"),
    ("D25", config(deploy='extra_args: "--max-model-len 8K"'), {}, "deployment.extra_args", "error", "8192"),
    (
        "D26",
        config().replace(PARAMS, f"{PARAMS}        max_new_tokens: 4096\n"),
        {},
        "evaluation.nemo_evaluator_config.config.params.max_new_tokens",
        "error",
        "config.json",
    ),
    (
        "D27",
        config(OWN),
        {"model_type": "qwen3", "template": THINKS},
        "deployment.command",
        "error",
        "--reasoning-parser qwen3",
    ),
    (
        "D28",
        config(
            f"{OWN} --reasoning-parser qwen3",
            evaluate=ADAPTER % "{params_to_add: {chat_template_kwargs: {thinking: true}}}",
        ),
        {"model_type": "qwen3", "template": THINKS},
        "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config.params_to_add.chat_template_kwargs.thinking",
        "error",
        "enable_thinking",
    ),
]


@pytest.mark.parametrize(
    ("rule", "text", "settings", "path", "severity", "words"),
    WITH_CHECKPOINT,
    ids=[f"{row[0]}-{number}" for number, row in enumerate(WITH_CHECKPOINT)],
)
def test_a_deployment_that_does_not_suit_its_checkpoint_is_one_finding(
    tmp_path: Path, rule: str, text: str, settings: dict[str, Any], path: str, severity: str, words: str
) -> None:
    (found,) = of(tmp_path, served(text, model(tmp_path, **settings)), rule)
    assert (found.path, found.severity) == (path, severity)
    assert words in found.message + found.fix
    assert found.fix


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (config(f"{OWN} --trust-remote-code"), {"auto_map": {"A": "c.C"}, "model_type": "own"}),
        (config("${deployment.base_command}", deploy="tensor_parallel_size: 2"), {"auto_map": {"A": "c.C"}}),
        (config(OWN, image="vllm/vllm-openai:v0.17.0"), {"model_type": "qwen3_5"}),
        (config(OWN, image="my/vllm:v0.1.0"), {"model_type": "qwen3_5"}),
        (config(f"{OWN} --kv-cache-dtype fp8_e4m3"), {"quantization": FP8 | KV}),
        (config(f"{OWN} --kv-cache-dtype auto"), {"quantization": FP8}),
        (config(f"{OWN} --kv-cache-dtype fp8", image="vllm/vllm-openai:v0.33.0"), {"model_type": "deepseek_v32"}),
        (config(f"{OWN} -tp 2 --enable-expert-parallel"), {"num_local_experts": 8}),
        (config(OWN), {"num_local_experts": 8}),
        (config(f"{OWN} --tensor-parallel-size 4"), _MORE),
        (config(f"VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 {OWN} --max-model-len 8192"), {}),
        (config(f"{OWN} --max-model-len 8192", deploy="env_vars: {VLLM_ALLOW_LONG_MAX_MODEL_LEN: lit:1}"), {}),
        (config(f"{OWN} --max-model-len -1"), {}),
        (config(f"{OWN} --reasoning-parser qwen3"), {"model_type": "qwen3", "template": THINKS}),
        (
            config(OWN, evaluate=ADAPTER % "{process_reasoning_traces: true}"),
            {"model_type": "qwen3", "template": THINKS},
        ),
        (
            config(OWN, evaluate=ADAPTER % "{params_to_add: {chat_template_kwargs: {enable_thinking: false}}}"),
            {"model_type": "qwen3", "template": THINKS},
        ),
        (
            config(OWN).replace("nemo_skills.ns_mmlu_pro", "lm-evaluation-harness.hellaswag"),
            {"model_type": "qwen3", "template": THINKS},
        ),
    ],
)
def test_a_deployment_that_suits_its_checkpoint_breaks_no_rule(
    tmp_path: Path, text: str, settings: dict[str, Any]
) -> None:
    assert of(tmp_path, served(text, model(tmp_path, **settings))) == []


def large(directory: Path) -> Path:
    """A checkpoint whose header claims 300 GB, in a sparse file."""
    path = model(directory)
    size = 300 * 10**9
    header = json.dumps({LAYER: {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}).encode()
    with (path / "model.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    return path


def test_a_large_checkpoint_wants_threads_and_time(tmp_path: Path) -> None:
    path = large(tmp_path)
    (threads,) = of(tmp_path, served(config(OWN), path), "D30")
    assert (threads.severity, "300 GB" in threads.message) == ("warning", True)
    (wait,) = of(tmp_path, served(config(OWN, execute="endpoint_readiness_timeout: 300"), path), "D31")
    assert (wait.path, wait.severity) == ("execution.endpoint_readiness_timeout", "warning")
    assert "=1800'" in wait.fix
    threaded = OWN + """ --model-loader-extra-config '{"enable_multithread_load": true}'"""
    assert of(tmp_path, served(config(threaded, execute="endpoint_readiness_timeout: 1800"), path), "D30", "D31") == []
    assert of(tmp_path, served(config(OWN + " --load-format runai_streamer"), path), "D30", "D31") == []


def test_a_format_that_is_not_served_is_the_only_finding_about_it(tmp_path: Path) -> None:
    text = served(config(f"{OWN} --quantization modelopt"), model(tmp_path, AWQ))
    assert [found.rule for found in of(tmp_path, text)] == ["D18"]


def test_kernel_variables_of_the_card_are_asked_for_where_the_image_reads_them(tmp_path: Path) -> None:
    path = model(tmp_path, NVFP4, num_local_experts=8)
    (path / "README.md").write_text("Run it:\n```\nexport VLLM_USE_FLASHINFER_MOE_FP4=1 VLLM_API_KEY=x\n```\n")
    (found,) = of(tmp_path, served(config(OWN), path), "D19")
    assert (found.path, found.severity) == ("deployment.env_vars", "warning")
    assert "VLLM_USE_FLASHINFER_MOE_FP4" in found.message
    assert "VLLM_API_KEY" not in found.message
    given = config(OWN, deploy="env_vars: {VLLM_USE_FLASHINFER_MOE_FP4: lit:1}")
    assert of(tmp_path, served(given, path), "D19") == []
    assert of(tmp_path, served(config(OWN, image="vllm/vllm-openai:v0.33.0"), path), "D19") == []


def test_every_rule_about_deployments_is_broken_by_a_config() -> None:
    apart = {"D19", "D30", "D31"}  # in tests of their own
    broken = {row[0] for row in (*WITHOUT_CHECKPOINT, *WITH_CHECKPOINT)} | apart
    assert broken >= OF_DEPLOYMENTS


def test_a_server_that_takes_the_kv_cache_from_the_record_is_only_noted(tmp_path: Path) -> None:
    path = model(tmp_path, FP8 | KV)
    (found,) = of(tmp_path, served(config(OWN, image="vllm/vllm-openai:v0.33.0"), path), "D14")
    assert found.severity == "note"
    on_trtllm = config(deploy="tensor_parallel_size: 1").replace("deployment: vllm", "deployment: trtllm")
    assert of(tmp_path, served(on_trtllm, path), "D14") == []


def test_the_gpu_decides_whether_a_framework_serves_a_format(tmp_path: Path) -> None:
    text = config(deploy="tensor_parallel_size: 1").replace("deployment: vllm", "deployment: trtllm")
    text = served(text, model(tmp_path, NVFP4))
    assert of(tmp_path, text + "quantgate: {gpu_arch: B200}\n") == []
    (found,) = of(tmp_path, text + "quantgate: {gpu_arch: H100}\n")
    assert (found.rule, "sm_90" in found.message, "TensorRT" in found.fix) == ("D18", True, False)
