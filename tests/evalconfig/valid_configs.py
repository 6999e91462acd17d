"""Configs as people write them, each valid: the rules must have no error to say of them."""

from .made import PROCESS

LOCAL = PROCESS.replace("  type: process # no container\n", "").replace("http://127.0.0.1:8080", "http://10.0.0.5:8080")

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
  mounts: {mount_home: false}
deployment:
  image: vllm/vllm-openai:v0.20.0
  checkpoint_path: /shared/models/m-FP8
  hf_model_handle: null
  served_model_name: m
  tensor_parallel_size: 8
target:
  api_endpoint:
    api_key_name: DUMMY_API_KEY
evaluation:
  env_vars:
    DUMMY_API_KEY: lit:dummy
  nemo_evaluator_config:
    config:
      params:
        parallelism: 16
  tasks:
    - name: nemo_skills.ns_mmlu_pro
"""

_SERVED = """\
defaults:
  - execution: local
  - deployment: {group}
  - _self_
execution:
  output_dir: /data/results
deployment:
{deployment}
target:
  api_endpoint: {{api_key_name: DUMMY_API_KEY}}
evaluation:
  env_vars: {{DUMMY_API_KEY: "lit:dummy"}}
  nemo_evaluator_config: {{config: {{params: {{parallelism: 8}}}}}}
  tasks:
    - name: simple_evals.gpqa_diamond
"""


def served(group: str, deployment: str) -> str:
    """A config that serves a model with Docker on this machine."""
    body = "\n".join(f"  {line}" for line in deployment.strip().splitlines())
    return _SERVED.format(group=group, deployment=body)


SCRIPT = """\
  command: |
    #!/bin/bash
    set -euo pipefail
    # the model lies on a shared disk
    export VLLM_USE_V1=1
    if [ "$PROC_ID" -eq 0 ]; then
      exec vllm serve /checkpoint \\
        --served-model-name ${deployment.served_model_name} \\
        --port ${deployment.port} --tensor-parallel-size 8
    fi
"""

VALID = {
    "a process": PROCESS,
    "an endpoint, with Docker": LOCAL,
    "localhost with the host's network": LOCAL.replace("10.0.0.5", "localhost").replace(
        "  output_dir:", "  extra_docker_args: --network host\n  output_dir:"
    ),
    "the host by Docker's name for it": LOCAL.replace("10.0.0.5", "host.docker.internal"),
    "a private gateway": LOCAL.replace("http://10.0.0.5:8080", "https://llm.corp.internal/team-a"),
    "an Azure address": LOCAL.replace(
        "http://10.0.0.5:8080/v1/chat/completions",
        "https://x.openai.azure.com/openai/deployments/m/chat/completions?api-version=2024-10-21",
    ),
    "Slurm": SLURM,
    "Slurm, nodes and instances": SLURM.replace("  account:", "  num_nodes: 4\n  num_instances: 2\n  account:"),
    "Slurm, days": SLURM.replace('"04:00:00"', "1-00:00:00"),
    "Slurm, options": SLURM.replace(
        "  account:",
        "  gres: gpu:h100:8\n  sbatch_extra_flags: {exclusive: true, constraint: h100, switches: 1, qos: high}\n"
        "  sbatch_comment: weekly run\n  max_walltime: null\n  cpu_partition: cpu\n  account:",
    ),
    "Slurm, GPUs by node": SLURM.replace("  account:", "  gres: null\n  gpus_per_node: 8\n  account:"),
    "Slurm, mounts": SLURM.replace(
        "{mount_home: false}",
        "{mount_home: false, deployment: {/shared/hf: /hf}, evaluation: {/shared/data: '/data:ro'}}",
    ),
    "Slurm, a script": SLURM.replace("  tensor_parallel_size: 8\n", SCRIPT),
    "Slurm, own variable": SLURM.replace("/shared/results", "${root}/results") + "root: /shared\n",
    "Slurm, own variable of the deployment": SLURM.replace(
        "  tensor_parallel_size: 8\n", "  loader: auto\n  extra_args: --load-format ${deployment.loader}\n"
    ),
    "Slurm, user from the environment": SLURM.replace(
        "username: someone", "username: ${oc.env:QUANTGATE_TEST_USER,me}"
    ),
    "Slurm, GPU for the harness": SLURM.replace("  account:", "  evaluation_gpu_visible: true\n  account:"),
    "Slurm, an image file": SLURM.replace("vllm/vllm-openai:v0.20.0", "/shared/images/vllm-0.20.0.sqsh"),
    "Slurm, an image of enroot": SLURM.replace("vllm/vllm-openai:v0.20.0", "nvcr.io#nvidia/vllm:26.01-py3"),
    "Ray": SLURM.replace("deployment: vllm", "deployment: vllm_ray"),
    "SGLang": SLURM.replace("deployment: vllm", "deployment: sglang").replace(
        "vllm/vllm-openai:v0.20.0", "lmsysorg/sglang:v0.5.5"
    ),
    "a handle": SLURM.replace("/shared/models/m-FP8", "null").replace(
        "hf_model_handle: null", "hf_model_handle: org/m"
    ),
    "vLLM, with Docker": served(
        "vllm", "image: vllm/vllm-openai:v0.20.0\ncheckpoint_path: null\nhf_model_handle: org/m\nserved_model_name: m"
    ),
    "vLLM, wrapped": served(
        "vllm",
        "image: vllm/vllm-openai:v0.20.0\ncheckpoint_path: null\nhf_model_handle: org/m\nserved_model_name: m\n"
        "command: bash -c 'export A=1 && vllm serve org/m --served-model-name m --port ${deployment.port}'",
    ),
    "vLLM, folded": served(
        "vllm",
        "image: vllm/vllm-openai:v0.20.0\ncheckpoint_path: null\nhf_model_handle: org/m\nserved_model_name: m\ncommand: >-\n"
        "  vllm serve org/m\n  --served-model-name m --port ${deployment.port}\n"
        "  --override-generation-config '{\"temperature\": 0.6}'",
    ),
    "NIM": served(
        "nim", "image: nvcr.io/nim/meta/llama-3.1-8b-instruct:1.8.6\nserved_model_name: meta/llama-3.1-8b-instruct"
    ),
    "TensorRT-LLM": SLURM.replace("deployment: vllm", "deployment: trtllm")
    .replace("vllm/vllm-openai:v0.20.0", "nvcr.io/nvidia/tensorrt-llm/release:1.0.0")
    .replace("  hf_model_handle: null\n", ""),
    "a server of one's own": served(
        "generic",
        "image: registry.corp.internal/llama.cpp:b4000\nserved_model_name: m\nport: 8080\n"
        "command: /app/llama-server -hf org/m-gguf --host 0.0.0.0 --port 8080 --jinja\n"
        "endpoints: {chat: /v1/chat/completions, completions: /v1/completions, health: /health}",
    ),
    "log-probabilities": LOCAL.replace("/v1/chat/completions", "/v1/completions")
    .replace("ifbench.ifbench", "lm-evaluation-harness.hellaswag")
    .replace(
        "        parallelism: 4",
        "        extra: {tokenizer: org/m, tokenizer_backend: huggingface}\n        parallelism: 4",
    ),
    "embeddings": LOCAL.replace("/v1/chat/completions", "/v1/embeddings")
    .replace("ifbench.ifbench", "mteb.MTEB")
    .replace("        temperature: 0.0\n", ""),
    "an image task": LOCAL.replace("ifbench.ifbench", "vlmevalkit.ocrbench"),
    "a task of an image file": LOCAL.replace(
        "    - name: ifbench.ifbench",
        "    - name: mine.task\n      container: /images/mine.sqsh\n    - name: ifbench.ifbench",
    ),
    "another version of a container": LOCAL.replace(
        "    - name: ifbench.ifbench # 294 prompts",
        "    - name: ifbench.ifbench\n      container: nvcr.io/nvidia/eval-factory/ifbench:26.05",
    ),
    "an adapter": LOCAL.replace(
        "  # the benchmarks\n",
        "    target:\n      api_endpoint:\n        adapter_config:\n"
        "          use_caching: true\n          use_system_prompt: true\n"
        "          custom_system_prompt: 'Think in <THINK> tags'\n          end_reasoning_token: '</think>'\n"
        "          params_to_add: {chat_template_kwargs: {enable_thinking: true}, skip_special_tokens: false}\n"
        "          params_to_remove: [max_tokens]\n          use_request_logging: true\n          max_logged_requests: 5\n",
    ),
    "an export": LOCAL.replace("  output_dir:", "  auto_export: {destinations: [mlflow, local]}\n  output_dir:")
    + "export:\n  mlflow:\n    tracking_uri: http://mlflow.corp.internal:5000\n    experiment_name: e\n"
    "    tags: {model: small, temperature: '0.0'}\n  local: {output_dir: /data/export, format: csv}\n",
    "a variable at run time": LOCAL.replace("lit:dummy", "runtime:KEY_IN_THE_CONTAINER"),
    "the same task at two temperatures": LOCAL.replace(
        "    - name: ifbench.ifbench # 294 prompts\n",
        "    - name: ifbench.ifbench\n    - name: ifbench.ifbench\n"
        "      nemo_evaluator_config: {config: {params: {temperature: 1.0}}}\n",
    ),
    "a judge beside the model": SLURM.replace(
        "    - name: nemo_skills.ns_mmlu_pro\n",
        "    - name: nemo_skills.ns_hle_aa\n      env_vars: {JUDGE_API_KEY: 'lit:dummy'}\n"
        "      nemo_evaluator_config:\n        config:\n          params:\n            extra:\n              judge:\n"
        "                url: auxiliary_deployments.judge.chat_url\n"
        "                model_id: auxiliary_deployments.judge.model_id\n                api_key: JUDGE_API_KEY\n",
    )
    + "auxiliary_deployments:\n  judge:\n    type: vllm\n    image: vllm/vllm-openai:v0.20.0\n    port: 8001\n"
    "    served_model_name: j\n    checkpoint_path: /shared/models/j\n    endpoints: {chat: /v1, health: /health}\n"
    "    command: vllm serve /checkpoint --served-model-name j --port 8001\n",
    "a dataset of one's own": LOCAL.replace(
        "    - name: ifbench.ifbench # 294 prompts\n",
        "    - name: ifbench.ifbench\n      dataset_dir: /tmp\n      dataset_mount_path: /datasets\n",
    ),
    "shared by an anchor": LOCAL.replace(
        "evaluation:\n", "x-common: &common {DUMMY_API_KEY: 'lit:dummy'}\nevaluation:\n"
    ).replace("    DUMMY_API_KEY: lit:dummy\n", "    <<: *common\n"),
}
