"""list_tasks answers shortly, recipes first, and says what it understood."""

import json

import pytest

from quantgate.benchmarks.needs import needs_rows
from quantgate.benchmarks.recipes import load_recipes
from quantgate.errors import BadInput, UnknownName
from quantgate.tools.list_tasks import DESCRIPTION_AT_MOST, list_tasks

FIELDS = {"id", "harness", "endpoint_type", "container", "recipe", "needs", "description"}


def test_an_empty_query_starts_with_the_recipes_and_counts_what_it_left_out() -> None:
    answer = list_tasks()
    with_recipe = [row.recipe for row in answer.tasks if row.recipe]
    assert set(with_recipe) == set(load_recipes())
    assert [row.recipe for row in answer.tasks[: len(with_recipe)]] == with_recipe
    assert (len(answer.tasks), answer.total, answer.omitted) == (20, 421, 401)
    assert set(answer.tasks[0].model_dump()) == FIELDS
    assert f"add_tasks=['{answer.tasks[0].recipe}']" in answer.next_step


@pytest.mark.parametrize("query", ["", "mmlu", "code", "the", "gpqa", "safety", "reasoning questions"])
def test_one_answer_at_the_default_limit_stays_under_4000_tokens(query: str) -> None:
    text = json.dumps(list_tasks(query).model_dump(), ensure_ascii=False, separators=(",", ":"))
    # English JSON takes about three characters a token; two is on the safe side of every tokenizer.
    assert len(text) / 2 < 4000


def test_a_row_says_where_the_task_runs() -> None:
    (row,) = list_tasks("nemo_skills.ns_mmlu_pro").tasks[:1]
    assert row.container == "nvcr.io/nvidia/eval-factory/nemo-skills:26.03"
    assert (row.harness, row.endpoint_type, row.recipe) == ("nemo_skills", "chat", "mmlu_pro")


def test_a_recipe_name_is_said_to_mean_the_recipe() -> None:
    answer = list_tasks("MMLU-Pro")
    assert answer.tasks[0].recipe == "mmlu_pro"
    assert any("names the recipe mmlu_pro: nemo_skills.ns_mmlu_pro" in warning for warning in answer.warnings)
    assert "add_tasks=['mmlu_pro']" in answer.next_step


def test_long_descriptions_are_cut() -> None:
    rows = list_tasks(limit=100).tasks
    assert max(len(row.description) for row in rows) == DESCRIPTION_AT_MOST
    assert any(row.description.endswith("…") for row in rows)


def test_similar_names_are_said_to_be_only_similar() -> None:
    answer = list_tasks("hellaswg")
    assert answer.tasks[0].id == "lm-evaluation-harness.hellaswag"
    assert any("most similar" in warning for warning in answer.warnings)


def test_no_hit_is_an_empty_list_with_advice() -> None:
    answer = list_tasks("qqqqqqqq zzzz")
    assert (answer.tasks, answer.total, answer.omitted) == ([], 0, 0)
    assert "other words" in answer.next_step


def test_a_harness_in_another_spelling_is_understood_and_said() -> None:
    answer = list_tasks(harness="simple-evals", endpoint_type="chat")
    assert {row.harness for row in answer.tasks} == {"simple_evals"}
    assert any("'simple_evals'" in warning for warning in answer.warnings)


def test_an_unknown_harness_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"harness 'nemo_skill'.*nemo_skills"):
        list_tasks(harness="nemo_skill")


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(BadInput, match=f"limit is {limit}.*1 to 100"):
        list_tasks(limit=limit)


def test_its_description_is_short() -> None:
    assert len(list_tasks.__doc__ or "") < 700


@pytest.mark.parametrize(
    ("task", "needs"),
    [
        ("nemo_skills.ns_aa_lcr", ["judge"]),
        ("tau2_bench.tau2_bench_telecom", ["judge", "user simulator"]),
        ("bigcode-evaluation-harness.humaneval", ["code sandbox"]),
        ("lm-evaluation-harness.hellaswag", ["tokenizer"]),
        ("vlmevalkit.mmmu_judge", ["image input", "judge"]),
        ("nemo_skills.ns_mmmu_pro", ["image input"]),
        ("nemo_skills.ns_mmlu_pro", []),
        ("lm-evaluation-harness.ifeval", []),
    ],
)
def test_a_row_says_what_the_task_needs_besides_the_model(task: str, needs: list[str]) -> None:
    row = next(row for row in list_tasks(task).tasks if row.id == task)
    assert row.needs == needs


def test_every_row_of_the_needs_matches_a_task() -> None:
    from fnmatch import fnmatchcase

    from quantgate.benchmarks.catalogue import load_catalogue

    for entry in needs_rows():
        assert any(fnmatchcase(task, entry.match) for task in load_catalogue().tasks), entry.match
