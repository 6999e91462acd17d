"""Recipe files follow their schema, and name tasks and wheels that exist."""

from pathlib import Path
from typing import Any

import pytest

from quantgate import shipped
from quantgate.benchmarks import recipes
from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.errors import BadInput, HarnessError
from quantgate.launcher.harnesses import wheel_for

from . import dry

FILES = sorted((shipped.recipes_dir() / "tasks").glob("*.md"))

GOOD = """---
name: sample
title: A sample
endpoint_type: chat
sensitivity: low
cost: ten questions
needs:
  - {name: JUDGE_API_KEY, why: key of the judge}
variants:
  - task: ifbench.ifbench
    score: {task: ifbench, metric: "loose:prompt-level"}
    minimum: 0
    maximum: 1
    repeats: 2
    repeats_at: extra.n_samples
    parallelism: {minimum: 2, maximum: 8}
    judge: {at: extra.judge, url: base, key: JUDGE_API_KEY}
    source: made up for a test
---
# A sample

```yaml
- name: ifbench.ifbench
  env_vars:
    JUDGE_API_KEY: host:JUDGE_API_KEY
    LOG_LEVEL: lit:WARNING
  nemo_evaluator_config:
    target:
      api_endpoint:
        adapter_config:
          use_request_logging: false
    config:
      params:
        parallelism: 4
        extra:
          n_samples: 2
          judge:
            url: ???
            model_id: ???
            api_key: JUDGE_API_KEY
```
"""

ELEVEN = {
    "aa_lcr",
    "aime2025",
    "gpqa",
    "ifbench",
    "livecodebench",
    "mmlu_pro",
    "mmmu_pro",
    "ns_hle_aa",
    "omniscience",
    "scicode",
    "tau2_bench_telecom",
}
VALUES = {
    # task, repeats, exported name of the score, lowest, highest
    "nemo_skills.ns_mmlu_pro": (1, "mmlu-pro_pass_at_1_symbolic_correct", 0, 100),
    "nemo_skills.ns_gpqa": (16, "gpqa_pass_at_1_avg-of-16_symbolic_correct", 0, 100),
    "nemo_skills.ns_mmmu_pro": (1, "mmmu-pro_pass_at_1_symbolic_correct", 0, 100),
    "simple_evals.AIME_2025_aa_v2": (64, "AIME_2025_score_micro_avg_of_64", 0, 1),
    "nemo_skills.ns_livecodebench": (8, "livecodebench_pass_at_1_avg-of-8_accuracy", 0, 100),
    "nemo_skills.ns_ifbench": (5, "ifbench_pass_at_1_avg-of-5_prompt_loose_accuracy", 0, 100),
    "ifbench.ifbench": (1, "ifbench_loose_prompt-level", 0, 1),
    "nemo_skills.ns_scicode": (1, "scicode_pass_at_1_subtask_accuracy", 0, 100),
    "nemo_skills.ns_aa_lcr": (16, "aalcr_pass_at_1_avg-of-16_judge_correct", 0, 100),
    "nemo_skills.ns_hle_aa": (1, "hle_pass_at_1_judge_correct", 0, 100),
    "tau2_bench.tau2_bench_telecom": (8, "tau2_bench_telecom_pass_at_1", 0, 1),
    "nemo_skills.ns_omniscience": (10, "omniscience_pass_at_1_avg-of-10_judge_omni_index", -100, 100),
}
"""The values of public practice."""


def params(variant: recipes.Variant) -> dict[str, Any]:
    """The parameters of a variant's fragment."""
    return dict(variant.fragment.get("nemo_evaluator_config", {}).get("config", {}).get("params", {}))


def test_there_is_a_recipe_for_each_of_the_eleven_benchmarks() -> None:
    assert set(recipes.load_recipes()) == ELEVEN
    assert len(FILES) == len(ELEVEN)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recipe_agrees_with_the_catalogue_and_the_wheels(file: Path) -> None:
    recipe = recipes.read_recipe(file)
    assert recipe.variants
    for variant in recipe.variants:
        task = load_catalogue().tasks[variant.task]
        assert recipe.endpoint_type == task.endpoint_type
        assert variant.harness == task.harness
        assert variant.container != task.container
        assert variant.container_only == (wheel_for(variant.harness) is None)
        assert "limit_samples" not in params(variant)
        assert "max_new_tokens" not in params(variant)
        assert_known(params(variant), task.params)


def assert_known(given: dict[str, Any], known: dict[str, Any]) -> None:
    """A fragment sets only what the catalogue's task has, so that nothing in it is without effect."""
    for key, value in given.items():
        assert key in known, key
        if isinstance(value, dict):
            assert_known(value, known[key])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_fragment_sets_only_what_the_tasks_command_reads(file: Path) -> None:
    for variant in recipes.read_recipe(file).variants:
        command = load_catalogue().tasks[variant.task].command
        for key in params(variant).get("extra", {}):
            assert f"config.params.extra.{key}" in command, key


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recipes_prose_names_the_score_as_people_meet_it(file: Path) -> None:
    text = " ".join(file.read_text().split())
    assert "## The score" in text
    for variant in recipes.read_recipe(file).variants:
        metric, name = variant.place.filled(variant.repeats)
        assert f"`{metric}`" in text
        assert f"`{name}`" in text
        assert variant.exported_name() in text or variant.task == "ifbench.ifbench"


def test_the_values_are_those_of_public_practice() -> None:
    found = {
        v.task: (v.repeats, v.exported_name(), v.minimum, v.maximum)
        for recipe in recipes.load_recipes().values()
        for v in recipe.variants
    }
    assert found == VALUES
    assert all(v.higher_is_better for recipe in recipes.load_recipes().values() for v in recipe.variants)


def test_the_name_of_a_score_follows_the_number_of_repeats() -> None:
    scicode, aime = (recipes.load_recipes()[name].variants[0] for name in ("scicode", "aime2025"))
    assert scicode.metric_name() == scicode.metric == "scicode_pass@1_subtask_accuracy"
    assert scicode.metric_name(8) == "scicode_pass@1[avg-of-8]_subtask_accuracy"
    assert scicode.exported_name(8) == "scicode_pass_at_1_avg-of-8_subtask_accuracy"
    assert (aime.metric_name(10), aime.metric_name(1)) == ("AIME_2025_score_micro_avg_of_10", "AIME_2025_score_micro")


def test_judges_and_simulators_are_gaps_with_the_name_of_a_key() -> None:
    found = {
        name: [(side.role, side.at, side.url, side.key) for side in recipe.variants[0].side_models]
        for name, recipe in recipes.load_recipes().items()
        if recipe.variants[0].side_models
    }
    v1_base = [("judge", "extra.judge", "base", "JUDGE_API_KEY")]
    assert found == {
        "aa_lcr": v1_base,
        "aime2025": v1_base,
        "ns_hle_aa": v1_base,
        "omniscience": v1_base,
        "tau2_bench_telecom": [
            ("user simulator", "extra.user", "chat", "USER_API_KEY"),
            ("judge", "extra.judge", "chat", "JUDGE_API_KEY"),
        ],
    }
    assert {name for name, recipe in recipes.load_recipes().items() if recipe.judge} == set(found)


def test_what_the_rest_of_a_config_must_have_can_be_read() -> None:
    known = {name: recipe.variants[0].requirements for name, recipe in recipes.load_recipes().items()}
    long = known["aa_lcr"]
    assert long.max_model_len == 196608
    assert long.parallelism == recipes.Bounds(32, 16, 512)
    assert long.adapter == {"use_request_logging": False, "use_response_logging": False}
    assert long.env_vars == {"JUDGE_API_KEY": "host:JUDGE_API_KEY", "LOG_LEVEL": "lit:WARNING"}
    assert (known["scicode"].max_model_len, known["scicode"].parallelism) == (65536, recipes.Bounds(8, 1, 8))
    assert known["tau2_bench_telecom"].parallelism == recipes.Bounds(32, 1, 512)
    assert [name for name, needed in known.items() if needed.tool_calling] == ["tau2_bench_telecom"]
    assert [name for name, needed in known.items() if needed.image_input] == ["mmmu_pro"]
    sandboxed = sorted(name for name, recipe in recipes.load_recipes().items() if recipe.sandbox)
    assert sandboxed == ["livecodebench", "scicode"]
    assert [name for name, needed in known.items() if needed.may_be_unlisted] == ["omniscience"]


def test_a_context_that_holds_the_longest_documents_and_the_longest_answer_is_asked_for() -> None:
    documents, answer = 120_000, 65_536
    assert documents + answer <= recipes.load_recipes()["aa_lcr"].context


def test_ifbench_has_a_container_variant_in_percent_and_a_wheel_variant_as_a_share() -> None:
    container, wheel = recipes.load_recipes()["ifbench"].variants
    assert (container.task, container.samples) == ("nemo_skills.ns_ifbench", None)
    assert (wheel.task, wheel.metric, wheel.samples) == ("ifbench.ifbench", "loose:prompt-level", 294)
    assert (wheel.per_sample, wheel.sample_field) == ("eval_results_loose.jsonl", "follow_all_instructions")


def test_the_process_executor_takes_the_variant_that_has_a_wheel() -> None:
    ifbench = recipes.load_recipes()["ifbench"]
    assert recipes.variant_for(ifbench, "process").task == "ifbench.ifbench"
    assert (
        recipes.variant_for(ifbench, "local").task
        == recipes.variant_for(ifbench, "slurm").task
        == "nemo_skills.ns_ifbench"
    )


def test_a_recipe_without_a_wheel_is_refused_for_the_process_executor_with_the_container_way() -> None:
    with pytest.raises(
        HarnessError, match=r"mmlu_pro has no variant.*nemo_skills\.ns_mmlu_pro.*container engine.*ifbench"
    ):
        recipes.variant_for(recipes.load_recipes()["mmlu_pro"], "process")


def test_a_bare_name_means_the_recipe_and_a_dotted_one_the_catalogue() -> None:
    named = recipes.recipe_named("MMLU-Pro")
    assert named is not None
    assert named.name == "mmlu_pro"
    assert recipes.recipe_named("simple_evals.mmlu_pro") is None
    assert recipes.recipe_named("hellaswag") is None


def test_a_task_leads_to_its_recipe_and_variant_for_the_score() -> None:
    found = recipes.variant_of_task("ifbench.ifbench")
    assert found is not None
    assert (found[0].name, found[1].metric) == ("ifbench", "loose:prompt-level")
    assert recipes.variant_of_task("codec.ifbench") is None


def test_a_good_recipe_is_read(tmp_path: Path) -> None:
    file = tmp_path / "sample.md"
    file.write_text(GOOD)
    (variant,) = recipes.read_recipe(file).variants
    assert variant.fragment["name"] == "ifbench.ifbench"
    assert variant.requirements.parallelism == recipes.Bounds(4, 2, 8)
    assert variant.requirements.adapter == {"use_request_logging": False}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sensitivity: low", "sensitivity: tiny", "sensitivity"),
        ("title: A sample", "titel: A sample", "titel|title"),
        ("repeats: 2", "repeats: 0", r"variants\.0\.repeats"),
        ("maximum: 1\n", "maximum: 0\n", "not below maximum"),
        ("minimum: 2, maximum: 8", "minimum: 9, maximum: 8", "minimum 9 is above maximum 8"),
        ('metric: "loose:prompt-level"', "metric: avg-of-N", "give `once`"),
        ('metric: "loose:prompt-level"', "metric: score, name: avg_of_N", "give `once_name`"),
        ("url: base", "url: full", r"variants\.0\.judge\.url"),
        ("source: made up for a test", "source: no", r"variants\.0\.source"),
        ("name: sample", "name: other", "named 'other'"),
        ("- name: ifbench.ifbench", "- name: ifbench.other", r"no yaml block for its variant ifbench\.ifbench"),
        ("- name: ifbench.ifbench", "name: ifbench.ifbench", "not a list of one task"),
        ("cost: ten questions", "cost: [", "not YAML"),
        ("---\nname", "name", "no front matter"),
        ("  env_vars:\n", "  container: other:1\n  env_vars:\n", "container is 'other:1', not ''"),
        ("n_samples: 2", "n_samples: 3", r"extra\.n_samples is 3, not 2"),
        ("parallelism: 4", "parallelism: 16", "parallelism 16 is outside of its own bounds"),
        ("        parallelism: 4\n", "", "parallelism is bounded and not set"),
        ("model_id: ???", "model_id: gpt", r"extra\.judge must leave url and model_id open"),
        ("host:JUDGE_API_KEY", "host:OTHER", "env_vars declare it as host:JUDGE_API_KEY"),
        ("lit:WARNING", "host:LOG_LEVEL", "needs does not list LOG_LEVEL"),
    ],
)
def test_a_recipe_that_breaks_the_schema_is_refused_by_file_and_field(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "sample.md"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadInput, match=message) as refusal:
        recipes.read_recipe(file)
    assert "sample.md" in str(refusal.value)


def test_every_fragment_passes_the_launchers_own_dry_run(tmp_path: Path) -> None:
    variants = [variant for recipe in recipes.load_recipes().values() for variant in recipe.variants]
    config = dry.config_of([variant.fragment for variant in variants], tmp_path / "all.yaml")
    output = dry.dry_run(config, {name for recipe in recipes.load_recipes().values() for name in recipe.needs})
    for index, variant in enumerate(variants):
        assert f"Task {index} " in output
        assert (variant.container or load_catalogue().tasks[variant.task].container) in output
    assert f"Task {len(variants)} " not in output
