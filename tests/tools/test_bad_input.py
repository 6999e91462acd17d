"""Bad input through the tools as a caller meets it: what is wrong, where, how to fix it, and never a value of a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import QuantgateError
from quantgate.tools import TOOLS, calling

EXAMPLE = Path(__file__).parents[2] / "recipes" / "examples" / "ifbench_process.yaml"


def _call(tool: str, **arguments: Any) -> Any:
    spec = next(s for s in TOOLS if s.name == tool)
    return spec.function(**calling.validated(spec, arguments))


def _refusal(tool: str, **arguments: Any) -> str:
    with pytest.raises(QuantgateError) as refusal:
        _call(tool, **arguments)
    assert refusal.value.fix or refusal.value.where
    return str(refusal.value)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "eval.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def _replace(config: Path, old: str, new: str) -> None:
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


def test_a_missing_value_is_listed_with_its_meaning_and_line(config: Path) -> None:
    _replace(config, "model_id: my-model", "model_id: ???")
    result = _call("check_config", config=str(config))
    assert not result.ok
    (finding,) = [f for f in result.findings if f.rule == "C03"]
    assert finding.path == "target.api_endpoint.model_id"
    assert finding.fix
    assert not _call("dry_run", config=str(config)).passed


@pytest.mark.parametrize("tool", ["read_model_config", "detect_quantization"])
def test_a_missing_checkpoint_directory_is_named(tool: str) -> None:
    assert "/no/such/checkpoint" in _refusal(tool, model="/no/such/checkpoint")


@pytest.mark.parametrize("tool", ["read_model_config", "detect_quantization"])
def test_a_broken_config_json_is_named_with_its_line(tool: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{\n "model_type": "llama",\n "x": \n}\n')
    text = _refusal(tool, model=str(tmp_path))
    assert "config.json" in text
    assert ":4" in text or "line 4" in text


def test_an_unknown_task_gets_the_nearest_names(config: Path) -> None:
    _replace(config, "ifbench.ifbench", "ifbench.ifbensh")
    result = _call("check_config", config=str(config))
    (finding,) = [f for f in result.findings if f.rule == "C15"]
    assert "ifbench.ifbench" in finding.fix + finding.message
    assert "ifbench" in _refusal("edit_config", config=str(config), add_tasks=["ifbensh"])


def test_a_key_variable_that_is_not_set_is_named_and_a_set_one_never_shown(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _replace(config, "DUMMY_API_KEY: lit:dummy", "DUMMY_API_KEY: host:THE_KEY")
    monkeypatch.delenv("THE_KEY", raising=False)
    result = _call("check_config", config=str(config))
    (finding,) = [f for f in result.findings if f.rule == "C11"]
    assert "THE_KEY" in finding.message
    missing = _call("check_environment", config=str(config))
    assert [(c.name, c.set) for c in missing.credentials] == [("THE_KEY", False)]
    assert not missing.ready

    monkeypatch.setenv("THE_KEY", "value-that-stays-inside")
    found = _call("check_environment", config=str(config))
    assert [(c.name, c.set, c.found_in) for c in found.credentials] == [("THE_KEY", True, "environment")]
    checked = _call("check_config", config=str(config))
    assert "value-that-stays-inside" not in found.model_dump_json() + checked.model_dump_json()


@pytest.mark.parametrize(
    "tool", ["check_config", "dry_run", "canary", "run", "edit_config", "check_environment", "compile_config"]
)
def test_a_config_that_is_not_there_is_named(tool: str, tmp_path: Path) -> None:
    assert "none.yaml" in _refusal(tool, config=str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    "tool", ["check_config", "dry_run", "canary", "run", "edit_config", "check_environment", "compile_config"]
)
@pytest.mark.parametrize("name", ["eval\0.yaml", "~nobody-has-this-name/eval.yaml"])
def test_a_config_with_a_name_that_no_file_has_is_refused(tool: str, name: str) -> None:
    assert "absolute path" in _refusal(tool, config=name) or "null byte" in _refusal(tool, config=name)


@pytest.mark.parametrize("content", [b"- a\n- b\n", b"a: [1\n", b"\xff\xfe\x00a", b"a: 1\na: 2\n", b"\ta: 1\n"])
def test_a_file_that_is_no_config_ends_in_a_finding_or_a_refusal_never_in_a_traceback(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "eval.yaml"
    path.write_bytes(content)
    result = _call("check_config", config=str(path))
    assert not result.ok
    assert "eval.yaml" in _refusal("canary", config=str(path))
    assert path.read_bytes() == content


def test_a_harness_without_a_wheel_is_refused_before_anything_runs(config: Path) -> None:
    _replace(config, "ifbench.ifbench", "nemo_skills.ns_mmlu_pro")
    result = _call("check_config", config=str(config))
    (finding,) = [f for f in result.findings if f.rule == "P01"]
    assert "container" in finding.message + finding.fix


@pytest.mark.parametrize("tool", ["status", "logs", "verify_run"])
def test_a_run_that_is_none_is_refused(tool: str) -> None:
    for name in ("../../etc", "0123456789abcdef", "no such run"):
        argument = {"status": {"invocation_ids": [name]}, "logs": {"invocation_id": name}, "verify_run": {"run": name}}[
            tool
        ]
        assert _refusal(tool, **argument)


def test_a_workspace_s_patches_come_with_how_to_carry_them(tmp_path: Path) -> None:
    scripts = tmp_path / "model-fp8" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "upgrade_transformers.sh").write_text("pip install -U transformers\n")
    (tmp_path / "model-fp8" / "output").mkdir()
    result = _call("check_environment", workspace=str(tmp_path))
    (patch,) = result.workspaces[0].patches
    assert patch.path.endswith("upgrade_transformers.sh")
    assert "deployment.command" in patch.carry


def test_the_environment_says_what_is_installed() -> None:
    result = _call("check_environment")
    assert result.launcher.version == result.launcher.validated_version == "0.2.6"
    assert result.containers.usable or result.containers.reason


def test_a_variable_that_the_launchers_defaults_want_is_listed_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quantgate.tools.check_environment import check_environment

    monkeypatch.delenv("USER", raising=False)
    text = (Path(__file__).parents[2] / "recipes" / "examples" / "nvfp4_slurm.yaml").read_text(encoding="utf-8")
    path = tmp_path / "eval.yaml"
    path.write_text("\n".join(line for line in text.splitlines() if "username" not in line) + "\n", encoding="utf-8")
    answer = check_environment(config=str(path))
    (row,) = [row for row in answer.credentials if row.name == "USER"]
    assert not row.set
    assert any("USER" in blocker for blocker in answer.blockers)
