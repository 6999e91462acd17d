"""A config in the shape of the published ones, with all that NEL 0.2.6 refuses in it at once: it must pass NEL's real dry run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from quantgate.errors import LauncherError
from quantgate.evalconfig.lint import check
from quantgate.launcher import door
from quantgate.tools.compile_config import compile_config

ENV_TOML = """
[wandb]
project = "nemotron"
entity = "team"

[base]
executor = "slurm"
account = "research"
partition = "batch"
mounts = ["/lustre:/lustre"]

[cluster]
extends = "base"
host = "login.cluster"
user = "me"
time = "02:00:00"
[cluster.env_vars]
NCCL_DEBUG = "INFO"
"""
PUBLISHED = """
dry_run: false
task_filters: null
run:
  model: rl:latest
  env:
    container: nvcr.io/nvidia/nemo:25.11.nemotron_3_nano
    executor: slurm
    host: ${oc.env:HOSTNAME,localhost}
    user: ${oc.env:USER,user}
    account: null
    partition: null
    nodes: 1
    ntasks_per_node: 1
    gpus_per_node: 8
    remote_job_dir: /lustre/jobs
    time: "04:00:00"
  wandb: {entity: null, project: null}
execution:
  type: slurm
  hostname: ${run.env.host}
  username: ${run.env.user}
  account: ${run.env.account}
  partition: ${run.env.partition}
  num_nodes: ${run.env.nodes}
  ntasks_per_node: ${run.env.ntasks_per_node}
  gres: gpu:${run.env.gpus_per_node}
  walltime: ${run.env.time}
  output_dir: ${run.env.remote_job_dir}/evaluations
  env_vars:
    deployment: {}
    evaluation: {HF_TOKEN: HF_TOKEN}
    export: {}
  auto_export: {enabled: true, destinations: [wandb]}
  proxy: {image: null}
  mounts: {deployment: {}, evaluation: {}, mount_home: false}
deployment:
  type: generic
  multiple_instances: true
  image: ${run.env.container}
  checkpoint_path: ${art:model,path}
  port: 1235
  served_model_name: nemo-model
  health_check_path: /v1/health
  endpoints: {chat: /v1/chat/completions/, completions: /v1/completions/, health: /v1/health}
  command: >-
    bash -c 'python deploy_ray_inframework.py --megatron_checkpoint /checkpoint/ --num_gpus ${run.env.gpus_per_node}
    --port ${deployment.port}'
target:
  api_endpoint: {url: http://localhost:1235/v1/completions, model_id: nemo-model}
evaluation:
  nemo_evaluator_config:
    config:
      params:
        parallelism: 4
        request_timeout: 6000
        extra: {tokenizer: "${deployment.checkpoint_path}/tokenizer", tokenizer_backend: huggingface}
  tasks:
    - name: adlr_mmlu
      nemo_evaluator_config: {config: {params: {top_p: 0.0}}}
    - name: adlr_arc_challenge_llama_25_shot
    - name: adlr_winogrande_5_shot
    - name: hellaswag
    - name: openbookqa
export:
  wandb:
    entity: ${run.wandb.entity}
    project: ${run.wandb.project}
"""


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env.toml").write_text(ENV_TOML)
    (tmp_path / "published.yaml").write_text(PUBLISHED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "hf-not-a-real-one")
    monkeypatch.setenv("WANDB_API_KEY", "not-a-real-key")
    for name in ("NEMOTRON_ENV_FILE", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)


def test_it_compiles_is_clean_and_passes_nel_s_dry_run() -> None:
    checkpoint = "deployment.checkpoint_path=/lustre/rl/iter_0001000"
    made = compile_config(config="./published.yaml", profile="cluster", overrides=[checkpoint])
    assert made.warnings == []
    path = Path(made.launcher_config)
    config = yaml.safe_load(path.read_text())
    assert (config["execution"]["account"], config["execution"]["walltime"]) == ("research", "02:00:00")
    assert config["env_vars"] == {"NCCL_DEBUG": "lit:INFO"}
    assert config["export"]["wandb"] == {"entity": "team", "project": "nemotron"}
    assert [finding for finding in check(path).findings if finding.severity == "error"] == []
    assert door.dry_run(path, dict(os.environ)).invocation_id


def test_without_the_compiler_nel_refuses_it_also_with_every_reference_written_out(tmp_path: Path) -> None:
    run = yaml.safe_load(PUBLISHED)["run"]
    text = PUBLISHED.replace("${art:model,path}", "/lustre/rl/iter_0001000")
    for key, value in {
        **run["env"],
        "account": "research",
        "partition": "batch",
        "host": "login",
        "user": "me",
    }.items():
        text = text.replace(f"${{run.env.{key}}}", str(value))
    text = text.replace("${run.wandb.entity}", "team").replace("${run.wandb.project}", "nemotron")
    plain = {key: value for key, value in yaml.safe_load(text).items() if key not in ("run", "dry_run", "task_filters")}
    path = tmp_path / "plain.yaml"
    path.write_text(
        yaml.safe_dump({"defaults": [{"execution": "slurm/default"}, {"deployment": "generic"}, "_self_"], **plain})
    )
    with pytest.raises(LauncherError, match="env_vars"):
        door.dry_run(path, dict(os.environ))
