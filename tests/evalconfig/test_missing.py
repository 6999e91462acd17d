"""Every gap is listed with what belongs there and who can know it."""

import itertools
from pathlib import Path

import pytest

from quantgate.benchmarks.recipes import load_recipes
from quantgate.evalconfig.edit import Request, edit
from quantgate.evalconfig.missing import UNKNOWN_MEANING, missing_values, table
from quantgate.launcher import templates

from .made import SLURM, write


def test_a_gap_has_its_path_its_meaning_and_who_knows() -> None:
    (gap,) = missing_values({"execution": {"account": "???", "mode": "x"}})
    assert (gap.path, gap.who, gap.placeholder) == ("execution.account", "user", "")
    assert "GPU hours" in gap.meaning


def test_placeholders_are_gaps_and_ordinary_text_is_not() -> None:
    config = {
        "a": ["<ACCOUNT>", "CHANGEME", "lit:<TOKEN>"],
        "b": {"custom_system_prompt": "Think in <THINK> tags", "command": "cat <<EOF\n<eos> a < B > c"},
    }
    assert [(gap.path, gap.placeholder) for gap in missing_values(config)] == [
        ("a[0]", "<ACCOUNT>"),
        ("a[1]", "CHANGEME"),
        ("a[2]", "<TOKEN>"),
    ]


def test_a_gap_of_a_task_is_known_by_the_end_of_its_path() -> None:
    params = {"config": {"params": {"extra": {"tokenizer": "???"}}}}
    (gap,) = missing_values({"evaluation": {"tasks": [{"name": "x", "nemo_evaluator_config": params}]}})
    assert gap.path == "evaluation.tasks[0].nemo_evaluator_config.config.params.extra.tokenizer"
    assert gap.who == "checkpoint"


def test_an_unknown_gap_is_asked_of_the_user() -> None:
    (gap,) = missing_values({"zzz": "???"})
    assert (gap.meaning, gap.who) == (UNKNOWN_MEANING, "user")


def _template_choices() -> list[tuple[str, str, str, str]]:
    options = templates.options()
    return list(itertools.product(["local", "slurm"], options["deployment"], options["benchmarks"], options["export"]))


@pytest.mark.parametrize("choice", _template_choices(), ids="-".join)
def test_every_gap_that_the_launchers_templates_leave_has_a_meaning(choice: tuple[str, str, str, str]) -> None:
    execution, deployment, model_type, export = choice
    bundles = templates.options()["benchmarks"][model_type]
    config = templates.build(execution, deployment, model_type, bundles, export)
    gaps = missing_values(config)
    assert gaps
    assert [gap.path for gap in gaps if gap.meaning == UNKNOWN_MEANING] == []


def test_the_rows_of_the_table_are_all_different() -> None:
    assert len({row.path for row in table()}) == len(table()) > 25


def _gaps(path: Path) -> dict[str, str]:
    return {gap.path: gap.who for gap in edit(str(path), Request()).missing}


def test_a_placeholder_may_be_a_key_a_path_or_a_word() -> None:
    config = {
        "execution": {"mounts": {"evaluation": {"<HOST_PATH>": "/data"}}, "account": "<your account>"},
        "deployment": {"checkpoint_path": "/path/to/checkpoint", "served_model_name": "TODO", "image": "YOUR_IMAGE"},
        "fine": ["/data/path/tomorrow", "a todolist", "s3://b/path/to/x", "<think>", "x < Y > z"],
    }
    assert {gap.path: gap.placeholder for gap in missing_values(config)} == {
        "execution.mounts.evaluation.<HOST_PATH>": "<HOST_PATH>",
        "execution.account": "<your account>",
        "deployment.checkpoint_path": "/path/to/checkpoint",
        "deployment.served_model_name": "TODO",
        "deployment.image": "YOUR_IMAGE",
    }


def test_gaps_of_the_packaged_defaults_are_listed_too(tmp_path: Path) -> None:
    text = SLURM.replace("  account: team\n", "").replace("  served_model_name: m\n", "")
    assert _gaps(write(tmp_path, text)) == {"execution.account": "user", "deployment.served_model_name": "agent"}


def test_a_gap_that_a_default_hides_is_listed(tmp_path: Path) -> None:
    text = SLURM.replace('walltime: "04:00:00"', "walltime: ???")
    assert _gaps(write(tmp_path, text)) == {"execution.walltime": "cluster"}


def test_a_config_that_does_not_compose_still_lists_the_gaps_of_its_defaults(tmp_path: Path) -> None:
    text = SLURM.replace("  account: team\n", "").replace("username: someone", "username: ${no.such}")
    assert _gaps(write(tmp_path, text)) == {"execution.account": "user"}


@pytest.mark.parametrize("name", sorted(load_recipes()))
def test_every_gap_of_every_recipe_has_a_meaning_and_is_the_users_to_fill(name: str) -> None:
    for variant in load_recipes()[name].variants:
        gaps = missing_values({"evaluation": {"tasks": [variant.fragment]}})
        assert {gap.who for gap in gaps} <= {"user"}
        assert [gap.path for gap in gaps if gap.meaning == UNKNOWN_MEANING] == []
