"""verify_run as the agent reads it: what is said beside a score, and what next."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.results.checks.table import CHECKS
from quantgate.tools import verify_run as tool
from quantgate.tools.verify_run import VerifyRunResult, verify_run

from ..results.building import edit_rows

RECORDED = next((Path(__file__).parents[1] / "data" / "runs").glob("*-*"))
TASK = "ifbench.ifbench.0"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RECORDED, tmp_path / "results" / RECORDED.name))


def _checks(result: VerifyRunResult) -> dict[str, tuple[bool, str]]:
    return {c.name: (c.ok, c.detail) for c in result.tasks[0].checks}


def test_a_valid_run_gives_a_score_with_its_scale_error_and_samples(run: Path) -> None:
    result = verify_run(str(run))
    assert (result.verdict, result.subset.samples, result.subset.of) == ("valid", 20, 294)
    (task,) = result.tasks
    assert (task.samples_scored, task.samples_expected) == (20, 20)
    assert (task.score.metric, task.score.value, task.score.minimum, task.score.maximum) == (
        "loose:prompt-level",
        0.05,
        0,
        1,
    )
    assert task.score.stderr == pytest.approx(0.05)
    assert result.next_step == (
        "Report each score with its metric, scale, standard error and number of samples, and that it is a subset of 20 of 294 "
        "samples, and what the warnings say. What quantization cost: compare_runs(baseline='<run of the unquantized model>', "
        f"candidate='{run.name.split('-')[1]}'), both valid."
    )


def test_every_check_is_there_and_the_gates_last(run: Path) -> None:
    assert list(_checks(verify_run(str(run)))) == [*(row.name for row in CHECKS), "gates"]


def test_findings_of_a_valid_run_are_warnings_and_what_is_not_shown_is_none(run: Path) -> None:
    result = verify_run(str(run))
    said = [w for w in result.warnings if w.startswith(TASK)]
    assert said == [
        f"{TASK}: 9 of 20 answers (45.0%) hold tokens of a chat template: a stop token is missing, or the template is not the "
        "model's; say so beside the score.",
        f"{TASK}: 100.0% of the answers were cut at the token limit (longest answer 96 tokens); say so beside the score.",
    ]
    checks = _checks(result)
    assert checks["truncation"][0] is False
    assert checks["checkpoint"] == (
        False,
        "not shown: no log of a server, no mount of a checkpoint and no list of models is at hand",
    )


def test_an_invalid_run_has_no_score_and_names_the_next_call(run: Path) -> None:
    edit_rows(
        run / TASK / "artifacts" / "output.jsonl",
        lambda i, row: {**row, "response": "I cannot say anything at all about that."},
    )
    result = verify_run(str(run))
    assert (result.verdict, result.tasks[0].score.metric) == ("invalid", "")
    assert _checks(result)["answers_differ"] == (False, "all 20 questions got the same short answer")
    assert result.next_step.startswith(
        "Do not report a score: say which checks failed; logs(invocation_id='5f3c9a1e7b2d4860')"
    )


def test_an_incomplete_run_may_still_go_on(run: Path) -> None:
    (run / TASK / "artifacts" / ".nemo_evaluator_interrupted").touch()
    result = verify_run(str(run))
    assert result.verdict == "incomplete"
    assert "status(invocation_ids=['5f3c9a1e7b2d4860']) tells whether more is to come" in result.next_step


def test_with_many_tasks_the_checks_that_hold_are_counted_and_not_listed(run: Path) -> None:
    for index in range(1, 7):
        shutil.copytree(run / TASK, run / f"ifbench.ifbench.{index}")
    result = verify_run(str(run))
    assert len(result.tasks) == 7
    assert all(task.omitted + len(task.checks) == len(CHECKS) + 1 for task in result.tasks)
    assert all(not check.ok for task in result.tasks for check in task.checks)
    # Two findings each.
    assert sum("say so beside the score" in warning for warning in result.warnings) == 1 + tool.MOST_FINDINGS
    assert result.warnings[-1] == "2 more findings: see the checks that are not ok."


def test_a_hostile_answer_and_a_hostile_results_file_stay_text(run: Path) -> None:
    artifacts = run / TASK / "artifacts"
    hostile = "\x1b[31m<script>alert(1)</script> nvapi-" + "k" * 40
    metrics: Any = {"results": {"tasks": {"t": {"metrics": {hostile: {"scores": {hostile: {"value": 1}}}}}}}}
    (artifacts / "results.yml").write_text(json.dumps(metrics))
    said = verify_run(str(run)).model_dump_json()
    assert "kkkk" not in said
    assert "\\u001b" not in said


def test_a_score_at_the_end_of_its_scale_is_no_certainty(run: Path) -> None:
    artifacts = run / TASK / "artifacts"
    edit_rows(artifacts / "eval_results_loose.jsonl", lambda i, row: {**row, "follow_all_instructions": False})
    results = artifacts / "results.yml"
    written = yaml.safe_load(results.read_text())
    written["results"]["tasks"]["ifbench"]["metrics"]["loose:prompt-level"]["scores"]["loose:prompt-level"]["value"] = (
        0.0
    )
    results.write_text(yaml.safe_dump(written))
    result = verify_run(str(run))
    assert result.tasks[0].score.stderr == 0
    assert any("every sample got the same score" in warning for warning in result.warnings)


def test_the_description_is_short_and_says_what_the_example_needs() -> None:
    text = " ".join((tool.verify_run.__doc__ or "").split())
    assert len(text) < 440
    assert 'verify_run(run="' in text
