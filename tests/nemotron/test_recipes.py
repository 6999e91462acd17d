"""The recipes as data: each contract is whole, and says what is true."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.errors import BadInput, UnknownName
from quantgate.evalconfig.lint.engine import RULES
from quantgate.nemotron import recipes
from quantgate.nemotron.artifacts.references import parse

NAMED = {
    "missing_tokenizer_for_logprobs",
    "wrong_endpoint_type",
    "bad_megatron_checkpoint_path",
    "framework_cli_not_found",
}
CONFIGS = sorted(path for path in recipes.directory().glob("*/*.yaml") if path.name != recipes.CONTRACT)


def test_both_recipes_are_found_by_name_and_by_id() -> None:
    assert recipes.names() == ["model_eval", "nano3"]
    assert recipes.folder("").name == recipes.folder("eval/model_eval").name == "model_eval"
    assert recipes.folder("nano3").name == "nano3"
    with pytest.raises(UnknownName, match="one of: model_eval, nano3"):
        recipes.folder("../tasks")


@pytest.mark.parametrize("name", recipes.names())
def test_a_contract_names_the_four_errors_and_rules_that_exist(name: str) -> None:
    contract = recipes.contract(name)
    assert {error.name for error in contract.errors} == NAMED
    assert {rule for error in contract.errors for rule in error.rules} <= {rule.id for rule in RULES}
    assert [error.name for error in contract.errors if "D39" in error.rules] == ["bad_megatron_checkpoint_path"]
    assert {config.name for config in contract.configs} == {
        path.stem for path in (recipes.directory() / name).glob("*.yaml") if path.name != recipes.CONTRACT
    }


def test_listing_and_description_show_configs_and_recoveries() -> None:
    listing = recipes.listing()
    assert "-c tiny_chat:" in listing
    assert "-c default (default):" in listing
    text = recipes.description("nano3")
    for part in ("run.model = rl:latest", "checkpoint_megatron:", "bad_megatron_checkpoint_path (D39, D41)", "When:"):
        assert part in text
    assert "checkpoint_hf (optional):" in recipes.description("model_eval")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_config_has_tasks_of_the_catalogue_and_an_artifact_where_it_asks_for_one(path: Path) -> None:
    config = yaml.safe_load(path.read_text())
    for task in config["evaluation"]["tasks"]:
        assert load_catalogue().resolve(task["name"]).endpoint_type in ("chat", "completions")
    asked = config["deployment"].get("checkpoint_path")
    if asked:
        key = asked.removeprefix("${art:").removesuffix(",path}")
        assert parse(config["run"][key]).selector == "latest"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "no YAML"),
        ("id: x", "wrong at"),
        ("{id: x, name: other, title: t, default_config: a, configs: [], consumes: [], produces: [], parameters: [], "
         "strategies: [], errors: []}", "does not fit"),
    ],
)  # fmt: skip
def test_a_broken_contract_is_told_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / recipes.CONTRACT).write_text(text)
    monkeypatch.setattr(recipes, "directory", lambda: tmp_path)
    with pytest.raises(BadInput, match=says) as broken:
        recipes.contract("mine")
    assert recipes.CONTRACT in str(broken.value)
