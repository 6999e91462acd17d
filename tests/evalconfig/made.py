"""Configs that the tests break: each is valid as it stands."""

from pathlib import Path

PROCESS = """\
# IFBench against a local endpoint
defaults:
  - execution: local
  - deployment: none
  - _self_

execution:
  type: process # no container
  output_dir: /tmp/results

target:
  api_endpoint:
    model_id: small
    url: http://127.0.0.1:8080/v1/chat/completions
    api_key_name: DUMMY_API_KEY

evaluation:
  env_vars:
    DUMMY_API_KEY: lit:dummy
  nemo_evaluator_config:
    config:
      params:
        parallelism: 4 # what the server bears
        temperature: 0.0
  # the benchmarks
  tasks:
    - name: ifbench.ifbench # 294 prompts

# nothing is exported
"""

SLURM = """\
defaults:
  - execution: slurm/default
  - deployment: vllm
  - _self_
execution:
  hostname: login.cluster
  username: someone
  account: team
  walltime: "04:00:00"
  output_dir: /shared/results
deployment:
  image: vllm/vllm-openai:v0.11.0
  checkpoint_path: /shared/models/m-NVFP4
  hf_model_handle: null
  served_model_name: m
evaluation:
  nemo_evaluator_config:
    config:
      params:
        parallelism: 16
  tasks:
    - name: nemo_skills.ns_mmlu_pro
"""


def write(directory: Path, text: str, name: str = "eval.yaml") -> Path:
    """The text as a config file in a directory."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path
