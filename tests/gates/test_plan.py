"""What a config is to the gates: what its fingerprint covers, and configs that no person would write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate import redact
from quantgate.errors import ConfigError
from quantgate.gates.launches import launching
from quantgate.gates.planning import plan

from .launches import Launches

SLURM = {"username": "me", "hostname": "login", "account": "team", "output_dir": "/o"}


def _changed(config: Path, **sections: Any) -> str:
    content = yaml.safe_load(config.read_text()) | sections
    config.write_text(yaml.safe_dump(content))
    return str(config)


def _checkpoint(path: Path) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["L"]}))
    (path / "model.bin").write_bytes(b"a" * 100)
    return path


def test_the_deployed_checkpoint_counts_although_another_one_is_declared(config: Path, tmp_path: Path) -> None:
    declared, deployed = _checkpoint(tmp_path / "declared"), _checkpoint(tmp_path / "deployed")
    named = _changed(
        config,
        defaults=[{"execution": "local"}, {"deployment": "vllm"}, "_self_"],
        execution={"type": "local", "output_dir": str(tmp_path / "results")},
        deployment={"checkpoint_path": str(deployed), "served_model_name": "m"},
        quantgate={"checkpoint": str(declared)},
    )
    before = plan.read(named)
    assert before.checkpoint == str(deployed)
    (deployed / "model.bin").write_bytes(b"b" * 100)
    assert plan.read(named).fingerprint != before.fingerprint


def test_without_a_deployment_the_declared_checkpoint_counts(config: Path, tmp_path: Path) -> None:
    declared = _checkpoint(tmp_path / "declared")
    named = _changed(config, quantgate={"checkpoint": str(declared)})
    before = plan.read(named)
    (declared / "model.bin").write_bytes(b"b" * 100)
    assert plan.read(named).fingerprint != before.fingerprint


def test_a_dry_run_says_that_it_cannot_see_the_checkpoint_on_a_cluster(
    config: Path, nel: Launches, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantgate.tools import dry_run

    deployment: dict[str, Any] = {"checkpoint_path": "/shared/model", "served_model_name": "m"}
    defaults = [{"execution": "slurm/default"}, {"deployment": "vllm"}, "_self_"]
    named = _changed(config, defaults=defaults, execution=SLURM, deployment=deployment)
    monkeypatch.setattr("quantgate.evalconfig.lint.check", lambda path: type("Report", (), {"findings": []})())
    (warning,) = [w for w in dry_run.dry_run(named).warnings if "/shared/model" in w]
    assert "not part of the fingerprint" in warning
    deployment["checkpoint_path"] = None
    assert plan.read(_changed(config, deployment=deployment)).unseen_checkpoint == ""


@pytest.mark.parametrize("extra", ["foo", ["num_repeats"], 3])
def test_extra_parameters_that_are_no_section_ask_for_one_answer_each_and_the_dry_run_lists_them(
    config: Path, nel: Launches, extra: Any
) -> None:
    params = {"max_new_tokens": 64, "extra": extra}
    content = yaml.safe_load(config.read_text())
    content["evaluation"]["nemo_evaluator_config"]["config"]["params"] = params
    named = _changed(config, **content)
    assert plan.read(named).tasks[0].repeats == 1
    outcome = launching.dry_run(named)
    assert not outcome.passed
    assert any(f.path.endswith("params.extra") for f in outcome.findings)


@pytest.mark.parametrize("section", ["deployment", "target"])
@pytest.mark.parametrize("value", ["foo", ["foo"]])
def test_a_section_that_is_none_ends_in_the_lint_s_findings(
    config: Path, nel: Launches, section: str, value: Any
) -> None:
    named = _changed(config, defaults=[{"execution": "local"}, "_self_"], **{section: value})
    outcome = launching.dry_run(named)
    assert not outcome.passed
    assert outcome.findings
    assert (outcome.plan.gpus(), outcome.plan.slots()) == (0, None)


def test_an_execution_that_is_no_section_is_refused_with_its_place(config: Path, nel: Launches) -> None:
    with pytest.raises(ConfigError, match=r"execution\.output_dir"):
        launching.dry_run(_changed(config, execution="foo"))


@pytest.mark.parametrize("name", ["a\0b.yaml", "~nobody-has-this-name/x.yaml"])
def test_a_name_that_no_file_has_is_refused_not_a_traceback(name: str) -> None:
    for call in (plan.read, launching.dry_run):
        with pytest.raises(ConfigError) as refusal:
            call(name)
        assert refusal.value.where
        assert refusal.value.fix


def test_secrets_that_the_config_itself_gives_are_masked_once_its_environment_was_made(config: Path) -> None:
    content = yaml.safe_load(config.read_text())
    content["evaluation"]["env_vars"] |= {
        "OWN_TOKEN": "lit:not-known-4711",
        "PIN_KEY": "lit:x9#k",
        "A_KEY": "lit:no-key",
    }
    content["target"]["api_endpoint"]["url"] += "?sig=Zz99yy88xx77ww66"
    plan.read(_changed(config, **content)).environment()
    assert redact.redact("Zz99yy88xx77ww66") == "[redacted]"
    assert redact.redact("not-known-4711, x9#k, no-key and dummy") == "[redacted], [redacted], no-key and dummy"


def test_the_size_of_a_task_without_a_recipe_comes_from_the_registry(config: Path) -> None:
    (task,) = plan.read(_changed(config, evaluation={"tasks": [{"name": "simple_evals.mmlu_pro"}]})).tasks
    assert (task.samples, task.requests(0), task.requests(200)) == (12032, 12032, 200)


def test_a_limit_counts_for_each_part_of_a_set_in_parts(config: Path) -> None:
    (task,) = plan.read(_changed(config, evaluation={"tasks": [{"name": "ruler.ruler-16k-chat"}]})).tasks
    assert task.parts > 1
    assert task.requests(2) == 2 * task.parts
