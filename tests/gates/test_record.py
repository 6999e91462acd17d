"""What the ledger and an unchanged config say of a launch, and what is said once the config is another."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.gates import ledger
from quantgate.gates.judgement import record, validating
from quantgate.gates.launches import launching
from quantgate.gates.permission import consent
from quantgate.gates.planning import endpoint, plan
from quantgate.gates.traces import lookup
from quantgate.launcher import door, stamp
from quantgate.results import verify
from quantgate.results.checks import identity
from quantgate.results.launch_record import NO_RECORD
from quantgate.results.run_config import read_run_config
from quantgate.runs.rundir import RunDir

from ..runs.building import REAL
from .launches import Launches, write_config

TASK = "ifbench.ifbench.0"
MODEL = "gemma-3-270m-q4_k_m"


def _launched(config: Path) -> lookup.Run:
    assert launching.dry_run(str(config)).passed
    attempt = launching.canary(str(config), samples=10, tasks=[], again=False).attempt
    return lookup.Run(attempt.invocation_id, None, attempt, "process")


def test_the_record_has_what_was_asked_for_and_what_the_endpoint_listed(config: Path, nel: Launches) -> None:
    found = record.of(_launched(config))
    assert found.kind == "canary"
    assert found.unknown == ""
    assert found.params == {TASK: {"max_new_tokens": 64}}
    assert (found.model_id, found.served, found.served_at) == ("m", ("m",), "http://x/v1/models")
    assert (found.checkpoint, found.deployed, found.identity) == ("", False, "")


def test_of_a_config_that_was_changed_since_nothing_is_concluded(config: Path, nel: Launches, tmp_path: Path) -> None:
    run = _launched(config)
    write_config(config, tmp_path / "results", temperature=0.7)
    found = record.of(run)
    assert found.params == {}
    assert "is gone, or another by now" in found.unknown
    assert found.served == ("m",)
    config.unlink()
    assert record.of(run).params == {}


def test_a_declared_checkpoint_is_named_with_its_identity_at_the_launch(
    config: Path, nel: Launches, tmp_path: Path, checkpoints: Path
) -> None:
    content = yaml.safe_load(config.read_text())
    content["quantgate"] = {"checkpoint": str(checkpoints)}
    config.write_text(yaml.safe_dump(content))
    run = _launched(config)
    found = record.of(run)
    assert (found.checkpoint, found.deployed) == (str(checkpoints), False)
    assert len(found.identity) == 16
    config.unlink()
    # The ledger keeps the digests when the config is gone.
    assert record.of(run).identity == found.identity


@pytest.fixture
def checkpoints() -> Path:
    return Path(__file__).parents[1] / "data" / "checkpoints" / "bf16_dense"


def test_the_tasks_of_a_filtered_launch_are_numbered_anew(config: Path, nel: Launches, tmp_path: Path) -> None:
    write_config(config, tmp_path / "results", tasks=("simple_evals.mmlu_pro", "ifbench.ifbench"))
    content = yaml.safe_load(config.read_text())
    content["evaluation"]["tasks"][1]["nemo_evaluator_config"] = {"config": {"params": {"temperature": 0.2}}}
    config.write_text(yaml.safe_dump(content))
    run = _launched(config)
    assert run.attempt is not None
    only = dataclasses.replace(run.attempt, tasks=("ifbench.ifbench",))
    found = record.of(dataclasses.replace(run, attempt=only))
    assert found.params == {TASK: {"max_new_tokens": 64, "temperature": 0.2}}


def test_a_task_with_a_model_name_of_its_own_leaves_the_name_open(config: Path, nel: Launches) -> None:
    content = yaml.safe_load(config.read_text())
    override = {"target": {"api_endpoint": {"model_id": "other"}}}
    content["evaluation"]["tasks"][0]["nemo_evaluator_config"] = override
    config.write_text(yaml.safe_dump(content))
    planned = plan.read(str(config))
    assert record._model_id(planned.config, deployed=False) == ""


def test_a_run_of_nobodys_launch_has_only_its_stamps_kind() -> None:
    directory = RunDir.find(REAL)
    run = lookup.Run("", directory, None, "")
    assert (record.of(run).kind, record.of(run).params) == ("external", {})
    stamped = stamp.Stamp("0" * 16, "full", 0, (), 1, "f", "d")
    run.__dict__["stamp"] = stamped
    assert record.of(run).kind == "full"


@pytest.fixture
def real(config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The config of the real run; its launch makes a copy of that run."""

    def launch(request: door.Request, env: Any) -> door.Answer:
        shutil.copytree(REAL / TASK, request.output_dir / f"20261121_095453-{request.invocation_id}" / TASK)
        return door.Answer(request.invocation_id, "", "")

    monkeypatch.setattr(door, "launch", launch)
    served = endpoint.Served("http://127.0.0.1:18081/v1/models", (MODEL,))
    monkeypatch.setattr(endpoint, "probe", lambda config, env: served)
    write_config(config, tmp_path / "results", max_new_tokens=96, temperature=0.01, top_p=0.95, parallelism=4)
    content = yaml.safe_load(config.read_text())
    content["target"]["api_endpoint"]["model_id"] = MODEL
    config.write_text(yaml.safe_dump(content))
    return config


def _verified(config: Path) -> verify.Verification:
    assert launching.dry_run(str(config)).passed
    attempt = launching.canary(str(config), samples=20, tasks=[], again=False).attempt
    return validating.validate(lookup.find(attempt.invocation_id))


def _details(verification: verify.Verification) -> dict[str, tuple[bool, str]]:
    (task,) = verification.tasks
    return {c.name: (c.ok, c.detail) for c in task.checks}


def test_a_run_that_did_what_its_config_says_is_valid_and_shown_to_be_so(real: Path) -> None:
    found = _verified(real)
    assert found.verdict == "valid"
    assert _details(found)["parameters"] == (True, "the 4 of the config, by run_config.yml")
    # Nobody shows which weights the endpoint had; what is known of it is said.
    shown, said = _details(found)["checkpoint"]
    assert (shown, f"http://127.0.0.1:18081/v1/models listed {MODEL} at the launch" in said) == (False, True)


def test_a_run_with_other_parameters_than_its_config_is_invalid(real: Path) -> None:
    content = yaml.safe_load(real.read_text())
    content["evaluation"]["nemo_evaluator_config"]["config"]["params"]["temperature"] = 0.6
    real.write_text(yaml.safe_dump(content))
    found = _verified(real)
    assert found.verdict == "invalid"
    assert _details(found)["parameters"] == (False, "temperature: 0.01 was used, 0.6 in the config")


@pytest.mark.parametrize(
    ("endpoint_config", "expected"),
    [
        (
            {"adapter_config": {"use_caching": True, "params_to_remove": None}},
            (True, "the 6 of the config, by run_config.yml"),
        ),
        (
            {"adapter_config": {"params_to_add": {"top_k": 20}, "custom_system_prompt": "not switched on"}},
            (False, "params_to_add.top_k: None was used, 20 in the config"),
        ),
        (
            {"adapter_config": {"use_reasoning": True, "use_system_prompt": True, "custom_system_prompt": "Hi."}},
            (
                False,
                "custom_system_prompt: None was used, Hi. in the config; process_reasoning_traces: False was used, True",
            ),
        ),
        ({"type": "completions"}, (False, "type: chat was used, completions in the config")),
        ({"adapter_config": {"interceptors": [], "params_to_add": {"x": 1}}}, (True, "the 4 of the config")),
    ],
)
def test_the_adapter_and_the_endpoints_type_are_compared_too(
    real: Path, endpoint_config: dict[str, Any], expected: tuple[bool, str]
) -> None:
    content = yaml.safe_load(real.read_text())
    content["evaluation"]["nemo_evaluator_config"]["target"] = {"api_endpoint": endpoint_config}
    real.write_text(yaml.safe_dump(content))
    planned = plan.read(str(real))
    (task,) = planned.composed.tasks
    found = dataclasses.replace(
        NO_RECORD, params={TASK: task.params}, endpoint={TASK: record._endpoint(planned.config, task)}
    )
    (directory,) = RunDir.find(REAL).tasks
    check = identity.parameters(directory, read_run_config(directory.artifacts), found)
    assert (check.ok, check.detail.startswith(expected[1])) == (expected[0], True), check.detail


def test_a_run_of_another_model_than_its_config_names_is_invalid(real: Path) -> None:
    real.write_text(real.read_text().replace(MODEL, "another-model"))
    found = _verified(real)
    assert found.verdict == "invalid"
    assert "the config names another-model" in _details(found)["model"][1]


@pytest.mark.parametrize("answer", ["", "{", "[]", '{"models": 3}', '{"models": null, "url": 1}'])
def test_a_damaged_entry_of_the_endpoint_is_no_entry(config: Path, nel: Launches, answer: str) -> None:
    run = _launched(config)
    assert run.attempt is not None
    found = record.of(dataclasses.replace(run, attempt=dataclasses.replace(run.attempt, endpoint=answer)))
    assert found.served == ()
    assert ledger.count() == 1
    assert not consent.skipped_gates_allowed()
