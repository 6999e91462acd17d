"""The recipes' own configs: each compiles for its place, is clean for check_config, and passes NEL's real dry run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from quantgate.evalconfig.lint import check
from quantgate.launcher import door
from quantgate.tools.compile_config import compile_config

ENV_TOML = """
[artifacts]
backend = "directory"
root = "artifacts"

[cluster]
executor = "slurm"
host = "login.cluster"
user = "me"
account = "research"
partition = "batch"
remote_job_dir = "/shared/jobs"
mounts = ["/lustre:/lustre"]
"""
TOKENIZER = "evaluation.nemo_evaluator_config.config.params.extra.tokenizer=nvidia/some-model"
CASES: dict[str, dict[str, Any]] = {
    "tiny_chat, local": {"recipe": "model_eval", "config": "tiny_chat"},
    "default, local": {"recipe": "model_eval", "config": "default", "overrides": [TOKENIZER]},
    "default, Slurm": {"recipe": "model_eval", "config": "default", "profile": "cluster"},
    "nano3, Slurm": {"recipe": "nano3", "profile": "cluster"},
    "nano3, Slurm, two tasks": {"recipe": "nano3", "profile": "cluster", "tasks": ["adlr_mmlu", "hellaswag"]},
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an env.toml and a store with one artifact of each name, a Megatron iteration."""
    (tmp_path / "env.toml").write_text(ENV_TOML)
    for name in ("model", "rl"):
        iteration = tmp_path / "artifacts" / name / "v3" / "iter_0001000"
        iteration.mkdir(parents=True)
        (iteration / "run_config.yaml").write_text("model:\n  _target_: megatron.bridge.models.gpt.GPTModelProvider\n")
        (iteration / "metadata.json").write_text('{"sharded_backend": "torch_dist"}')
        (iteration / "common.pt").write_bytes(b"x")
        (iteration / ".metadata").write_bytes(b"x")
        (iteration / "__0_0.distcp").write_bytes(b"x")
        (iteration / "tokenizer").mkdir()
        (iteration / "tokenizer" / "tokenizer.json").write_text('{"model": {"vocab": {"a": 0}}}')
        (iteration.parent / "metadata.json").write_text(f'{{"absolute_path": "{iteration}"}}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "hf-not-a-real-one")
    monkeypatch.setenv("NVIDIA_API_KEY", "not-a-real-key")
    # An endpoint that is reserved for documentation would be a finding: the recipe's own defaults are checked.
    for name in list(os.environ):
        if name.startswith(("NEMO_EVALUATOR_", "WANDB_", "NEMOTRON_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_a_recipe_s_config_compiles_is_clean_and_passes_nel_s_dry_run(place: Path, name: str) -> None:
    overrides = list(CASES[name].get("overrides", []))
    if "nano3" in name:
        # Nobody is logged in to Weights & Biases here.
        overrides.append("execution.auto_export.destinations=[]")
    made = compile_config(**CASES[name] | {"overrides": overrides})
    path = Path(made.launcher_config)
    assert [f"{f.rule} {f.path} {f.message}" for f in check(path).findings if f.severity == "error"] == []
    if name != "tiny_chat, local":
        assert f"{place}/artifacts/{'rl' if 'nano3' in name else 'model'}/v3/iter_0001000" in path.read_text()
    answer = door.dry_run(path, dict(os.environ))
    assert answer.invocation_id
