"""Flags per framework with their reasons, and parsers by family and by the chat template's marks."""

from __future__ import annotations

import pytest

from quantgate.checkpoint import tables
from quantgate.checkpoint.flags import TENSOR_PARALLEL
from quantgate.checkpoint.model_facts import ModelFacts
from quantgate.checkpoint.parsers import reasoning_parser, tool_parser
from quantgate.checkpoint.quantization_record import QuantizationRecord
from quantgate.checkpoint.record.recorded import Evidence
from quantgate.checkpoint.serving import Flag, serving_flags, serving_warnings

RECORD = QuantizationRecord(
    True,
    "modelopt",
    "NVFP4",
    kv_cache_algorithm="FP8",
    evidence=(Evidence("hf_quant_config.json", "quantization.kv_cache_quant_algo", '"FP8"'),),
)
HYBRID = "{% if tools %}<tool_call>{% endif %}{% if enable_thinking is defined %}<think>{% endif %}"
MODEL = ModelFacts(
    model_type="qwen3_moe",
    served_length=40960,
    served_length_because="max_position_embeddings 40960 in config.json",
    experts=8,
    needs_trust_remote_code=True,
    chat_template=HYBRID,
    template_file="chat_template.jinja",
    generation_defaults={"temperature": 0.6, "do_sample": True},
)


def by_name(framework: str, facts: ModelFacts = MODEL, tensor_parallel: int = 0) -> dict[str, Flag]:
    return {f.flag: f for f in serving_flags(facts, RECORD, framework, tensor_parallel)}


def of(model_type: str, template: str) -> ModelFacts:
    return ModelFacts(model_type=model_type, chat_template=template, template_file="chat_template.jinja")


def test_vllm_gets_its_flags_each_with_the_file_it_comes_from() -> None:
    flags = by_name("vllm")
    assert {name: flag.value for name, flag in flags.items()} == {
        "--max-model-len": "40960",
        "--trust-remote-code": "",
        "--kv-cache-dtype": "fp8",
        "--enable-expert-parallel": "",
        "--reasoning-parser": "qwen3",
        "--enable-auto-tool-choice": "",
        "--tool-call-parser": "hermes",
        "--generation-config": "auto",
    }
    assert "config.json" in flags["--max-model-len"].because
    assert "hf_quant_config.json" in flags["--kv-cache-dtype"].because
    assert "chat_template.jinja" in flags["--reasoning-parser"].because
    assert "vLLM 0.33.0" in flags["--reasoning-parser"].because
    assert "temperature 0.6 from generation_config.json" in flags["--generation-config"].because
    assert "--generation-config vllm" in flags["--generation-config"].because


def test_sglang_gets_its_own_names_and_values() -> None:
    assert {name: flag.value for name, flag in by_name("sglang", tensor_parallel=4).items()} == {
        "--context-length": "40960",
        "--trust-remote-code": "",
        "--kv-cache-dtype": "fp8_e4m3",
        "--ep-size": "4",
        "--reasoning-parser": "qwen3",
        "--tool-call-parser": "qwen",
        "--sampling-defaults": "model",
    }


def test_tensorrt_llm_gets_its_own_names_and_values() -> None:
    assert {name: flag.value for name, flag in by_name("trtllm", tensor_parallel=4).items()} == {
        "--max_seq_len": "40960",
        "--trust_remote_code": "",
        "--kv_cache_dtype": "fp8",
        "--moe_expert_parallel_size": "4",
        "--reasoning_parser": "qwen3",
        "--tool_parser": "qwen3",
    }


def test_a_nim_gets_environment_variables_and_vllms_flags_in_one_of_them() -> None:
    flags = by_name("nim")
    assert set(flags) == {"NIM_MAX_MODEL_LEN", "NIM_PASSTHROUGH_ARGS"}
    passed = flags["NIM_PASSTHROUGH_ARGS"].value
    assert "--kv-cache-dtype fp8" in passed
    assert "--enable-auto-tool-choice --tool-call-parser hermes" in passed
    assert "brings its own serving" in flags["NIM_PASSTHROUGH_ARGS"].because


def test_a_size_that_the_layout_decides_is_left_to_it_and_one_gpu_has_no_expert_parallelism() -> None:
    assert by_name("sglang")["--ep-size"].value == TENSOR_PARALLEL
    assert "--ep-size" not in by_name("sglang", tensor_parallel=1)
    assert "--enable-expert-parallel" not in by_name("vllm", tensor_parallel=1)


def test_a_nvfp4_kv_cache_with_latent_attention_is_a_warning_on_vllm() -> None:
    record = QuantizationRecord(True, "modelopt", "NVFP4", kv_cache_algorithm="NVFP4")
    latent, plain = ModelFacts(mla_width=576), ModelFacts()
    assert not serving_flags(latent, record)
    assert any("latent" in w for w in serving_warnings(latent, record))
    assert [f.value for f in serving_flags(plain, record)] == ["nvfp4"]
    assert serving_warnings(plain, record) == []


def test_max_new_tokens_of_the_generation_config_is_a_limit_on_vllm_and_not_on_sglang() -> None:
    facts = ModelFacts(generation_defaults={"max_new_tokens": 2048})
    assert any("limit of every answer" in w for w in serving_warnings(facts, RECORD, "vllm"))
    assert serving_warnings(facts, RECORD, "sglang") == []


def test_generation_defaults_that_the_server_does_not_take_make_no_flag() -> None:
    assert "--generation-config" not in by_name("vllm", ModelFacts(generation_defaults={"do_sample": True}))


@pytest.mark.parametrize(
    ("model_type", "template", "vllm", "sglang", "trtllm"),
    [
        ("qwen3", "{% if enable_thinking %}<think>{% endif %}", "qwen3", "qwen3", "qwen3"),
        ("qwen3", "<think>", "qwen3", "qwen3-thinking", "deepseek-r1"),
        ("qwen3_5", "enable_thinking {{- '<think>\\n' }}", "qwen3", "qwen3", "qwen3_5"),
        ("qwen3", "{{ messages }}", "", "", ""),
        ("qwen2", "{{ '<think>' }}", "deepseek_r1", "deepseek-r1", ""),
        ("llama", "{% set c = c.split('</think>') %}", "deepseek_r1", "deepseek-r1", ""),
        ("llama", "detailed thinking on </think>", "", "", ""),
        ("deepseek_v3", "{% if not thinking is defined %}<think>", "deepseek_v3", "deepseek-v3", ""),
        ("deepseek_v3", "<｜Assistant｜><think>", "deepseek_r1", "deepseek-r1", "deepseek-r1"),
        ("deepseek_v32", "", "deepseek_v3", "deepseek-v3", ""),
        ("gpt_oss", "<|channel|>", "openai_gptoss", "gpt-oss", ""),
        ("nemotron_h", "truncate_history_thinking enable_thinking", "nemotron_v3", "nemotron_3", "nemotron-v3"),
        ("kimi_k2", "<|tool_calls_section_begin|> <think>", "kimi_k2", "kimi_k2", "kimi_k2"),
        ("kimi_k2", "<|tool_calls_section_begin|>", "", "", ""),
        ("minimax_m2", "<minimax:tool_call> <think>", "minimax_m2", "minimax", "minimax_m2"),
        ("glm4_moe", "[gMASK]<sop> enable_thinking", "glm45", "glm45", ""),
        ("mistral3", "[THINK]", "mistral", "mistral", ""),
        ("unheard_of", "<think>", "", "", ""),
    ],
)
def test_a_reasoning_parser_follows_the_family_and_the_marks_of_the_template(
    model_type: str, template: str, vllm: str, sglang: str, trtllm: str
) -> None:
    facts = of(model_type, template)
    found = [reasoning_parser(facts, framework) for framework in ("vllm", "sglang", "trtllm")]
    assert [row.parser if row else "" for row in found] == [vllm, sglang, trtllm]


@pytest.mark.parametrize(
    ("model_type", "template", "vllm", "sglang"),
    [
        ("qwen3", "tools <tool_call>", "hermes", "qwen"),
        ("qwen3_moe", "tools <tool_call> <function= <parameter=", "qwen3_coder", "qwen3_coder"),
        ("nemotron_h", "tools <tool_call> <function= <parameter=", "qwen3_coder", "qwen3_coder"),
        ("nemotron_h", "tools <TOOLCALL>", "", ""),
        ("llama", "tools builtin_tools", "llama3_json", "llama3"),
        ("llama", "tools <tool_call>", "hermes", "hermes"),
        ("deepseek_v3", "tools <｜tool▁calls▁begin｜> <｜tool▁sep｜> ```json", "deepseek_v3", "deepseekv3"),
        ("deepseek_v3", "tools <｜tool▁calls▁begin｜> <｜tool▁sep｜>", "deepseek_v31", "deepseekv31"),
        ("glm4_moe", "tools [gMASK]<sop> '\\n<tool_call>' + tc.name <tool_call> <arg_key>", "glm45", "glm"),
        ("glm4_moe", "tools [gMASK]<sop> '<tool_call>' + tc.name <arg_key>", "glm47", "glm47"),
        ("mistral", "tools [TOOL_CALLS]", "mistral", "mistral"),
        ("phi3", "tools", "", ""),
    ],
)
def test_a_tool_parser_follows_the_format_of_the_calls(model_type: str, template: str, vllm: str, sglang: str) -> None:
    facts = of(model_type, "{% if tools %}" + template)
    found = [tool_parser(facts, framework) for framework in ("vllm", "sglang")]
    assert [row.parser if row else "" for row in found] == [vllm, sglang]


def test_a_thinking_model_without_a_known_parser_is_a_warning() -> None:
    unknown = of("unheard_of", "<think>")
    assert any("stand in the answers" in w for w in serving_warnings(unknown, RECORD))
    assert not any("stand in the answers" in w for w in serving_warnings(MODEL, RECORD))
    nemotron = of("nemotron_h", "{% if tools %}<TOOLCALL>{{ tools }}")
    assert any("plugin" in w for w in serving_warnings(nemotron, RECORD))


def test_every_row_of_the_serving_tables_names_a_source_and_every_empty_parser_says_why() -> None:
    table = tables.serving()
    rows = [row for lists in (table.reasoning, table.tools) for found in lists.values() for row in found]
    assert all(row.parser or row.note for row in rows)
    assert all(row.model_types or row.any_of or row.all_of for row in rows)
    assert set(table.flags) == set(tables.methods().frameworks)
    assert all(row.value or row.says for kinds in table.kv_cache.values() for row in kinds.values())
