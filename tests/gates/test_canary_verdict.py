"""When a canary passes: a real run's files, whole and damaged, judged as a canary. NEL's child is stood in for."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.benchmarks import metrics
from quantgate.gates import ledger
from quantgate.gates.judgement import judging, validating
from quantgate.gates.launches import launching
from quantgate.gates.planning import endpoint
from quantgate.gates.traces import lookup
from quantgate.launcher import door, launch_lock, stamp
from quantgate.results import samples, verify
from quantgate.tools.canary import canary
from quantgate.tools.gate_rows import gate_row
from quantgate.tools.status import status

from ..results.building import edit_rows
from ..runs.building import REAL, TASK
from .launches import Launches, write_config

SAMPLES = 20
UNREAD = "simple_evals.mmlu_pro"
"""A task whose harness has a wheel, and no recipe; reader and metric are taken away, to stand for a harness that has none."""
MODEL = "gemma-3-270m-q4_k_m"
USED: dict[str, Any] = {"max_new_tokens": 96, "max_retries": 5, "parallelism": 4, "temperature": 0.01, "top_p": 0.95}
"""What the real run asked for, by its run_config.yml."""
STAMP = stamp.Stamp("0" * 16, "canary", SAMPLES, (), 1, "f", "d")
Damage = Callable[[Path], Any]


class Copies(Launches):
    """Stands in for NEL's child: the run that it makes is a copy of the real one, damaged as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks = [TASK]
        self.damage: Damage = lambda task: None

    def launch(self, request: door.Request, env: Any) -> door.Answer:
        self.requests.append(request)
        for name in self.tasks:
            task = request.output_dir / f"20261121_095453-{request.invocation_id}" / name
            shutil.copytree(REAL / TASK, task)
            self.damage(task)
        return door.Answer(request.invocation_id, "", "")


def _write(config: Path, output: Path, **changes: Any) -> None:
    write_config(config, output, **{**USED, **changes})
    config.write_text(config.read_text().replace("model_id: m\n", f"model_id: {MODEL}\n"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "eval.yaml"
    _write(path, tmp_path / "results")
    return path


@pytest.fixture
def copies(nel: Launches, monkeypatch: pytest.MonkeyPatch) -> Copies:
    made = Copies()
    monkeypatch.setattr(endpoint, "probe", lambda config, env: endpoint.Served("http://x/v1/models", (MODEL,)))
    monkeypatch.setattr(door, "launch", made.launch)
    return made


def _gate(config: Path, samples: int = SAMPLES) -> ledger.Gate:
    assert launching.dry_run(str(config)).passed
    launch = launching.canary(str(config), samples=samples, tasks=[], again=False)
    gate = judging.judge(launch.attempt)
    assert gate is not None
    return gate


def _log(text: str) -> Damage:
    def write(task: Path) -> None:
        with (task / "logs" / "client_stdout.log").open("a") as file:
            file.write(text + "\n")

    return write


def _metrics(**changes: Any) -> Damage:
    def write(task: Path) -> None:
        path = task / "artifacts" / "eval_factory_metrics.json"
        data = json.loads(path.read_text())
        data["response_stats"] |= changes
        path.write_text(json.dumps(data))

    return write


def test_the_real_run_passes_on_its_samples(config: Path, copies: Copies) -> None:
    gate = _gate(config)
    assert gate.passed, gate.reasons
    assert gate.detail["evidence"] == {TASK: "samples"}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            _log("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"),
            r"log_scan: failed: cuda_oom.*fix: Lower",
        ),
        (
            _log("judge request failed after 5 attempts, giving up"),
            r"log_scan: failed: judge_failure.*fix: Check the judge",
        ),
        (
            lambda task: (task / "logs" / "stage.exit").write_text("2026-11-21T09:55:35Z 1"),
            r"finished: failed.*fix: read its logs",
        ),
        (
            _metrics(status_codes={"200": 17, "500": 3}, successful_count=17),
            r"no_api_errors: 3 × 500.*fix: lower parallelism",
        ),
        (
            lambda task: edit_rows(
                task / "artifacts" / "eval_results_loose.jsonl",
                lambda i, row: row if i else {**row, "follow_all_instructions": None},
            ),
            r"samples_scored: 19 of 20.*fix: read the logs",
        ),
        (lambda task: (task / "artifacts" / "results.yml").unlink(), "results_readable"),
        (lambda task: (task / "artifacts" / ".nemo_evaluator_interrupted").touch(), "not_interrupted"),
    ],
)
def test_one_fault_keeps_the_gate_closed_and_names_cause_and_fix(
    config: Path, copies: Copies, damage: Damage, said: str
) -> None:
    copies.damage = damage
    gate = _gate(config)
    assert not gate.passed
    assert any(re.search(said, reason) for reason in gate.reasons), gate.reasons


def test_fewer_samples_than_asked_for_do_not_pass(config: Path, copies: Copies) -> None:
    gate = _gate(config, samples=30)
    assert not gate.passed
    assert any("samples_scored: 20 of 30" in reason for reason in gate.reasons)


def test_a_suspicious_log_passes_with_a_warning_that_the_tools_show(config: Path, copies: Copies) -> None:
    copies.damage = _log("HTTP/1.1 429 Too Many Requests, retrying")
    gate = _gate(config)
    assert gate.passed
    result = status([gate.invocation_id])
    assert any("the log scan is suspicious: rate_limit" in warning for warning in result.warnings)


def test_a_finding_that_breaks_nothing_passes_with_a_warning(config: Path, copies: Copies) -> None:
    gate = _gate(config)
    assert gate.passed
    (said,) = [w for w in gate.detail["warnings"] if "no_template_tokens" in w]
    assert said.startswith(f"{TASK}: no_template_tokens: 9 of 20 answers (45.0%) hold tokens of a chat template")
    # Truncation is among the canary's figures, and what is "not shown" is no finding.
    assert not [w for w in gate.detail["warnings"] if "truncation" in w or "not shown" in w]


def test_three_equal_letters_do_not_fail_a_canary(config: Path, copies: Copies) -> None:
    copies.damage = lambda task: edit_rows(
        task / "artifacts" / "output.jsonl", lambda i, row: {**row, "response": "B" if i < 3 else row["response"]}
    )
    assert _gate(config).passed


def test_a_task_that_left_no_directory_keeps_the_gate_closed(config: Path, copies: Copies, tmp_path: Path) -> None:
    _write(config, tmp_path / "results", tasks=("ifbench.ifbench", UNREAD))
    gate = _gate(config)
    assert not gate.passed
    assert any(f"{UNREAD}: it was to be run" in reason for reason in gate.reasons)


@pytest.fixture
def unread(config: Path, copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delitem(samples.READERS, "simple_evals", raising=False)
    monkeypatch.setattr(metrics, "metric_of", lambda *_: None)
    _write(config, tmp_path / "results", tasks=(UNREAD,))
    copies.tasks = [f"{UNREAD}.0"]
    return config


def test_a_harness_without_a_reader_passes_on_lesser_evidence_that_is_named(unread: Path) -> None:
    gate = _gate(unread)
    assert gate.passed, gate.reasons
    evidence = gate.detail["evidence"][f"{UNREAD}.0"]
    assert evidence.startswith("not verifiable: the per-sample files of simple_evals cannot be read yet")
    assert "which metric counts is not known" in evidence
    assert "20 answered requests (at least 20 expected)" in evidence
    result = status([gate.invocation_id])
    assert any("not verifiable" in warning for warning in result.warnings)
    assert result.runs[0].gate.evidence == gate.detail["evidence"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_metrics(successful_count=12, count=12, status_codes={"200": 12}), "12 requests were answered, at least 20"),
        (_metrics(status_codes={"200": 20, "429": 1}, count=21), "no_api_errors"),
        (lambda task: (task / "artifacts" / "eval_factory_metrics.json").unlink(), "no_api_errors"),
        (_log("torch.OutOfMemoryError: CUDA out of memory"), "log_scan: failed"),
        (lambda task: (task / "logs" / "stage.exit").write_text("2026-11-21T09:55:35Z 1"), "finished"),
        (
            lambda task: (task / "artifacts" / "results.yml").write_text(
                yaml.safe_dump(
                    {"results": {"tasks": {"t": {"metrics": {"m": {"scores": {"m": {"value": float("nan")}}}}}}}}
                )
            ),
            "no finite score",
        ),
    ],
)
def test_lesser_evidence_with_a_hole_in_it_does_not_pass(
    unread: Path, copies: Copies, damage: Damage, said: str
) -> None:
    copies.damage = damage
    gate = _gate(unread)
    assert not gate.passed
    assert any(said in reason for reason in gate.reasons), gate.reasons


def test_the_verdict_is_made_without_the_config_when_that_is_gone(config: Path, copies: Copies) -> None:
    assert launching.dry_run(str(config)).passed
    launch = launching.canary(str(config), samples=SAMPLES, tasks=[], again=False)
    config.unlink()
    gate = judging.judge(launch.attempt)
    assert gate is not None
    assert gate.passed
    assert gate.detail["estimate"]["gpu_hours"] == -1
    assert any("size of its full set is not known" in note for note in gate.detail["notes"])


def test_a_verdict_of_failure_falls_when_the_canary_is_resumed(config: Path, copies: Copies) -> None:
    copies.damage = lambda task: (task / "logs" / "stage.exit").write_text("2026-11-21T09:55:35Z 1")
    gate = _gate(config)
    attempt = ledger.attempt(gate.invocation_id)
    assert attempt is not None
    with launch_lock.taken(attempt.invocation_id):
        ledger.add_resume(attempt.invocation_id, [TASK])
        (Path(attempt.run_dir) / TASK / "logs" / "stage.exit").write_text("2026-11-21T09:56:35Z 0")
    judged = judging.judge(attempt)
    assert judged is not None
    assert judged.passed
    assert lookup.find(attempt.invocation_id).kind == "canary"


def test_the_tool_says_class_estimate_and_notes(config: Path, copies: Copies) -> None:
    gate = _gate(config)
    result = canary(str(config))
    assert [(task.task, task.classes) for task in result.tasks] == [(TASK, ["plain"])]
    assert result.gate.estimate.requests == 294
    assert result.gate.estimate.longest_answer == 96
    assert result.gate.notes == gate.detail["notes"]
    assert result.uncovered == []
    assert result.next_step.startswith(f"run(config={str(config)!r})")


def test_a_verdict_of_an_older_version_is_still_shown(config: Path, copies: Copies) -> None:
    gate = _gate(config)
    ledger.put_gate(
        ledger.Gate(gate.fingerprint, "canary", True, (), {"estimate": {"requests": 5}}, gate.invocation_id)
    )
    row = gate_row(judging.view(lookup.find(gate.invocation_id)))
    assert (row.passed, row.estimate.requests, row.notes, row.evidence) == (True, 5, [], {})


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"temperature": 0.7}, "parameters: temperature: 0.01 was used, 0.7 in the config"), ({}, "model: ")],
)
def test_a_canary_that_ran_otherwise_than_its_config_says_does_not_pass(
    config: Path, copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    _write(config, tmp_path / "results", **changes)
    if not changes:
        other = endpoint.Served("http://x/v1/models", ("another-model",))
        monkeypatch.setattr(endpoint, "probe", lambda config, env: other)
        config.write_text(config.read_text().replace(MODEL, "another-model"))
    gate = _gate(config)
    assert not gate.passed
    assert any(said in reason for reason in gate.reasons), gate.reasons
    assert validating.validate(lookup.find(gate.invocation_id)).verdict == "invalid", "one run, two verdicts"


def test_the_logs_of_a_failed_canary_are_scanned_once(
    config: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans: list[str] = []
    scan = verify.scan_task
    monkeypatch.setattr(verify, "scan_task", lambda task: scans.append(task.directory) or scan(task))
    copies.damage = _log("torch.OutOfMemoryError: CUDA out of memory")
    gate = _gate(config)
    assert any("cuda_oom" in reason and "(fix: Lower" in reason for reason in gate.reasons)
    assert scans == [TASK]


def test_a_run_without_any_task_does_not_pass(config: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = _gate(config)
    monkeypatch.setattr("quantgate.results.verify.verify", lambda *_: verify.Verification("valid", None, ()))
    found = lookup.find(gate.invocation_id)
    assert not judging._judged(found, {}, 0).passed


def test_without_its_config_the_stamp_tells_what_was_launched(config: Path, copies: Copies) -> None:
    assert launching.dry_run(str(config)).passed
    launch = launching.canary(str(config), samples=SAMPLES, tasks=[], again=False)
    stamp.write(Path(launch.attempt.run_dir), dataclasses.replace(STAMP, tasks=("ifbench.ifbench", UNREAD)))
    config.unlink()
    gate = judging.judge(launch.attempt)
    assert gate is not None
    assert any(f"{UNREAD}: it was to be run" in reason for reason in gate.reasons)
