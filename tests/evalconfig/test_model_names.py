"""What a model's name decides while its files are elsewhere: warnings, each kept silent by a near miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.evalconfig.lint import check, model_names, serving_images

from .made import PROCESS, write
from .made_deployments import ADAPTER, OWN, config, model, of, served

NEW = "vllm/vllm-openai:v0.33.0"
KEY = ADAPTER % "{params_to_add: {chat_template_kwargs: {%s: true}}}"


def by_handle(name: str, command: str = OWN, **sections: str) -> str:
    """A config that serves a model of the hub."""
    command = command.replace("/checkpoint", "${deployment.hf_model_handle}")
    text = config(command, **{"image": NEW} | sections).replace("/shared/models/m-NVFP4", "null")
    return text.replace("hf_model_handle: null", f"hf_model_handle: {name}")


BROKEN = [
    ("D08", by_handle("openai/gpt-oss-120b", image="vllm/vllm-openai:v0.10.0"), "0.10.1"),
    ("D08", by_handle("Qwen/Qwen3-Next-80B-A3B-Instruct", image="vllm/vllm-openai:v0.10.1"), "0.10.2"),
    ("D17", by_handle("nvidia/Llama-3.1-8B-Instruct-FP8", f"{OWN} --quantization modelopt"), "--quantization"),
    ("D17", config(f"{OWN} --quantization modelopt_fp4"), "m-NVFP4"),
    ("D21", by_handle("Qwen/Qwen3-235B-A22B-Instruct-2507", f"{OWN} -tp 8"), "--enable-expert-parallel"),
    ("D21", by_handle("mistralai/Mixtral-8x7B-Instruct-v0.1", f"{OWN} -tp 2"), "--enable-expert-parallel"),
    ("D21", by_handle("deepseek-ai/DeepSeek-V3", f"{OWN} -tp 8"), "--enable-expert-parallel"),
    ("D22", by_handle("meta-llama/Llama-3.1-8B-Instruct", f"{OWN} -tp 3"), "32 attention heads"),
    ("D27", by_handle("deepseek-ai/DeepSeek-R1"), "--reasoning-parser deepseek_r1"),
    ("D27", by_handle("Qwen/QwQ-32B"), "deepseek_r1"),
    ("D27", by_handle("Qwen/Qwen3-4B-Thinking-2507"), "--reasoning-parser qwen3"),
    ("D27", by_handle("Qwen/Qwen3-8B"), "--reasoning-parser qwen3"),
    ("D27", config(OWN, image=NEW).replace("models/m-NVFP4", "deepseek-ai/DeepSeek-R1-0528"), "deepseek_r1"),
    (
        "D27",
        by_handle("openai/gpt-oss-20b", "python -m sglang.launch_server --model-path /checkpoint --port 8000"),
        "--reasoning-parser gpt-oss",
    ),
    ("D28", by_handle("Qwen/Qwen3.6-27B", evaluate=KEY % "thinking"), "write enable_thinking"),
    ("D28", by_handle("zai-org/GLM-5.1-FP8", evaluate=KEY % "thinking"), "write enable_thinking"),
    ("D28", by_handle("moonshotai/Kimi-K2.6", evaluate=KEY % "enable_thinking"), "write thinking"),
    ("D28", by_handle("deepseek-ai/DeepSeek-V3.2", evaluate=KEY % "enable_thinking"), "write thinking"),
    ("D31", by_handle("meta-llama/Llama-3.1-8B", execute="endpoint_readiness_timeout: 60"), "=1800"),
    ("D31", by_handle("deepseek-ai/DeepSeek-V3", execute="endpoint_readiness_timeout: 300"), "DeepSeek-V3"),
]

KEPT = [
    ("D08", by_handle("openai/gpt-oss-120b", image="vllm/vllm-openai:v0.10.1")),
    ("D17", by_handle("nvidia/Llama-3.1-8B-Instruct-FP8")),
    ("D17", by_handle("meta-llama/Llama-3.1-8B-Instruct", f"{OWN} --quantization fp8")),
    ("D21", by_handle("Qwen/Qwen3-235B-A22B-Instruct-2507", f"{OWN} -tp 8 --enable-expert-parallel")),
    ("D21", by_handle("Qwen/Qwen3-30B-A3B", OWN)),
    ("D21", by_handle("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", f"{OWN} -tp 8")),
    ("D22", by_handle("meta-llama/Llama-3.1-8B-Instruct", f"{OWN} -tp 4")),
    ("D27", by_handle("deepseek-ai/DeepSeek-R1", f"{OWN} --reasoning-parser deepseek_r1")),
    ("D27", by_handle("deepseek-ai/DeepSeek-R1", evaluate=ADAPTER % "{process_reasoning_traces: true}")),
    ("D27", by_handle("Qwen/Qwen3-8B", evaluate=(KEY % "enable_thinking").replace("true", "false"))),
    ("D27", by_handle("Qwen/Qwen3-30B-A3B-Instruct-2507")),
    ("D27", by_handle("Qwen/Qwen3-8B-Base")),
    ("D27", by_handle("openai/gpt-oss-20b")),
    ("D28", by_handle("Qwen/Qwen3.6-27B", evaluate=KEY % "enable_thinking")),
    ("D28", by_handle("deepseek-ai/DeepSeek-V3.2", evaluate=KEY % "thinking")),
    ("D28", by_handle("org/some-model", evaluate=KEY % "thinking")),
    ("D31", by_handle("meta-llama/Llama-3.2-3B", execute="endpoint_readiness_timeout: 60")),
    ("D31", by_handle("meta-llama/Llama-3.1-8B", execute="endpoint_readiness_timeout: 600")),
]


@pytest.mark.parametrize(("rule", "text", "words"), BROKEN)
def test_a_name_that_decides_a_rule_is_a_warning(tmp_path: Path, rule: str, text: str, words: str) -> None:
    (found,) = of(tmp_path, text, rule)
    assert found.severity == "warning"
    assert words in found.message + found.fix


@pytest.mark.parametrize(("rule", "text"), KEPT)
def test_a_name_that_decides_nothing_is_no_finding(tmp_path: Path, rule: str, text: str) -> None:
    assert of(tmp_path, text, rule) == []


@pytest.mark.parametrize(("key", "count"), [("thinking", 1), ("enable_thinking", 0)])
def test_the_thinking_key_of_an_endpoint_is_judged_by_its_model_id(tmp_path: Path, key: str, count: int) -> None:
    head, _, tail = PROCESS.partition("  nemo_evaluator_config:\n")
    text = f"{head}  nemo_evaluator_config:\n{KEY % key}{tail}"
    lines = ["    model_id: Qwen/Qwen3.6-27B" if "model_id:" in line else line for line in text.splitlines()]
    found = [each for each in check(write(tmp_path, "\n".join(lines) + "\n")).findings if each.rule == "D28"]
    assert [each.severity for each in found] == ["warning"] * count


def test_the_files_are_believed_and_not_the_name(tmp_path: Path) -> None:
    path = model(tmp_path, name="DeepSeek-R1-70B-A3B")
    text = served(config(f"{OWN} -tp 2", image=NEW, execute="endpoint_readiness_timeout: 61"), path)
    assert of(tmp_path, text, "D21", "D27", "D31") == []


def test_every_row_of_names_has_a_source_and_begins_where_a_name_does() -> None:
    table = model_names.table()
    rows = (*table.thinking_keys, *table.reasoning, *table.experts, *table.sizes)
    assert all(row.source and not model_names.matches(row.names, "some-model") for row in rows)
    assert not any(model_names.matches(row.names, "") for row in rows)
    assert sum(bool(row.names) for row in serving_images.table().minimum_versions) >= 10
