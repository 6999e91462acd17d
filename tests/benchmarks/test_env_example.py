"""recipes/env.example lists what the recipes and examples read, and is current."""

import re
from pathlib import Path

import pytest

from quantgate import shipped
from quantgate.benchmarks import env_example, recipes
from quantgate.errors import BadInput


def test_env_example_is_current() -> None:
    current = (shipped.recipes_dir() / "env.example").read_text()
    assert current == env_example.env_example(), "run quantgate.benchmarks.env_example.write_env_example()"


def test_env_example_lists_each_needed_variable_once_and_no_secret() -> None:
    lines = [line for line in env_example.env_example().splitlines() if line and not line.startswith("#")]
    values = dict(line.split("=", 1) for line in lines)
    assert len(lines) == len(values)
    assert {name for recipe in recipes.load_recipes().values() for name in recipe.needs} < set(values)
    assert set(env_example.examples_by_variable()) < set(values)
    assert {name: value for name, value in values.items() if value} == {"DUMMY_API_KEY": "dummy"}


def test_every_variable_of_a_fragment_and_of_an_example_is_listed_with_who_reads_it() -> None:
    blocks = env_example.env_example().split("\n\n")
    for recipe in recipes.load_recipes().values():
        for name in recipe.needs:
            (block,) = [b for b in blocks if b.splitlines()[-1].startswith(f"{name}=")]
            assert re.search(rf"\b{recipe.name}\b", block)
    (judge,) = [b for b in blocks if "\nJUDGE_API_KEY=" in b]
    assert "tau2_judge_slurm" in judge


def test_a_variable_that_nobody_explains_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "one.yaml").write_text("# host:IN_A_COMMENT\nkey: host:NEVER_HEARD_OF\n")
    monkeypatch.setattr(shipped, "recipes_dir", lambda: tmp_path)
    with pytest.raises(BadInput, match="NEVER_HEARD_OF") as refusal:
        env_example.env_example()
    assert "IN_A_COMMENT" not in str(refusal.value)
