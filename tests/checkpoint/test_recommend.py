"""Which benchmarks show damage, what they cost, and what a score is compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.benchmarks.recipes import load_recipes
from quantgate.checkpoint import tables
from quantgate.checkpoint.model_facts import ModelFacts
from quantgate.checkpoint.quantization import QuantizationRecord, detect
from quantgate.checkpoint.recommend import (
    Recommendation,
    baseline_note,
    benchmark_sets,
    cost_of,
    quantized_parts,
    recommend,
)
from quantgate.checkpoint.recommend_tables import benchmark_tables_markdown
from quantgate.checkpoint.sensitivity_rows import Benchmark
from quantgate.checkpoint.source import resolve_model

from .made import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
RECIPES = {
    "mmlu_pro",
    "mmmu_pro",
    "gpqa",
    "aime2025",
    "livecodebench",
    "ifbench",
    "scicode",
    "aa_lcr",
    "ns_hle_aa",
    "tau2_bench_telecom",
    "omniscience",
}
LONG = ModelFacts(max_position_embeddings=262144)
NVFP4 = QuantizationRecord(True, "modelopt", "NVFP4", bits=4, activation_bits=4)
KV_ONLY = QuantizationRecord(True, "modelopt", "", kv_cache_algorithm="FP8")
INT4 = QuantizationRecord(True, "awq", "AWQ", bits=4, activation_bits=16)


def row(rows: list[Recommendation], recipe: str) -> Recommendation:
    return next(r for r in rows if r.recipe == recipe)


def test_rows_are_ranked_by_sensitivity_and_carry_cost_context_and_needs() -> None:
    rows = recommend(LONG, NVFP4)
    ranks = ["very high", "high", "medium", "low"]
    assert [ranks.index(r.sensitivity) for r in rows] == sorted(ranks.index(r.sensitivity) for r in rows)
    first = rows[0]
    assert (first.recipe, first.cost, first.context, first.needs) == ("aa_lcr", "expensive", 196608, ("judge",))
    assert "needs 196608 tokens of context, the model has 262144" in first.because
    assert "16 times" in first.cost_because
    assert "a judge scores the answers" in first.cost_because


def test_a_benchmark_beyond_the_context_comes_last_and_an_unknown_context_excludes_nothing() -> None:
    rows = recommend(ModelFacts(max_position_embeddings=131072), NVFP4)
    assert (rows[-1].recipe, rows[-1].suitable) == ("aa_lcr", False)
    assert "the model has 131072: leave it out" in rows[-1].because
    unknown = recommend(ModelFacts(), NVFP4)
    assert all(r.suitable for r in unknown)
    assert "the model's is not known" in row(unknown, "aa_lcr").because


def test_the_length_it_is_served_with_counts_before_the_one_it_was_trained_for() -> None:
    rows = recommend(ModelFacts(max_position_embeddings=262144, served_length=65536), NVFP4)
    assert not row(rows, "aa_lcr").suitable
    assert row(rows, "scicode").suitable
    assert row(recommend(ModelFacts(max_position_embeddings=32768, served_length=262144), NVFP4), "aa_lcr").suitable


def test_nothing_is_recommended_for_an_unquantized_model() -> None:
    plain = QuantizationRecord(False)
    assert (recommend(LONG, plain), benchmark_sets(LONG, plain)) == ([], [])


def test_a_quantized_kv_cache_puts_long_context_first_and_says_why() -> None:
    rows = recommend(LONG, replace(NVFP4, kv_cache_algorithm="FP8"))
    assert rows[0].recipe == "aa_lcr"
    assert "the KV cache is quantized (FP8)" in rows[0].because
    assert "KV cache is quantized" not in row(recommend(LONG, NVFP4), "aa_lcr").because


def test_a_kv_cache_alone_is_told_from_weights() -> None:
    assert quantized_parts(LONG, KV_ONLY) == {"kv cache", "kv cache only"}
    rows = recommend(LONG, KV_ONLY)
    assert "only the KV cache is quantized" in row(rows, "mmlu_pro").because
    assert "bits" not in row(rows, "gpqa").because


@pytest.mark.parametrize(
    ("record", "parts"),
    [
        (INT4, {"weights of 4 bits", "weight-only"}),
        (NVFP4, {"weights of 4 bits", "activations below 8 bits"}),
        (replace(NVFP4, bits=8, activation_bits=8), {"weights of 8 bits", "activations of 8 bits"}),
        (replace(NVFP4, activation_bits=0), {"weights of 4 bits"}),
        (replace(NVFP4, known=False), set()),
        (replace(INT4, native=True), set()),  # its loss against 16 bits is not defined
    ],
)
def test_what_is_quantized_follows_the_record_and_is_not_guessed(record: QuantizationRecord, parts: set[str]) -> None:
    assert quantized_parts(LONG, record) == parts


def test_weight_only_and_activations_give_different_reasons() -> None:
    assert "weight-only" in row(recommend(LONG, INT4), "gpqa").because
    assert "activations below 8 bits" in row(recommend(LONG, NVFP4), "gpqa").because


def test_multimodal_benchmarks_are_for_multimodal_models_only() -> None:
    assert all(r.recipe != "mmmu_pro" for r in recommend(LONG, NVFP4))
    assert all("mmmu_pro" not in s.recipes for s in benchmark_sets(LONG, NVFP4))
    both = replace(LONG, multimodal=True)
    assert row(recommend(both, NVFP4), "mmmu_pro").needs == ("image input",)
    sets = {s.name: s.recipes for s in benchmark_sets(both, NVFP4)}
    assert sets["multimodal"] == ("mmmu_pro",)
    assert "mmmu_pro" in sets["Artificial Analysis"]


@pytest.mark.parametrize(
    ("vision", "sensitivity", "says"),
    [
        ({"NVFP4": 24}, "very high", "the vision tower is quantized (NVFP4)"),
        ({"BF16": 24}, "low", "the vision tower is kept (BF16)"),
        ({}, "low", "no tensors of a vision tower were found"),
    ],
)
def test_a_quantized_vision_tower_raises_mmmu(vision: dict[str, int], sensitivity: str, says: str) -> None:
    rows = recommend(replace(LONG, multimodal=True), replace(NVFP4, vision=vision))
    found = row(rows, "mmmu_pro")
    assert (rows[0] is found) == (sensitivity == "very high")
    assert found.sensitivity == sensitivity
    assert says in found.because


def test_sets_leave_out_what_the_context_does_not_allow_and_say_so() -> None:
    sets = {s.name: s for s in benchmark_sets(ModelFacts(max_position_embeddings=131072), NVFP4)}
    assert sets["standard text"].recipes == ("gpqa", "scicode")
    assert "without aa_lcr" in sets["standard text"].purpose
    assert {s.name: s.recipes for s in benchmark_sets(LONG, NVFP4)} == {
        "quick check": ("gpqa",),
        "standard text": ("gpqa", "scicode", "aa_lcr"),
        "code": ("livecodebench", "scicode"),
        "reasoning": ("aime2025", "gpqa", "ns_hle_aa"),
        "Artificial Analysis": (
            "gpqa",
            "ns_hle_aa",
            "aa_lcr",
            "scicode",
            "ifbench",
            "tau2_bench_telecom",
            "omniscience",
        ),
    }


def test_a_set_that_does_not_see_the_kv_cache_says_so() -> None:
    sets = {s.name: s.purpose for s in benchmark_sets(LONG, KV_ONLY)}
    assert "blind to what the quantized KV cache does" in sets["quick check"]
    assert "blind" not in sets["standard text"]


@pytest.mark.parametrize(
    ("recipe", "cost"),
    [
        ("ifbench", "cheap"),
        ("gpqa", "moderate"),
        ("mmlu_pro", "moderate"),
        ("scicode", "moderate"),
        ("aime2025", "expensive"),
    ],
)
def test_the_class_of_a_cost_follows_from_its_numbers(recipe: str, cost: str) -> None:
    found = next(r for r in tables.sensitivity() if r.recipe == recipe)
    assert cost_of(found)[0] == cost


def test_the_numbers_of_a_cost_are_shown() -> None:
    ifbench = next(r for r in tables.sensitivity() if r.recipe == "ifbench")
    assert "294 questions 5 times = 1,470 answers" in cost_of(ifbench)[1]


@pytest.mark.parametrize("entry", tables.sensitivity(), ids=lambda r: r.recipe)
def test_every_row_names_a_known_recipe_and_a_task_of_the_catalogue(entry: Benchmark) -> None:
    assert entry.recipe in RECIPES
    assert entry.task in load_catalogue().tasks
    extra = load_catalogue().tasks[entry.task].params["extra"]
    if extra.get("judge_support"):
        assert "judge" in entry.needs
    if extra.get("use_sandbox"):
        assert "sandbox" in entry.needs


WRITTEN = [entry for entry in tables.sensitivity() if entry.recipe in load_recipes()]


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda r: r.recipe)
def test_a_row_agrees_with_the_recipe_where_there_is_one(entry: Benchmark) -> None:
    recipe = load_recipes()[entry.recipe]
    assert any(v.task == entry.task and v.repeats == entry.repeats for v in recipe.variants)
    known = {v.samples for v in recipe.variants if v.samples}
    assert entry.questions in known or not (entry.questions or known)
    assert (recipe.sensitivity, recipe.context) == (entry.sensitivity, entry.context)
    assert (recipe.judge, recipe.sandbox) == ("judge" in entry.needs, "sandbox" in entry.needs)
    assert recipe.multimodal == entry.multimodal


def test_effects_and_sets_name_recipes_of_the_ranking() -> None:
    table = tables.sensitivity_table()
    ranked = {r.recipe for r in table.benchmarks}
    assert ranked == RECIPES
    for group in (*table.effects, *table.sets):
        assert set(group.recipes) <= ranked
    assert {n.method for n in table.native_releases} <= {m for m, r in tables.methods().foreign.items() if r.native}


def test_a_native_release_is_its_own_baseline() -> None:
    note = baseline_note(detect(resolve_model(str(SAMPLES / "hf_mxfp4config_0"))))
    assert "gpt-oss" in note
    assert "own baseline" in note
    assert "DeepSeek" in baseline_note(QuantizationRecord(True, "fp8", "FP8", native=True))


def test_a_kv_cache_that_the_baseline_lacks_is_part_of_the_difference() -> None:
    note = baseline_note(detect(resolve_model(str(SAMPLES / "nvfp4_default+fp8_kv"))))
    assert "the difference holds both effects" in note
    assert "same weights served with a KV cache of 16 bits" in baseline_note(KV_ONLY)
    assert "KV cache is recorded" not in baseline_note(NVFP4)


def test_an_unknown_format_has_no_baseline_yet() -> None:
    assert "find out what it was made from" in baseline_note(replace(NVFP4, known=False))


def test_the_reference_on_benchmarks_has_the_current_tables() -> None:
    text = (ROOT / "references" / "quantization-benchmarks.md").read_text(encoding="utf-8")
    assert f"<!-- benchmarks:begin -->\n{benchmark_tables_markdown()}\n<!-- benchmarks:end -->" in text
