"""The example configs are whole: they compose, every value is given, and their tasks are the recipes'."""

from pathlib import Path

import pytest
import yaml

from quantgate import shipped
from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.benchmarks.recipes import variant_of_task

EXAMPLES = sorted((shipped.recipes_dir() / "examples").glob("*.yaml"))


def test_there_is_an_example_for_the_process_executor_and_one_for_slurm() -> None:
    assert {file.name for file in EXAMPLES} >= {"ifbench_process.yaml", "nvfp4_slurm.yaml"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_leaves_no_value_open_and_declares_its_key(file: Path) -> None:
    text = file.read_text()
    config = yaml.safe_load(text)
    assert "???" not in text
    assert "limit_samples" not in text
    assert config["defaults"][-1] == "_self_"
    assert config["execution"]["output_dir"].startswith("/")
    key = config["target"]["api_endpoint"]["api_key_name"]
    assert config["evaluation"]["env_vars"][key] == "lit:dummy"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_examples_tasks_are_as_their_recipes_have_them(file: Path) -> None:
    config = yaml.safe_load(file.read_text())
    executor = config["execution"].get("type", "slurm")
    assert config["evaluation"]["tasks"]
    for task in config["evaluation"]["tasks"]:
        assert load_catalogue().resolve(task["name"]).id == task["name"]
        found = variant_of_task(task["name"])
        assert found is not None
        recipe, variant = found
        assert task == variant.fragment
        assert recipe.variant_for(executor) == variant
