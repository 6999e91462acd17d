"""Recipe files follow their schema, and name tasks and wheels that exist."""

from pathlib import Path

import pytest

from quantgate import shipped
from quantgate.benchmarks import env_example, recipes
from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.errors import BadInput, HarnessError
from quantgate.launcher.harnesses import wheel_for

FILES = sorted((shipped.recipes_dir() / "tasks").glob("*.md"))

GOOD = """---
name: sample
title: A sample
endpoint_type: chat
sensitivity: low
cost: ten questions
variants:
  - {task: ifbench.ifbench, metric: "loose:prompt-level", minimum: 0, maximum: 1, repeats: 1}
---
# A sample

```yaml
- name: ifbench.ifbench
```
"""


def test_there_are_recipes_for_mmlu_pro_and_ifbench() -> None:
    assert {"ifbench", "mmlu_pro"} <= set(recipes.load_recipes())
    assert len(recipes.load_recipes()) == len(FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recipe_agrees_with_the_catalogue_and_the_wheels(file: Path) -> None:
    recipe = recipes.read_recipe(file)
    assert recipe.variants
    for variant in recipe.variants:
        task = load_catalogue().tasks[variant.task]
        assert recipe.endpoint_type in task.endpoint_types
        assert variant.harness == task.harness
        assert variant.fragment["name"] == variant.task
        assert variant.container_only == (wheel_for(variant.harness) is None)
        params = variant.fragment.get("nemo_evaluator_config", {}).get("config", {}).get("params", {})
        assert "limit_samples" not in params
        assert set(params.get("extra", {})) <= set(task.params["extra"]) | {"num_repeats"}
        assert params.get("extra", {}).get("num_repeats", 1) == variant.repeats
        assert variant.metric_name() in file.read_text() or "avg-of" not in variant.metric
    assert "## The score" in file.read_text()


def test_mmlu_pro_has_the_values_of_public_practice() -> None:
    (variant,) = recipes.load_recipes()["mmlu_pro"].variants
    assert variant.task == "nemo_skills.ns_mmlu_pro"
    assert (variant.minimum, variant.maximum, variant.repeats, variant.samples) == (0, 100, 1, 12032)
    extra = variant.fragment["nemo_evaluator_config"]["config"]["params"]["extra"]
    assert extra == {"num_repeats": 1, "args": "++prompt_config=eval/aai/mcq-10choices-boxed"}


def test_ifbench_has_a_container_variant_in_percent_and_a_wheel_variant_as_a_share() -> None:
    container, wheel = recipes.load_recipes()["ifbench"].variants
    assert (container.task, container.maximum, container.repeats) == ("nemo_skills.ns_ifbench", 100, 5)
    assert container.metric_name() == "ifbench_pass_at_1_avg-of-5_prompt_loose_accuracy"
    assert container.metric_name(3) == "ifbench_pass_at_1_avg-of-3_prompt_loose_accuracy"
    assert (wheel.task, wheel.metric, wheel.maximum, wheel.samples) == ("ifbench.ifbench", "loose:prompt-level", 1, 294)
    assert (wheel.per_sample, wheel.sample_field) == ("eval_results_loose.jsonl", "follow_all_instructions")


def test_the_process_executor_takes_the_variant_that_has_a_wheel() -> None:
    ifbench = recipes.load_recipes()["ifbench"]
    assert ifbench.variant_for("process").task == "ifbench.ifbench"
    assert ifbench.variant_for("local").task == ifbench.variant_for("slurm").task == "nemo_skills.ns_ifbench"


def test_a_recipe_without_a_wheel_is_refused_for_the_process_executor_with_the_container_way() -> None:
    with pytest.raises(
        HarnessError, match=r"mmlu_pro has no variant.*nemo_skills\.ns_mmlu_pro.*container engine.*ifbench"
    ):
        recipes.load_recipes()["mmlu_pro"].variant_for("process")


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
    assert recipes.read_recipe(file).variants[0].fragment == {"name": "ifbench.ifbench"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sensitivity: low", "sensitivity: tiny", "sensitivity"),
        ("title: A sample", "titel: A sample", "titel|title"),
        ("repeats: 1", "repeats: 0", r"variants\.0\.repeats"),
        ("minimum: 0, maximum: 1", "minimum: 1, maximum: 1", "not below maximum"),
        ("name: sample", "name: other", "named 'other'"),
        ("- name: ifbench.ifbench", "- name: ifbench.other", r"no yaml block for its variant ifbench\.ifbench"),
        ("- name: ifbench.ifbench", "name: ifbench.ifbench", "not a list of one task"),
        ("cost: ten questions", "cost: [", "not YAML"),
        ("---\nname", "name", "no front matter"),
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


def test_env_example_is_current() -> None:
    current = (shipped.recipes_dir() / "env.example").read_text()
    assert current == env_example.env_example(), "run quantgate.benchmarks.env_example.write_env_example()"


def test_env_example_lists_each_needed_variable_once_and_no_secret() -> None:
    lines = [line for line in env_example.env_example().splitlines() if line and not line.startswith("#")]
    values = dict(line.split("=", 1) for line in lines)
    needed = {name for recipe in recipes.load_recipes().values() for name in recipe.needs}
    assert len(lines) == len(values)
    assert set(values) == needed
    assert values == {"DUMMY_API_KEY": "dummy", "HF_TOKEN": ""}
