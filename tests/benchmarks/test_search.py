"""Benchmarks are found by the words that people use."""

import pytest

from quantgate.benchmarks.recipes import load_recipes
from quantgate.benchmarks.search import find_tasks
from quantgate.errors import UnknownName


@pytest.mark.parametrize(
    ("query", "first", "among"),
    [
        ("mmlu pro", "nemo_skills.ns_mmlu_pro", {"simple_evals.mmlu_pro", "lm-evaluation-harness.mmlu_pro"}),
        ("MMLU-Pro", "nemo_skills.ns_mmlu_pro", {"simple_evals.mmlu_pro"}),
        ("aime 2025", "simple_evals.AIME_2025_aa_v2", {"nemo_skills.ns_aime2025", "simple_evals.AIME_2025"}),
        ("instruction following", "ifbench.ifbench", {"nemo_skills.ns_ifbench", "nemo_skills.ns_ifeval"}),
        ("gsm8k", "lm-evaluation-harness.gsm8k", {"lm-evaluation-harness.adlr_gsm8k_cot_8_shot"}),
        ("livecodebench", "nemo_skills.ns_livecodebench", {"livecodebench.codegeneration_release_latest"}),
        ("garak", "garak.garak", {"garak.garak-completions"}),
        ("math-500", "lm-evaluation-harness.adlr_math_500_4_shot_sampled", {"simple_evals.math_test_500"}),
    ],
)
def test_common_words_find_the_benchmark(query: str, first: str, among: set[str]) -> None:
    found = find_tasks(query)
    ids = [hit.task.id for hit in found.hits]
    assert ids[0] == first
    assert among <= set(ids)
    assert not found.nearest


def test_an_empty_query_lists_everything_with_the_recipes_first() -> None:
    hits = find_tasks().hits
    assert len(hits) == 421
    covered = [hit.recipe is not None for hit in hits]
    assert covered == sorted(covered, reverse=True)
    tasks = {variant.task for recipe in load_recipes().values() for variant in recipe.variants}
    assert {hit.task.id for hit in hits if hit.recipe} == tasks


def test_contamination_tasks_come_after_the_benchmarks_whose_names_they_bear() -> None:
    ids = [hit.task.id for hit in find_tasks("gpqa diamond").hits]
    assert ids.index("simple_evals.gpqa_diamond") < ids.index("codec.gpqa_diamond")


def test_a_recipe_name_is_said_to_be_one() -> None:
    named = find_tasks("mmlu_pro").recipe
    assert named is not None
    assert named.name == "mmlu_pro"
    assert find_tasks("simple_evals.mmlu_pro").recipe is None
    assert find_tasks("simple_evals.mmlu_pro").hits[0].task.id == "simple_evals.mmlu_pro"


def test_a_misspelt_query_gives_the_most_similar_names_and_says_so() -> None:
    found = find_tasks("hellaswg")
    assert found.nearest
    assert found.hits[0].task.id == "lm-evaluation-harness.hellaswag"


def test_a_query_like_nothing_finds_nothing() -> None:
    assert find_tasks("qqqqqqqq zzzz").hits == []


@pytest.mark.parametrize("query", ["数学", "?!", "—"])
def test_a_query_without_a_letter_or_digit_of_names_finds_nothing_or_lists_all(query: str) -> None:
    found = find_tasks(query)
    assert found.nearest == bool(query.isalpha())
    assert (len(found.hits) < 20) is query.isalpha()


def test_filters_narrow_the_answer() -> None:
    assert {hit.task.harness for hit in find_tasks(harness="simple-evals").hits} == {"simple_evals"}
    assert {hit.task.endpoint_type for hit in find_tasks(endpoint_type="vlm").hits} == {"vlm"}
    assert len(find_tasks(endpoint_type="Completions").hits) == 175
    assert find_tasks("mmlu", harness="nemo_skills", endpoint_type="completions").hits == []


def test_an_unknown_harness_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName) as refusal:
        find_tasks(harness="nemo-skill")
    assert refusal.value.nearest[0] == "nemo_skills"
    with pytest.raises(UnknownName, match=r"one of AA-LCR, bfcl"):
        find_tasks(harness="zzzz")


def test_an_unknown_endpoint_type_is_refused_with_the_types() -> None:
    with pytest.raises(UnknownName, match="one of chat, completions, embedding, vlm"):
        find_tasks(endpoint_type="audio")
