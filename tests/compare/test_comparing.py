"""Two whole runs, from their names to a verdict."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quantgate.compare.comparing import compare
from quantgate.compare.outcome import Comparison
from quantgate.errors import UnknownName
from quantgate.gates import ledger
from quantgate.gates.traces import lookup
from quantgate.launcher import stamp
from quantgate.runs.clusters import remote
from quantgate.runs.clusters.mirrored import Mirror
from quantgate.runs.rundir import RunDir

from ..results.building import edit_rows
from ..runs.building import NAME, TASK, real_copy
from .made_runs import FULL, SCORES, Made, compared, flipped, metadata, pair_of, repeated, right, run


def _fields(found: Comparison, severity: str) -> list[str]:
    return [d.field for d in found.comparability.differences if d.severity == severity]


def test_two_valid_runs_with_few_changes_are_accepted_at_a_margin_they_can_certify(tmp_path: Path) -> None:
    found = compared(pair_of(tmp_path, flipped(SCORES, 0, 1)))
    assert (found.verdict, found.baseline.validity, found.candidate.validity) == ("ACCEPT", "valid", "valid")
    (task,) = found.tasks
    assert (task.questions, task.repeats, task.metric) == (FULL, 1, "loose:prompt-level")
    assert task.flips is not None
    assert task.flips.lost + task.flips.gained == 2
    assert task.baseline == pytest.approx(150 / 294)
    assert found.suite is None


def test_the_same_runs_are_inconclusive_at_a_margin_they_cannot_certify(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, flipped(SCORES, 0, 1))
    found = compared(pair, 0.005)
    assert found.verdict == "INCONCLUSIVE"
    assert found.tasks[0].smallest_margin is not None
    assert found.tasks[0].smallest_margin > 0.005
    assert found.tasks[0].questions_needed > FULL


def test_a_large_drop_is_a_regression(tmp_path: Path) -> None:
    found = compared(pair_of(tmp_path, right(90)))
    assert found.verdict == "REGRESSION"
    assert found.tasks[0].drop_detected


def test_a_task_is_the_same_at_another_place_of_the_config(tmp_path: Path) -> None:
    pair = run(tmp_path, Made(SCORES)), run(tmp_path, Made(flipped(SCORES, 2), voice="two", task="ifbench.ifbench.7"))
    assert compared(pair).verdict == "ACCEPT"


def test_equal_scores_of_different_answers_are_judged_by_their_number(tmp_path: Path) -> None:
    found = compared(pair_of(tmp_path, SCORES), 0.02)
    assert found.verdict == "ACCEPT"
    assert found.tasks[0].delta == 0.0
    assert compared(pair_of(tmp_path, SCORES), 0.001).verdict == "INCONCLUSIVE"


def test_copies_of_one_run_are_told_by_their_id_or_by_their_response_times(tmp_path: Path) -> None:
    path = run(tmp_path, Made(SCORES))
    same_name = Path(shutil.copytree(path, tmp_path / "copy" / path.name))
    assert "copies of run" in compare(str(path), str(same_name)).reasons[0]
    renamed = Path(shutil.copytree(path, tmp_path / "20260101_000000-00000000000000ff"))
    found = compare(str(path), str(renamed))
    assert found.verdict == "ANOMALOUS"
    assert "response times" in found.reasons[0]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"temperature": 0.9}, "temperature"),
        ({"top_p": 0.5}, "top_p"),
        ({"max_new_tokens": 32768}, "max_new_tokens"),
        ({"extra": {"num_fewshot": 3}}, "extra.num_fewshot"),
        ({"extra": {"judge": {"model_id": "other"}}}, "judge (extra.judge.model_id)"),
    ],
)
def test_other_parameters_are_not_comparable_and_are_named(params: dict[str, Any], field: str, tmp_path: Path) -> None:
    found = compared(pair_of(tmp_path, flipped(SCORES, 1), params=params))
    assert found.verdict == "NOT_COMPARABLE"
    assert _fields(found, "blocking") == [f"ifbench.ifbench: {field}"]


def test_parallelism_and_timeouts_do_not_count(tmp_path: Path) -> None:
    found = compared(
        pair_of(tmp_path, flipped(SCORES, 1), params={"parallelism": 64, "request_timeout": 9, "max_retries": 1})
    )
    assert found.verdict == "ACCEPT"
    assert found.comparability.differences == ()


def test_a_quantized_cache_another_launcher_and_the_checkpoint_are_told_apart(tmp_path: Path) -> None:
    ours = Made(SCORES, metadata=metadata("/m/base", "vllm serve /m/base --kv-cache-dtype auto"))
    theirs = metadata("/m/nvfp4", "vllm serve /m/nvfp4 --kv-cache-dtype fp8 --quantization modelopt_fp4")
    theirs["versioning"]["nemo_evaluator_launcher"] = "0.2.5"
    found = compared(pair_of(tmp_path, flipped(SCORES, 1), ours, metadata=theirs))
    assert found.verdict == "ACCEPT"
    assert found.comparability.verdict == "comparable_with_warnings"
    assert set(_fields(found, "warning")) == {"KV cache dtype", "launcher version"}
    assert set(_fields(found, "expected")) == {"checkpoint", "server --quantization"}
    assert found.candidate.provenance["checkpoint"] == "/m/nvfp4"
    assert found.candidate.provenance["nemo-evaluator-launcher"] == "0.2.5"


def test_a_subset_against_the_whole_is_compared_on_what_both_answered_and_said(tmp_path: Path) -> None:
    found = compared(pair_of(tmp_path, flipped(SCORES, 1)[:250]), 0.05)
    assert found.verdict == "ACCEPT"
    assert found.tasks[0].questions == 250
    assert "the candidate is a subset: 250 of 294 samples" in found.notes
    assert _fields(found, "warning") == ["ifbench.ifbench: limit", "ifbench.ifbench: questions"]


def test_published_scores_are_held_against_the_baseline(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, flipped(SCORES, 1))
    near = compared(pair, 0.02, "ifbench=53;scale=100;source=https://example.org/card")
    assert (near.verdict, near.external[0].status) == ("ACCEPT", "verified")
    far = compared(pair, 0.02, "ifbench.ifbench=80;scale=100;source=https://example.org/card")
    assert (far.verdict, far.external[0].status) == ("ANOMALOUS", "failed")
    assert far.external[0].difference_pp == pytest.approx(-28.98, abs=0.01)
    unnamed = compared(pair, 0.02, f"{TASK}=80;scale=100")
    assert (unnamed.verdict, unnamed.external[0].status) == ("ACCEPT", "unverified")


def test_a_published_score_of_a_task_that_the_baseline_lacks_is_refused(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, SCORES)
    with pytest.raises(UnknownName, match=r"ifbench\.ifbench"):
        compared(pair, 0.02, "mmlu_pro=0.8;source=x")


def test_a_true_drop_of_half_the_answers_with_repeats_is_a_regression(tmp_path: Path) -> None:
    # Every question keeps a right answer: a rule that asks for any right answer sees no loss.
    baseline = [[True, True, True, q % 5 > 0] for q in range(198)]
    candidate = [[True, q % 5 > 0, False, False] for q in range(198)]
    found = compare(str(repeated(tmp_path, baseline)), str(repeated(tmp_path, candidate, voice="two")))
    assert (found.verdict, found.baseline.validity) == ("REGRESSION", "valid")
    (task,) = found.tasks
    assert (task.questions, task.repeats, task.maximum) == (198, 4, 100.0)
    assert task.delta == pytest.approx(-0.5)
    assert task.baseline == pytest.approx(95.0, abs=0.1)


def test_another_number_of_repeats_is_not_comparable(tmp_path: Path) -> None:
    baseline = [[True, q % 2 > 0, False, False] for q in range(198)]
    found = compare(str(repeated(tmp_path, baseline)), str(repeated(tmp_path, [s[:2] for s in baseline], voice="two")))
    assert found.verdict == "NOT_COMPARABLE"
    assert "nemo_skills.ns_gpqa: repeats" in _fields(found, "blocking")


def test_the_ledger_s_identity_of_the_checkpoint_tells_a_rerun(tmp_path: Path) -> None:
    paths = pair_of(tmp_path, flipped(SCORES, 0))
    for number, (path, weights) in enumerate(zip(paths, ("aa", "bb"), strict=True)):
        fingerprint = f"{number}" * 64
        _in_ledger(
            path, fingerprint, {"checkpoint: weights": weights, "checkpoint: tokenizer.json": "same", "launcher": "x"}
        )
    found = compared(paths)
    assert [d.meaning for d in found.comparability.differences if d.field == "checkpoint"] == [
        "what is compared: weights"
    ]
    assert found.candidate.provenance["checkpoint's digest"] == "bb"
    assert found.candidate.kind == "full"
    _in_ledger(run(tmp_path, Made(SCORES)), "2" * 64, {"checkpoint: weights": "aa"})
    rerun = run(tmp_path, Made(SCORES, voice="three"))
    _in_ledger(rerun, "3" * 64, {"checkpoint: weights": "aa", "checkpoint: tokenizer.json": "same"})
    assert any("by its content" in n for n in compare(str(paths[0]), rerun.name[-16:], 0.02).notes)


def _in_ledger(path: Path, fingerprint: str, content: dict[str, str]) -> None:
    config = str(path.parent / f"{path.name}.yaml")
    attempt = ledger.Attempt(path.name[-16:], "full", fingerprint, config, "process", str(path.parent), str(path))
    ledger.add_attempt(attempt)
    ledger.settle_attempt(attempt.invocation_id, "launched", str(path), "")
    ledger.put_content(fingerprint, config, content)
    (path / TASK / "logs" / "runner.json").write_text("{}")


def test_a_run_on_a_cluster_is_read_through_its_copies_and_named_by_its_own_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = pair_of(tmp_path, flipped(SCORES, 0))
    there = remote.parse(f"login:/lustre/{paths[1].name}")
    assert there is not None

    def copied(found: lookup.Run) -> tuple[lookup.Run, Mirror]:
        """Stands for the copy that SFTP makes (tests/integration/slurm has the real one)."""
        copy = RunDir.find(paths[1])
        notes = ("one.jsonl is larger than 2048 MB",)
        return dataclasses.replace(found, directory=copy), Mirror(there.host, there.path, copy, notes)

    monkeypatch.setattr("quantgate.gates.traces.remote_files.copied", copied)
    found = compare(str(paths[0]), f"login:/lustre/{paths[1].name}", 0.02)
    assert found.verdict == "ACCEPT"
    assert found.candidate.address == f"login:/lustre/{paths[1].name}"
    assert any("not read from login: one.jsonl" in n for n in found.notes)
    shown = [c.detail for t in found.candidate.tasks for c in t.checks]
    assert not any(str(paths[1]) in detail for detail in shown)


def test_the_recorded_real_run_compares_with_a_changed_one(tmp_path: Path) -> None:
    ours, theirs = real_copy(tmp_path / "a"), real_copy(tmp_path / "b")
    renamed = theirs.path.rename(tmp_path / "b" / NAME.replace("5f3c", "6f3c"))
    files = renamed / TASK / "artifacts"
    edit_rows(files / "output.jsonl", lambda i, row: {**row, "response": row["response"] + " again"})
    stats = json.loads((files / "eval_factory_metrics.json").read_text())
    stats["response_stats"]["avg_latency_ms"] += 1
    (files / "eval_factory_metrics.json").write_text(json.dumps(stats))
    found = compare(str(ours.path), str(renamed))
    assert found.verdict == "INCONCLUSIVE"
    assert found.tasks[0].flips is not None
    assert found.tasks[0].flips.changed_while_wrong == 19
    assert found.baseline.subset == "20 of 294 samples"


def _launched(path: Path, kind: str, *tasks: str) -> None:
    stamp.write(path, stamp.Stamp(path.name[-16:], kind, 0, tasks, len(tasks), "f", "d").dated())


def test_a_task_that_was_launched_and_left_nothing_behind_keeps_it_open(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, flipped(SCORES, 1))
    for path in pair:
        _launched(path, "full", "ifbench.ifbench")
    assert compared(pair).verdict == "ACCEPT"
    _launched(pair[1], "full", "ifbench.ifbench", "simple_evals.mmlu_pro")
    found = compared(pair)
    assert found.verdict == "INCONCLUSIVE"
    assert "simple_evals.mmlu_pro: the candidate was launched with it and has no directory of it" in found.reasons


def test_a_canary_is_no_result_in_either_direction(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, right(60))
    assert compared(pair).verdict == "REGRESSION"
    _launched(pair[1], "canary", "ifbench.ifbench")
    found = compared(pair)
    assert (found.verdict, found.tasks[0].verdict) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert found.reasons[0] == "the candidate is a canary: its scores are no result"


def test_a_failed_external_check_is_shown_at_its_task(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, flipped(SCORES, 1))
    far = compared(pair, 0.02, "ifbench.ifbench=90;scale=100;source=https://example.org/card")
    assert far.tasks[0].verdict == "ANOMALOUS"
    assert "published score" in far.tasks[0].reasons[0]
