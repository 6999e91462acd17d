"""A base config is reported against the recipes, with the edit that adopts each."""

import re
from pathlib import Path

from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.edit import Request, edit
from quantgate.evalconfig.recipe_report import differences
from quantgate.launcher import templates
from quantgate.tools.build_config import build_config

from .made import SLURM, write


def test_other_repeats_are_a_note_with_one_value_to_set() -> None:
    found = {
        d.recipe: d for d in differences(templates.build("slurm", "vllm", "chat_reasoning", ["core_reasoning"], "none"))
    }
    assert set(found) == {"gpqa", "livecodebench"}
    assert found["gpqa"].what == "repeats: 5, the recipe has 16"
    assert found["gpqa"].edit.endswith("extra.num_repeats=16']")


def test_other_settings_are_adopted_by_adding_the_recipe_again() -> None:
    (found,) = differences(templates.build("slurm", "vllm", "chat_reasoning", ["agentic"], "none"))
    assert found.edit == "remove_tasks=['tau2_bench_telecom'], add_tasks=['tau2_bench_telecom']"
    assert "judge" in found.what


def test_base_models_have_no_recipes_to_differ_from() -> None:
    bundles = templates.options()["benchmarks"]["base"]
    assert differences(templates.build("local", "none", "base", bundles, "none")) == []


def test_a_config_without_tasks_or_with_nonsense_has_no_differences() -> None:
    for config in (
        {},
        {"evaluation": []},
        {"evaluation": {"tasks": "x"}},
        {"evaluation": {"tasks": [1, {"name": "zzz"}]}},
    ):
        assert differences(config) == []


def test_the_edits_that_the_tool_names_leave_nothing_to_report(tmp_path: Path) -> None:
    answer = build_config("slurm", "vllm", "chat_reasoning", ["core_reasoning", "agentic"], output=str(tmp_path))
    assert len(answer.recipe_notes) == 3
    for note in answer.recipe_notes:
        assert f"config='{answer.path}'" in note
        lists = {key: re.findall(r"'([^']+)'", value) for key, value in re.findall(r"(\w+)=(\[[^=]*?'[^']*'\])", note)}
        wanted = {key: tuple(values) for key, values in lists.items() if key in ("set", "remove_tasks", "add_tasks")}
        assert wanted
        edit(answer.path, Request(**wanted))  # type: ignore[arg-type]
    text = Path(answer.path).read_text()
    Path(answer.path).write_text(text.replace("username: ${oc.env:USER}", "username: me"))
    assert differences(compose(Path(answer.path)).config) == []


TAU2 = "tau2_bench.tau2_bench_telecom"


def test_the_edit_for_a_task_that_is_listed_twice_can_be_made(tmp_path: Path) -> None:
    text = SLURM.replace("nemo_skills.ns_mmlu_pro", TAU2) + f"    - name: {TAU2}\n"
    path = write(tmp_path, text)
    proposed = differences(compose(path).config)[0].edit
    assert f"['{TAU2}.1', '{TAU2}.0']" in proposed
    edit(str(path), Request(**eval(f"dict({proposed})", {})))  # as an agent would call it
    assert [task.name for task in compose(path).tasks] == [TAU2]
    assert differences(compose(path).config) == []
