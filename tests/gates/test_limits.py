"""Where samples come from, which tasks cannot be limited, and what a run says that it will spend. NEL's child is stood in for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.benchmarks import catalogue, limits
from quantgate.errors import ConfigError, Refused
from quantgate.gates import ledger
from quantgate.gates.judgement import estimate, spending
from quantgate.gates.launches import launching, submission
from quantgate.gates.planning import plan
from quantgate.tools.canary import canary
from quantgate.tools.run import run

from .launches import Launches, write_config
from .test_estimate import JUDGED, PLAIN

LIMITED = "ifbench.ifbench"
GARAK = "garak.garak"


@pytest.fixture(autouse=True)
def _any_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    """garak has no wheel for the process executor; what is tested here comes before that."""
    monkeypatch.setattr(submission, "_require_harnesses", lambda planned, tasks: None)
    monkeypatch.setattr("quantgate.evalconfig.lint.check", _without_process_rules())


def _without_process_rules() -> Any:
    from quantgate.evalconfig import lint

    check = lint.check

    def checked(path: Path) -> Any:
        report = check(path)
        return dataclasses.replace(report, findings=[f for f in report.findings if "garak" not in f.message])

    return checked


def _pass(config: Path, tasks: list[str], figures: tuple[estimate.TaskFigures, ...] = ()) -> None:
    launch = launching.canary(str(config), samples=5, tasks=tasks, again=False)
    detail = {"figures": estimate.as_detail(figures)}
    ledger.put_gate(ledger.Gate(launch.plan.fingerprint, "canary", True, (), detail, launch.attempt.invocation_id))


def test_the_table_names_the_harnesses_of_the_catalogue_that_never_use_the_limit() -> None:
    tasks = catalogue.load_catalogue().tasks.values()
    unlimited = {task.harness for task in tasks if "limit_samples" not in task.command}
    assert unlimited == {"garak", "mteb", "genai_perf_eval"}
    assert unlimited | {"nemo_gym"} == set(limits.unlimited_rows())
    assert all(bool(limits.watch_instead(task.id, task)) == (task.harness in unlimited) for task in tasks)


def test_a_task_outside_the_catalogue_is_known_by_the_harness_in_its_name() -> None:
    assert limits.watch_instead("nemo_gym.math", None)
    assert not limits.watch_instead("other.math", None)


def test_a_config_of_such_a_task_needs_no_canary_and_the_run_says_what_to_watch(
    config: Path, nel: Launches, tmp_path: Path
) -> None:
    write_config(config, tmp_path / "results", tasks=(GARAK,))
    with pytest.raises(Refused, match="dry run was not made"):
        launching.run(str(config), tasks=[], max_samples=0, skip_gates_reason="")
    assert launching.dry_run(str(config)).passed
    with pytest.raises(
        Refused, match=r"limit_samples does nothing for garak\.garak.*each probe.*no canary is needed: run\("
    ):
        canary(str(config))
    result = run(str(config))
    assert result.kind == "full"
    assert any("garak.garak had no canary" in w and "each probe" in w for w in result.warnings)
    assert [request.limit for request in nel.requests] == [0]


def test_in_a_mixed_config_the_other_tasks_still_need_their_canary(config: Path, nel: Launches, tmp_path: Path) -> None:
    write_config(config, tmp_path / "results", tasks=(LIMITED, GARAK))
    assert launching.dry_run(str(config)).passed
    with pytest.raises(Refused, match=r"canary\(config='.*', tasks=\['ifbench\.ifbench'\]\), then run"):
        canary(str(config))
    assert nel.requests == []
    with pytest.raises(
        Refused, match=r"No canary was run of ifbench\.ifbench.*Fix: canary\(config='.*', tasks=\['ifbench"
    ):
        run(str(config))
    _pass(config, [LIMITED])
    result = canary(str(config), tasks=[LIMITED])
    assert result.uncovered == []
    assert result.next_step.startswith("run(")
    assert run(str(config)).kind == "full"


def test_a_subset_of_a_task_that_cannot_be_limited_is_refused(config: Path, nel: Launches, tmp_path: Path) -> None:
    write_config(config, tmp_path / "results", tasks=(LIMITED, GARAK))
    launching.dry_run(str(config))
    _pass(config, [LIMITED])
    with pytest.raises(Refused, match=r"with max_samples it would be run whole.*tasks=\['ifbench\.ifbench'\]"):
        run(str(config), max_samples=5)
    assert run(str(config), tasks=[LIMITED], max_samples=5).kind == "subset"


@pytest.mark.parametrize("given", [5, None])
@pytest.mark.parametrize("where", ["all", "task"])
def test_a_limit_in_the_config_is_refused_by_name_even_when_the_lint_is_silenced(
    config: Path, nel: Launches, where: str, given: int | None
) -> None:
    content = yaml.safe_load(config.read_text())
    limit = {"config": {"params": {"limit_samples": given}}}
    if where == "all":
        content["evaluation"]["nemo_evaluator_config"] = limit
    else:
        content["evaluation"]["tasks"][0]["nemo_evaluator_config"] = limit
    content["quantgate"] = {"silence": ["T16"]}
    config.write_text(yaml.safe_dump(content))
    launching.dry_run(str(config))
    for call in (lambda: canary(str(config)), lambda: run(str(config)), lambda: run(str(config), max_samples=3)):
        with pytest.raises(Refused, match=r"limit_samples.*unset=\['evaluation\..*max_samples"):
            call()
    assert nel.requests == []


def test_a_subset_that_leaves_nothing_out_is_refused(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    _pass(config, [])
    with pytest.raises(Refused, match=r"leaves nothing out: ifbench\.ifbench has 294"):
        run(str(config), max_samples=294)
    result = run(str(config), max_samples=293)
    assert result.kind == "subset"
    assert any("its score is the subset's" in w for w in result.warnings)


def test_a_canary_of_the_full_set_is_said_to_be_the_full_run(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    result = canary(str(config), samples=294)
    assert any("this canary is the full run of it" in w for w in result.warnings)
    assert not any("full run of it" in w for w in canary(str(config), samples=293, again=True).warnings)


def test_a_partial_canary_names_the_classes_that_it_leaves_untried(config: Path, nel: Launches, tmp_path: Path) -> None:
    judged, sandboxed = "simple_evals.AIME_2025", "simple_evals.humaneval"
    write_config(config, tmp_path / "results", tasks=(LIMITED, judged, sandboxed))
    assert {t.name: t.classes for t in plan.read(str(config)).tasks} == {
        LIMITED: ("plain",),
        judged: ("judge",),
        sandboxed: ("code sandbox",),
    }
    launching.dry_run(str(config))
    _pass(config, [LIMITED])
    result = canary(str(config), tasks=[LIMITED])
    assert {row.risk: row.tasks for row in result.uncovered} == {"judge": [judged], "code sandbox": [sandboxed]}
    assert f"tasks={[judged, sandboxed]!r}" in result.next_step
    with pytest.raises(Refused, match="No canary was run of"):
        run(str(config))
    _pass(config, [judged])
    assert {row.risk: row.tasks for row in canary(str(config), tasks=[LIMITED]).uncovered} == {
        "code sandbox": [sandboxed]
    }


def test_a_run_says_what_it_will_spend(config: Path, nel: Launches) -> None:
    launching.dry_run(str(config))
    _pass(config, [], (dataclasses.replace(PLAIN, task=LIMITED, seconds=72.0),))
    result = run(str(config), max_samples=50)
    assert (result.planned_requests, result.judge_requests, result.gpu_hours_at_most) == (50, 0, 0.0)
    assert (result.hours_estimated, result.gpu_hours_estimated) == (pytest.approx(50 * 7.2 / 3600), 0.0)
    assert "status(" in result.next_step


def test_a_launched_run_is_told_although_nothing_else_of_it_can_be(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching.dry_run(str(config))
    _pass(config, [])

    def fails(*_: Any) -> Any:
        raise ConfigError("the config is gone", where=str(config))

    monkeypatch.setattr(plan.Plan, "gpus", fails)
    monkeypatch.setattr("quantgate.tools.run.judging.look", fails)
    result = run(str(config))
    assert result.invocation_id == nel.requests[-1].invocation_id
    assert (result.state, result.planned_requests, result.gpu_hours_at_most) == ("unknown", -1, -1.0)
    assert sum("the config is gone" in warning for warning in result.warnings) == 2


def test_without_figures_of_every_task_no_hours_are_told(config: Path, nel: Launches, tmp_path: Path) -> None:
    launching.dry_run(str(config))
    _pass(config, [])
    assert run(str(config)).hours_estimated == -1


def _planned(config: Path, gpus: int | None, monkeypatch: pytest.MonkeyPatch, *tasks: plan.PlannedTask) -> plan.Plan:
    monkeypatch.setattr(plan.Plan, "gpus", lambda self: gpus)
    return dataclasses.replace(plan.read(str(config)), tasks=tasks)


def test_judge_calls_and_gpu_hours_are_counted_or_said_to_be_unknown(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    launching.dry_run(str(config))
    _pass(config, [], (PLAIN, JUDGED))
    plain = plan.PlannedTask("a.plain.0", "a.plain", "a", "", 300, 1)
    judged = plan.PlannedTask("b.judged.1", "b.judged", "b", "", 25, 4, classes=("judge", "user simulator"))
    told = spending.spending(_planned(config, 8, monkeypatch, plain, judged), [], 0)
    assert (told.requests, told.judge_requests, told.gpu_hours_at_most) == (400, 100, -1.0)
    assert told.hours == pytest.approx(400 * 2.4 / 3600, abs=0.001)
    assert told.gpu_hours == pytest.approx(told.hours * 8, abs=0.01)
    assert any("user simulator" in note for note in told.notes)
    unsized = dataclasses.replace(judged, samples=None)
    told = spending.spending(_planned(config, 8, monkeypatch, plain, unsized), [], 0)
    assert (told.requests, told.judge_requests, told.hours, told.gpu_hours) == (300, -1, -1, -1)
    assert any("not known before it runs" in note for note in told.notes)
    twice = dataclasses.replace(plain, directory="a.plain.1")
    told = spending.spending(_planned(config, 8, monkeypatch, plain, twice), [], 0)
    assert (told.requests, told.hours) == (600, pytest.approx(600 * 2.4 / 3600, abs=0.001))
    told = spending.spending(_planned(config, None, monkeypatch, plain), [], 10)
    assert (told.requests, told.gpu_hours, told.gpu_hours_at_most) == (10, -1, -1)


def test_the_server_s_slots_are_max_num_seqs_of_every_replica(config: Path) -> None:
    content = yaml.safe_load(config.read_text())
    content["defaults"] = [{"execution": "slurm/default"}, {"deployment": "vllm"}, "_self_"]
    content["execution"] |= {"username": "someone", "hostname": "login", "account": "team", "num_nodes": 2}
    content["execution"] |= {"num_instances": 2}
    content["execution"].pop("type")
    command = "vllm serve /checkpoint --tensor-parallel-size 2 --data-parallel-size 4"
    content["deployment"] = {"image": "v", "served_model_name": "m", "command": f"{command} --max-num-seqs 64"}
    config.write_text(yaml.safe_dump(content))
    assert plan.read(str(config)).slots() == 64 * 4 * 2
    content["deployment"]["command"] = command
    config.write_text(yaml.safe_dump(content))
    assert plan.read(str(config)).slots() is None
