"""Every gap is listed with what belongs there and who can know it."""

import itertools

import pytest

from quantgate.evalconfig.missing import UNKNOWN_MEANING, missing_values, table
from quantgate.launcher import templates


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
