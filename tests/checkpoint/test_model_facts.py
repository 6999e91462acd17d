"""What a model is, from the configs that the main families publish; the figures are worked out by hand here."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantgate.checkpoint.headers.gguf import GgufHeader
from quantgate.checkpoint.model_facts import ModelFacts, from_config, from_gguf
from quantgate.checkpoint.shape.attention import KvGroup
from quantgate.checkpoint.shape.chat_template import template_marks
from quantgate.checkpoint.shape.kv_memory import IN_FLIGHT_TOKENS, kv_bytes_per_token, sequence_bytes
from quantgate.checkpoint.shape.text_settings import config_defaults
from quantgate.errors import CheckpointError

LLAMA_8B: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "rope_scaling": {"factor": 8.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
}
QWEN_72B: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "max_position_embeddings": 32768,
    "max_window_layers": 70,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn"},
}
DEEPSEEK_V3: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "hidden_size": 7168,
    "num_hidden_layers": 61,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "max_position_embeddings": 163840,
    "rope_scaling": {"factor": 40, "original_max_position_embeddings": 4096, "type": "yarn"},
}
PATTERN = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"
NEMOTRON_H: dict[str, Any] = {
    "model_type": "nemotron_h",
    "hidden_size": 4096,
    "num_hidden_layers": 52,
    "hybrid_override_pattern": PATTERN,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "attention_head_dim": 128,
    "mamba_num_heads": 128,
    "mamba_head_dim": 64,
    "n_groups": 8,
    "ssm_state_size": 128,
    "conv_kernel": 4,
    "max_position_embeddings": 8192,
}
JAMBA: dict[str, Any] = {
    "model_type": "jamba",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "attn_layer_period": 8,
    "attn_layer_offset": 4,
    "mamba_d_conv": 4,
    "mamba_d_state": 16,
    "mamba_expand": 2,
    "num_experts": 16,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 262144,
}
GPT_OSS_20B: dict[str, Any] = {
    "model_type": "gpt_oss",
    "hidden_size": 2880,
    "num_hidden_layers": 24,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "max_position_embeddings": 131072,
    "rope_scaling": {"factor": 32.0, "original_max_position_embeddings": 4096, "rope_type": "yarn"},
}
GEMMA_27B: dict[str, Any] = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "text_config": {
        "head_dim": 128,
        "hidden_size": 5376,
        "model_type": "gemma3_text",
        "num_attention_heads": 32,
        "num_hidden_layers": 62,
        "num_key_value_heads": 16,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
        "sliding_window": 1024,
    },
    "vision_config": {"hidden_size": 1152},
}


def facts(config: dict[str, Any], directory: Path) -> ModelFacts:
    return from_config(config, directory)


@pytest.mark.parametrize(
    ("config", "length", "says"),
    [
        (LLAMA_8B, 131072, "llama3 with factor 8: already in the recorded length"),
        (QWEN_72B, 32768, "for 131072 tokens max_position_embeddings itself must say so"),
        (DEEPSEEK_V3, 163840, "max_position_embeddings 163840 in config.json"),
        (NEMOTRON_H, 8192, "8192"),
        (GPT_OSS_20B, 131072, "yarn with factor 32"),
        (GEMMA_27B, 131072, "the default of Transformers 5.23.0's class"),
    ],
    ids=["llama", "qwen yarn", "deepseek", "nemotron-h", "gpt-oss", "gemma"],
)
def test_the_served_length_is_what_vllm_derives(tmp_path: Path, config: dict[str, Any], length: int, says: str) -> None:
    found = facts(config, tmp_path)
    assert found.served_length == length
    assert says in found.served_length_because


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        # The cases of vLLM 0.33.0 tests/test_config.py, and the old and nested spellings.
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 8192),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, 16384),
        ({"rope_scaling": {"type": "dynamic", "alpha": 1000.0, "factor": 1.0}}, 4096),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, 4096),
        ({"rope_parameters": {"rope_type": "deepseek_yarn", "factor": 40.0}}, 4096),
        ({"rope_parameters": {"full_attention": None, "sliding_attention": {"rope_type": "default"}}}, 4096),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}, "sliding_attention": None}},
            8192,
        ),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}, 4096),
        ({"rope_scaling": {"type": "su"}, "original_max_position_embeddings": 2048}, 2048),
        ({"rope_scaling": {"rope_type": "longrope"}}, 4096),
        ({"rope_scaling": {"type": "linear", "factor": None}}, 4096),
        ({"rope_scaling": {"type": "linear", "factor": "8"}}, 4096),
        ({"rope_scaling": {"type": "linear", "factor": float("nan")}}, 4096),
        ({"rope_scaling": {"type": "linear", "factor": -2}}, 4096),
        ({"rope_scaling": {"type": "linear", "factor": 1e9}}, 0),
        ({"rope_scaling": [1]}, 4096),
        ({"max_seq_len": 1024}, 1024),
        ({"model_max_length": 131072}, 131072),
        ({"sliding_window": 512}, 4096),
    ],
)
def test_rope_scaling_is_read_in_all_its_spellings(tmp_path: Path, fields: dict[str, Any], length: int) -> None:
    assert facts({"max_position_embeddings": 4096} | fields, tmp_path).served_length == length


def test_longrope_is_served_at_its_original_length_and_says_what_more_it_accepts(tmp_path: Path) -> None:
    rope = {"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}
    config = {"model_type": "phi3", "max_position_embeddings": 131072, "original_max_position_embeddings": 4096}
    found = facts(config | {"rope_scaling": rope}, tmp_path)
    assert (found.served_length, found.longest_length) == (4096, 131072)
    assert "up to 131072" in found.served_length_because


@pytest.mark.parametrize("value", [-1, 0, "4096", 2**62, 10**400, float("nan"), float("inf"), [4096], {}, None, True])
def test_a_hostile_length_is_not_recorded(tmp_path: Path, value: object) -> None:
    found = facts({"model_type": "llama", "max_position_embeddings": value}, tmp_path)
    assert (found.served_length, found.longest_length, found.max_position_embeddings) == (0, 0, 0)
    assert "not recorded" in found.served_length_because


def test_the_tokenizers_length_caps_pooling_models_alone(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}))
    pooling = {
        "architectures": ["XLMRobertaForSequenceClassification"],
        "max_position_embeddings": 514,
        "position_embedding_type": "absolute",
    }
    assert facts(pooling, tmp_path).served_length == 512
    assert facts(LLAMA_8B, tmp_path).served_length == 131072


@pytest.mark.parametrize(
    ("config", "layers", "attending", "per_token"),
    [
        (LLAMA_8B, 32, 32, 32 * 2 * 8 * 128 * 2),
        (QWEN_72B, 80, 80, 80 * 2 * 8 * 128 * 2),
        (DEEPSEEK_V3, 61, 61, 61 * (512 + 64) * 2),
        (NEMOTRON_H, 52, 4, 4 * 2 * 8 * 128 * 2),
        (JAMBA, 32, 4, 4 * 2 * 8 * 128 * 2),
        (GPT_OSS_20B, 24, 24, 24 * 2 * 8 * 64 * 2),
        (GEMMA_27B, 62, 62, 62 * 2 * 16 * 128 * 2),
        # Falcon 7B: one KV head of 64; 40B in its first config: 8 of them.
        (
            {"model_type": "falcon", "hidden_size": 4544, "num_attention_heads": 71, "num_hidden_layers": 32},
            32,
            32,
            8192,
        ),
        (
            {"model_type": "RefinedWeb", "hidden_size": 8192, "n_head": 128, "n_layer": 60, "n_head_kv": 8},
            60,
            60,
            122880,
        ),
        (
            {"model_type": "falcon", "new_decoder_architecture": True, "hidden_size": 8192, "num_hidden_layers": 60}
            | {"num_attention_heads": 128, "num_kv_heads": 8, "multi_query": True},
            60,
            60,
            60 * 2 * 8 * 64 * 2,
        ),
        (
            {"model_type": "chatglm", "hidden_size": 4096, "num_layers": 28, "num_attention_heads": 32}
            | {"kv_channels": 128, "multi_query_attention": True, "multi_query_group_num": 2, "seq_length": 32768},
            28,
            28,
            28 * 2 * 2 * 128 * 2,
        ),
        (
            {"model_type": "dbrx", "d_model": 6144, "n_heads": 48, "n_layers": 40, "attn_config": {"kv_n_heads": 8}},
            40,
            40,
            40 * 2 * 8 * 128 * 2,
        ),
        (
            {"model_type": "gpt2", "n_embd": 768, "n_head": 12, "n_layer": 12, "n_positions": 1024},
            12,
            12,
            12 * 2 * 768 * 2,
        ),
        (
            {"model_type": "bamba", "hidden_size": 4096, "num_hidden_layers": 32, "attn_layer_indices": [9, 18, 27]},
            32,
            3,
            3 * 2 * 8 * 128 * 2,
        ),
        (
            {
                "model_type": "lfm2",
                "hidden_size": 2048,
                "num_hidden_layers": 16,
                "full_attn_idxs": [2, 5, 8, 10, 12, 14],
            },
            16,
            6,
            6 * 2 * 8 * 64 * 2,
        ),
        (
            {"model_type": "qwen3_next", "num_hidden_layers": 48, "full_attention_interval": 4},
            48,
            12,
            12 * 2 * 2 * 256 * 2,
        ),
        ({"model_type": "zamba2", "layers_block_type": ["mamba", "hybrid", "mamba"]}, 3, 1, 2 * 32 * 160 * 2),
        (
            {"model_type": "granitemoehybrid", "hidden_size": 1536, "num_attention_heads": 12, "num_key_value_heads": 4}
            | {"layer_types": ["mamba", "mamba", "attention", "mamba"], "num_hidden_layers": 4},
            4,
            1,
            2 * 4 * 128 * 2,
        ),
        ({"model_type": "mamba2", "num_hidden_layers": 64}, 64, 0, 0),
        ({"model_type": "falcon_h1", "num_hidden_layers": 36}, 36, 36, 36 * 2 * 8 * 128 * 2),
        ({"model_type": "gemma3n_text", "num_hidden_layers": 35, "hidden_size": 2048}, 35, 20, 20 * 2 * 2 * 256 * 2),
        (
            {"model_type": "minicpm3", "hidden_size": 2560, "num_hidden_layers": 62, "num_attention_heads": 40}
            | {"kv_lora_rank": 256, "qk_rope_head_dim": 32},
            62,
            62,
            62 * 2 * 40 * 64 * 2,
        ),
    ],
    ids=lambda v: v.get("model_type") if isinstance(v, dict) else "",
)
def test_the_layers_that_cache_and_their_bytes_per_token(
    tmp_path: Path, config: dict[str, Any], layers: int, attending: int, per_token: int
) -> None:
    found = facts(config, tmp_path)
    assert (found.layers, found.attention_layers) == (layers, attending)
    assert kv_bytes_per_token(found, "") == per_token


def test_kimi_linear_counts_its_layers_from_one_and_keeps_a_latent(tmp_path: Path) -> None:
    linear = {"full_attn_layers": [4, 8], "kda_layers": [1, 2, 3, 5, 6, 7], "num_heads": 32, "head_dim": 128}
    config = {"model_type": "kimi_linear", "num_hidden_layers": 8, "num_attention_heads": 32, "hidden_size": 2304}
    latent = {"kv_lora_rank": 512, "qk_rope_head_dim": 64}
    found = facts(config | latent | {"linear_attn_config": linear | {"short_conv_kernel_size": 4}}, tmp_path)
    assert (found.attention_layers, found.mla_width, found.state_layers) == (2, 576, 6)
    # Per layer: a float32 state of 32 x 128 x 128, and 3 projections of 4096 values for 3 tokens in 16 bits.
    assert found.state_bytes == 6 * (32 * 128 * 128 * 4 + 3 * 4096 * 3 * 2)
    assert found.state_heads == 32


def test_the_state_of_mamba_layers_is_worked_out(tmp_path: Path) -> None:
    found = facts(NEMOTRON_H, tmp_path)
    assert found.state_layers == PATTERN.count("M") == 24
    # Mamba 2: a float32 state of 128 heads x 64 x 128, and 3 tokens of 8192 + 2 x 8 x 128 values in 16 bits.
    assert found.state_bytes == 24 * (128 * 64 * 128 * 4 + 3 * (8192 + 2 * 8 * 128) * 2)
    assert found.state_heads == 8
    jamba = facts(JAMBA, tmp_path)
    assert jamba.state_bytes == 28 * (8192 * 16 + 8192 * 3) * 2
    delta = facts({"model_type": "qwen3_next", "num_hidden_layers": 48}, tmp_path)
    assert delta.state_bytes == 36 * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128)) * 2


def windows(found: ModelFacts) -> dict[int, int]:
    """By window, the number of layers that keep no more than it."""
    made = Counter[int]()
    for group in found.kv_groups:
        made[group.window] += group.layers if group.window else 0
    return dict(+made)


def test_a_window_bounds_what_its_layers_keep(tmp_path: Path) -> None:
    found = facts(GPT_OSS_20B, tmp_path)
    assert windows(found) == {128: 12}
    layer = 2 * 8 * 64 * 2
    expected = 12 * layer * 131072 + 12 * layer * (127 + IN_FLIGHT_TOKENS)
    assert sequence_bytes(found, "", 131072) == expected
    assert sequence_bytes(found, "", 100) == 24 * layer * 100
    gemma = facts(GEMMA_27B, tmp_path)
    assert windows(gemma) == {1024: 52}
    assert windows(facts(QWEN_72B, tmp_path)) == {}
    on = facts(QWEN_72B | {"use_sliding_window": True}, tmp_path)
    assert windows(on) == {131072: 10}
    llama4 = {"model_type": "llama4_text", "num_hidden_layers": 48, "attention_chunk_size": 8192}
    assert windows(facts(llama4, tmp_path)) == {8192: 36}
    mistral = {"model_type": "mistral", "num_hidden_layers": 32, "sliding_window": None}
    assert windows(facts(mistral, tmp_path)) == {}
    assert windows(facts(mistral | {"sliding_window": 4096}, tmp_path)) == {4096: 32}


def test_layers_with_their_own_kv_heads_are_grouped(tmp_path: Path) -> None:
    def attention(group: int | None) -> dict[str, Any]:
        return {"attention": {"no_op": group is None, "n_heads_in_group": group, "replace_with_linear": False}}

    blocks = [attention(8), attention(None), attention(16), attention(8)]
    config = {"model_type": "nemotron-nas", "hidden_size": 8192, "num_attention_heads": 64, "num_hidden_layers": 4}
    found = facts(config | {"block_configs": blocks}, tmp_path)
    assert set(found.kv_groups) == {KvGroup(2, 8, 2 * 8 * 128), KvGroup(1, 4, 2 * 4 * 128)}
    listed = facts(
        {"num_attention_heads": [8, 12], "num_key_value_heads": [2, 4], "head_dim": 64} | {"num_hidden_layers": 2},
        tmp_path,
    )
    assert listed.heads == 4
    assert kv_bytes_per_token(listed, "") == 2 * (2 + 4) * 64 * 2


def test_sparse_attentions_index_keys_are_counted(tmp_path: Path) -> None:
    found = facts(DEEPSEEK_V3 | {"model_type": "deepseek_v32", "index_head_dim": 128}, tmp_path)
    assert kv_bytes_per_token(found, "FP8") == 61 * (576 + 128 + 4)


def test_experts_are_counted_where_they_are_recorded_and_never_assumed(tmp_path: Path) -> None:
    deepseek = facts(DEEPSEEK_V3, tmp_path)
    assert (deepseek.experts, deepseek.moe) == (256, True)
    dbrx = {"model_type": "dbrx", "ffn_config": {"moe_num_experts": 16, "moe_top_k": 4}}
    assert facts(dbrx, tmp_path).experts == 16
    assert facts({"moe_num_experts": [64, 64]}, tmp_path).experts == 64
    assert facts(NEMOTRON_H, tmp_path).moe is False
    assert all("experts" not in key for row in config_defaults().fields.values() for key in row)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: {"text_config": text},
        lambda text: {"llm_config": text},
        lambda text: {"language_config": text},
        lambda text: {"thinker_config": {"text_config": text, "audio_config": {"a": 1}}},
    ],
)
def test_a_nested_language_model_is_found(tmp_path: Path, wrap: Any) -> None:
    found = facts(wrap(LLAMA_8B) | {"model_type": "outer"}, tmp_path)
    assert (found.heads, found.kv_heads, found.layers, found.model_type) == (32, 8, 32, "outer")
    assert "in config.json: " in found.served_length_because


def test_an_omni_models_senses_are_found_in_its_thinker(tmp_path: Path) -> None:
    assert facts({"thinker_config": {"text_config": LLAMA_8B, "audio_config": {"a": 1}}}, tmp_path).multimodal


def test_what_a_config_leaves_out_is_its_classs_default(tmp_path: Path) -> None:
    text = {"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "sliding_window": 1024}
    found = facts({"model_type": "gemma3", "text_config": text}, tmp_path)
    assert (found.heads, found.kv_heads, found.head_dim, found.max_position_embeddings) == (8, 4, 256, 131072)


def test_every_default_is_what_the_class_says() -> None:
    table = config_defaults()
    assert "Transformers 5.23.0" in table.source
    assert table.fields["llama"]["max_position_embeddings"] == 2048
    assert len(table.fields) > 50


# ---- chat templates


@pytest.mark.parametrize(
    ("template", "reasoning", "tools", "switch"),
    [
        ("{% if tools %}{{ tools | tojson }}{% endif %}", False, True, ""),
        ("{%- set tools = none %}{{ tools }}", False, False, ""),
        ("{% if not tools is defined %}{% set tools = none %}{% endif %}{% if tools %}x{% endif %}", False, True, ""),
        ("{% for m in messages %}{% for c in m.tool_calls %}{{ c }}{% endfor %}{% endfor %}", False, False, ""),
        ("You have tools and are thinking about them. {{ messages[0].content }}", False, False, ""),
        ("{# if tools: enable_thinking <think> #}{{ messages }}", False, False, ""),
        ("{{ 'tools and enable_thinking' }}", False, False, ""),
        (
            "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>' }}{% endif %}",
            True,
            False,
            "enable_thinking",
        ),
        (
            "{%- if thinking is not defined %}{%- set thinking = false %}{%- endif %}{% if thinking %}x{% endif %}",
            True,
            False,
            "thinking",
        ),
        ("{% set thinking = message.thinking %}{{ thinking }}", False, False, ""),
        (
            "{% if not reasoning_effort is defined %}{% set reasoning_effort = 'medium' %}{% endif %}<|channel|>analysis",
            True,
            False,
            "reasoning_effort",
        ),
        ("{{ '<|start|>assistant<|channel|>analysis<|message|>' }}", True, False, ""),
        ("{{ '<|channel|>final' }}", False, False, ""),
        ("{% if m.reasoning_content is string %}{{ m.reasoning_content }}{% endif %}", True, False, ""),
        ("{% if m['reasoning_content'] %}x{% endif %}", True, False, ""),
        ("{{ content.split('</think>')[-1] }}", True, False, ""),
        ("{% if '/no_think' in messages[0].content %}x{% endif %}", True, False, "/no_think"),
        ("{% set ns = namespace(tools=none, enable_thinking=1) %}{{ ns.tools }}", False, False, ""),
        ("[THINK]{{ x }}[/THINK]", True, False, ""),
    ],
)
def test_a_template_is_judged_by_its_tags_not_its_prose(
    template: str, reasoning: bool, tools: bool, switch: str
) -> None:
    found = ModelFacts(chat_template=template)
    assert (found.reasoning, found.tool_calling, found.reasoning_switch) == (reasoning, tools, switch)


@pytest.mark.parametrize(
    "text",
    [
        "{%" * 1_000_000,
        "{{" + "'\\" * 700_000 + "}}",
        "{% set a=1 %}" * 100_000,
        "{{ a" + " " * 1_900_000 + "}}",
        "{{" + "[ " * 900_000,
    ],
    ids=["open tags", "open quote", "many tags", "spaces", "brackets"],
)
def test_a_hostile_template_is_judged_in_bounded_time(text: str) -> None:
    started = time.monotonic()
    assert template_marks(text).tools is False
    assert time.monotonic() - started < 10


def test_templates_are_found_in_each_of_their_files(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ plain }}"}))
    assert facts(LLAMA_8B, tmp_path).template_file == "tokenizer_config.json"
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": "{{ of_processor }}"}))
    assert facts(LLAMA_8B, tmp_path).template_file == "chat_template.json"
    (tmp_path / "chat_template.jinja").write_text("{{ newest }}")
    (tmp_path / "additional_chat_templates").mkdir()
    (tmp_path / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}")
    found = facts(LLAMA_8B, tmp_path)
    assert found.template_file == "chat_template.jinja"
    assert "{{ tools }}" in found.chat_template
    assert found.tool_calling is True


# ---- GGUF


def header(architecture: str, **settings_: Any) -> GgufHeader:
    metadata = {f"{architecture}.{key.replace('__', '.')}": value for key, value in settings_.items()}
    return GgufHeader(Path("m.gguf"), 0, 3, {"general.architecture": architecture} | metadata, (), 0)


def test_a_gguf_with_kv_heads_for_some_layers_is_a_hybrid() -> None:
    found = from_gguf(
        header(
            "nemotron_h",
            block_count=4,
            context_length=8192,
            embedding_length=4096,
            attention__head_count=(0, 32, 0, 0),
            attention__head_count_kv=(0, 8, 0, 0),
            attention__key_length=128,
            attention__value_length=128,
            ssm__conv_kernel=4,
            ssm__inner_size=8192,
            ssm__state_size=128,
            ssm__group_count=8,
        )
    )
    assert (found.layers, found.attention_layers, found.state_layers, found.heads, found.kv_heads) == (4, 1, 3, 32, 8)
    assert kv_bytes_per_token(found, "") == 2 * 8 * 128 * 2
    assert found.state_bytes == 3 * (3 * (8192 + 2 * 8 * 128) + 128 * 8192) * 4


def test_a_ggufs_window_and_latent_are_read() -> None:
    gemma = header("gemma3", block_count=12, attention__head_count=8, attention__head_count_kv=4)
    sized = {"gemma3.attention.key_length": 256, "gemma3.attention.sliding_window": 512, "gemma3.context_length": 32768}
    found = from_gguf(GgufHeader(gemma.path, 0, 3, dict(gemma.metadata) | sized, (), 0))
    assert (found.attention_layers, windows(found)) == (12, {512: 10})
    assert (found.served_length, found.served_length_because) == (32768, "context_length 32768 in m.gguf")
    latent = {"attention__kv_lora_rank": 512, "rope__dimension_count": 64, "attention__key_length_mla": 192}
    deepseek = from_gguf(
        header("deepseek2", block_count=61, attention__head_count=128, attention__head_count_kv=1, **latent)
    )
    assert (deepseek.mla_width, kv_bytes_per_token(deepseek, "")) == (576, 61 * 576 * 2)


def test_a_ggufs_context_has_its_rope_scaling_in_it_already() -> None:
    scaling = {"rope__scaling__type": "yarn", "rope__scaling__factor": 4.0, "context_length": 131072}
    found = from_gguf(header("qwen2", **scaling))
    assert found.served_length == 131072


# ---- anything at all

_KEYS = sorted(
    {key for row in config_defaults().fields.values() for key in row}
    | {"text_config", "thinker_config", "architectures", "rope_scaling", "rope_parameters", "layer_types"}
    | {"layers_block_type", "hybrid_override_pattern", "block_configs", "attn_type_list", "linear_attn_config"}
    | {"full_attn_layers", "attn_layer_indices", "full_attn_idxs", "factor", "type", "rope_type", "attn_config"}
    | {"sliding_window_pattern", "no_rope_layers", "num_experts", "ffn_config", "attention", "n_heads_in_group"}
    | {"hybrid_layer_pattern", "compress_ratios", "index_head_dim", "auto_map", "layer_group_size", "vision_config"}
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 1, 2, 7, 64, 4096, 2**31, 2**63, 10**400])
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["MM*-E", "LLLG", "yarn", "linear", "longrope", "full_attention", "sliding_attention", "mamba"])
)
_VALUES = st.recursive(
    _LEAVES, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), v, max_size=6), max_leaves=20
)
CONFIGS = st.builds(
    lambda config, kind: config | kind,
    st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=14),
    st.sampled_from([{}, *({"model_type": kind} for kind in sorted(config_defaults().fields))]),
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=CONFIGS)
def test_no_config_gives_another_error_or_an_impossible_number(tmp_path: Path, config: dict[str, Any]) -> None:
    try:
        found = facts(config, tmp_path)
    except CheckpointError:
        return
    numbers = (found.served_length, found.heads, found.kv_heads, found.head_dim, found.layers, found.experts)
    assert all(0 <= n <= 2**31 for n in numbers)
    assert found.attention_layers <= found.layers <= 4096
    assert found.served_length <= found.longest_length
    assert found.state_bytes >= 0
    assert all(group.layers > 0 and group.values > 0 for group in found.kv_groups)


_GGUF = st.none() | st.integers() | st.floats() | st.text(max_size=3) | st.booleans()
_GGUF_KEYS = [
    *("block_count", "context_length", "embedding_length", "full_attention_interval", "expert_count"),
    *(f"attention.{key}" for key in ("head_count", "head_count_kv", "sliding_window", "sliding_window_pattern")),
    *(f"attention.{key}" for key in ("key_length_mla", "kv_lora_rank", "shared_kv_layers")),
    *("ssm.conv_kernel", "ssm.inner_size", "ssm.state_size", "rope.scaling.factor"),
]


@settings(max_examples=300, deadline=None)
@given(
    metadata=st.dictionaries(
        st.sampled_from([f"gemma3.{key}" for key in _GGUF_KEYS]), _GGUF | st.lists(_GGUF, max_size=5).map(tuple)
    )
)
def test_no_gguf_header_gives_an_error_or_an_impossible_number(metadata: dict[str, Any]) -> None:
    found = from_gguf(GgufHeader(Path("m.gguf"), 0, 3, {"general.architecture": "gemma3"} | metadata, (), 0))
    assert found.attention_layers <= found.layers <= 4096
    assert 0 <= found.served_length <= 2**31


def test_a_template_directory_with_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "additional_chat_templates").mkdir()
    os.mkfifo(tmp_path / "additional_chat_templates" / "x.jinja")
    with pytest.raises(CheckpointError, match="not a regular file"):
        facts(LLAMA_8B, tmp_path)


@pytest.mark.parametrize(
    ("files", "has"),
    [
        (("tokenizer_config.json",), False),
        (("vocab.json",), False),
        (("vocab.json", "merges.txt"), True),
        (("tokenizer.json",), True),
        (("tekken.json",), True),
    ],
)
def test_a_tokenizer_is_its_vocabulary_not_its_settings(tmp_path: Path, files: tuple[str, ...], has: bool) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    assert from_config({}, tmp_path).no_tokenizer is not has
