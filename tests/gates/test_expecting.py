"""What a task should have done, for tasks without a recipe: real files of the harnesses stand for the runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from quantgate.gates.judgement import expecting
from quantgate.results.checks import identity
from quantgate.results.expectation import Expectation
from quantgate.results.launch_record import NO_RECORD
from quantgate.results.run_config import read_run_config
from quantgate.results.verify import verify
from quantgate.runs.rundir import RunDir, TaskDir

from ..results.building import edit_text
from ..runs.building import NAME

RECORDED = Path(__file__).parents[1] / "data" / "results"
CHAT = "lm-evaluation-harness/chat"
LISTED = "task: sums_by_size_true,levels,sums_repeated"


def _task(folder: Path, recorded: str, name: str) -> TaskDir:
    shutil.copytree(RECORDED / recorded, folder / NAME / f"{name}.0" / "artifacts")
    (task,) = RunDir.find(folder / NAME).tasks
    return task


def _lm_eval(folder: Path, name: str, asked: str) -> TaskDir:
    task = _task(folder, CHAT, f"lm-evaluation-harness.{name}")
    edit_text(task.artifacts / "run_config.yml", LISTED, f"task: {asked}")
    return task


def test_lm_evals_own_count_tells_how_many_questions_there_are(tmp_path: Path) -> None:
    task = _lm_eval(tmp_path, "gsm8k", "sums_small")
    assert expecting.expectation(task, 0) == Expectation(
        "lm-evaluation-harness", samples=4, limit=None, metric="sums_small_exact_match__strict-match"
    )


def test_a_limit_counts_for_each_task_of_a_group(tmp_path: Path) -> None:
    task = _task(tmp_path, "lm-evaluation-harness/completions", "lm-evaluation-harness.winogrande")
    edit_text(task.artifacts / "run_config.yml", "task: picks,pages", "task: picks")
    expected = expecting.expectation(task, 0)
    assert (expected.samples, expected.limit, expected.limited, expected.questions) == (6, 5, 5, 5)
    group = Expectation("lm-evaluation-harness", samples=11, limit=2, limited=4, repeats=2)
    assert (group.questions, group.answers, group.is_subset) == (4, 8, True)
    assert Expectation("x", samples=11, limit=None, limited=4).questions == 11


def test_a_limit_of_ruler_counts_for_each_of_its_subtasks(tmp_path: Path) -> None:
    task = _task(tmp_path, "ruler/two_subtasks", "ruler.ruler-chat")
    expected = expecting.expectation(task, 0)
    assert (expected.metric, expected.samples, expected.limit, expected.questions) == (
        "AGGREGATED-4000_accuracy",
        1000,
        4,
        8,
    )


def _params(folder: Path, name: str, params: str) -> TaskDir:
    artifacts = folder / NAME / f"{name}.0" / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "run_config.yml").write_text(f"config: {{params: {params}}}\n")
    (task,) = RunDir.find(folder / NAME).tasks
    return task


@pytest.mark.parametrize(
    ("name", "params", "samples"),
    [
        ("nemo_skills.ns_livecodebench", "{extra: {dataset_split: test_v6_2408_2505}}", 454),
        ("nemo_skills.ns_livecodebench", "{extra: {dataset_split: null}}", 454),
        ("nemo_skills.ns_livecodebench", "{extra: {dataset_split: test_v5_2407_2412}}", None),
        ("nemo_skills.ns_gpqa", "{extra: {args: '++prompt_config=eval/aai/mcq-4choices'}}", 198),
        ("nemo_skills.ns_gpqa", "{extra: {args: '++prompt_config=eval/aai/mcq-4choices ++split=main'}}", None),
        ("livecodebench.livecodebench_aa_v2", "{extra: {start_date: '2024-07-01', end_date: '2025-01-01'}}", 315),
        ("livecodebench.livecodebench_aa_v2", "{extra: {start_date: 2024-07-01}}", 315),
        ("livecodebench.livecodebench_aa_v2", "{extra: {start_date: '2024-10-01'}}", None),
        ("scicode.scicode", "{extra: {include_dev: true}}", None),
        ("simple_evals.gpqa_diamond", "{extra: {downsampling_ratio: 0.1}}", None),
        ("bigcode-evaluation-harness.humaneval", "{}", 164),
        ("bigcode-evaluation-harness.mbpp-chat", "{}", 500),
        ("bigcode-evaluation-harness.mbppplus-chat", "{}", None),
    ],
)
def test_a_number_of_questions_belongs_to_the_parameters_that_choose_them(
    tmp_path: Path, name: str, params: str, samples: int | None
) -> None:
    assert expecting.expectation(_params(tmp_path, name, params), 0).samples == samples


@pytest.mark.parametrize(
    ("given", "limit", "questions"),
    [("10", 10.0, 10), ("10.0", 10.0, 10), ("'10'", 10.0, 10), ("0.1", 0.1, None), ("null", None, 294)],
)
def test_a_limit_is_one_however_it_is_written(
    tmp_path: Path, given: str, limit: float | None, questions: int | None
) -> None:
    task = _params(tmp_path, "ifbench.ifbench", f"{{limit_samples: {given}}}")
    expected = expecting.expectation(task, 0)
    assert (expected.limit, expected.questions) == (limit, questions)
    found = identity.limit_as_declared(read_run_config(task.artifacts), "", expected, NO_RECORD)
    assert found.ok, found.detail


def test_a_task_that_is_not_in_the_registry_has_no_scale(tmp_path: Path) -> None:
    task = _task(tmp_path, CHAT, "garak.garak")
    assert expecting.expectation(task, 3) == Expectation("garak", samples=None, limit=3, has_scale=False)
    unknown = _task(tmp_path / "b", CHAT, "nobody.knows_it")
    assert not expecting.expectation(unknown, 0).has_scale


def test_a_perplexity_has_a_name_and_a_direction_and_no_scale(tmp_path: Path) -> None:
    task = _task(tmp_path, "lm-evaluation-harness/completions", "lm-evaluation-harness.wikitext")
    edit_text(task.artifacts / "run_config.yml", "task: picks,pages", "task: pages")
    expected = expecting.expectation(task, 0)
    assert (expected.metric, expected.has_scale, expected.higher_is_better) == ("pages_word_perplexity", False, False)
    assert (expected.samples, expected.questions) == (3, 3)


@pytest.mark.parametrize(
    ("recorded", "name", "asked"),
    [
        (CHAT, "lm-evaluation-harness.gsm8k", (LISTED, "task: sums_large")),
        (CHAT, "lm-evaluation-harness.bbh_instruct", (LISTED, "task: sums_by_size_true")),
        (CHAT, "lm-evaluation-harness.ifeval", (LISTED, "task: levels")),
        ("lm-evaluation-harness/alike", "lm-evaluation-harness.bbh_instruct", None),
        ("lm-evaluation-harness/completions", "lm-evaluation-harness.winogrande", ("task: picks,pages", "task: picks")),
        ("ruler/two_subtasks", "ruler.ruler-chat", None),
    ],
)
def test_the_samples_of_a_real_run_hold_against_what_was_expected(
    tmp_path: Path, recorded: str, name: str, asked: tuple[str, str] | None
) -> None:
    task = _task(tmp_path, recorded, name)
    if asked:
        edit_text(task.artifacts / "run_config.yml", *asked)
    (verified,) = verify(RunDir.find(tmp_path / NAME), {task.directory: expecting.expectation(task, 0)}).tasks
    held = {c.name: c.ok for c in verified.checks}
    details = {c.name: c.detail for c in verified.checks}
    for check in ("metric_reported", "samples_readable", "samples_scored", "no_duplicates", "score_recomputed"):
        assert held[check], details[check]
