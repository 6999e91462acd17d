"""The rules about deployments that the file alone decides: each is broken by one config and kept by a near miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.evalconfig.lint import check

from .made import write
from .made_deployments import ADAPTER, OWN, PARAMS, config, of

# rule, config, path of the finding, severity, words of the message or the fix
WITHOUT_CHECKPOINT = [
    ("D01", config("vllm serve /checkpoint --port 8000"), "deployment.command", "error", "'/checkpoint'"),
    ("D01", config("vllm serve /checkpoint --served-model-name other"), "deployment.command", "error", "'other'"),
    ("D01", config(deploy='extra_args: "--served-model-name other"'), "deployment.extra_args", "error", "404"),
    (
        "D01",
        config("pip list && VLLM_X=1 python3 -m vllm.entrypoints.openai.api_server --model /checkpoint"),
        "deployment.command",
        "error",
        "404",
    ),
    (
        "D01",
        config().replace("served_model_name: m", "served_model_name: llama 3.1 8b"),
        "deployment.served_model_name",
        "error",
        "served_model_name=llama-3.1-8b",
    ),
    ("D01", config("bash -c 'vllm serve /checkpoint --port 8000'"), "deployment.command", "error", "404"),
    (
        "D02",
        config(OWN, deploy="tensor_parallel_size: 4\nextra_args: --max-model-len 4096"),
        "deployment.tensor_parallel_size",
        "error",
        "extra_args",
    ),
    (
        "D02",
        config(f"{OWN} --tensor-parallel-size 4", deploy="tensor_parallel_size: 4"),
        "deployment.tensor_parallel_size",
        "warning",
        "the same",
    ),
    (
        "D03",
        config(OWN)
        .replace("checkpoint_path: /shared/models/m-NVFP4", "checkpoint_path: null")
        .replace("hf_model_handle: null", "hf_model_handle: org/m"),
        "deployment.command",
        "error",
        "nothing is mounted",
    ),
    (
        "D03",
        config(OWN.replace("/checkpoint", "org/other")),
        "deployment.command",
        "error",
        "not the checkpoint that the config names",
    ),
    (
        "D04",
        config().replace("deployment: vllm", "deployment: trtllm").replace("/shared/models/m-NVFP4", "null"),
        "deployment.checkpoint_path",
        "error",
        "No checkpoint_path",
    ),
    ("D05", config(OWN.replace("${deployment.port}", "9000")), "deployment.command", "error", "8000"),
    (
        "D05",
        config(OWN, deploy="port: 9000").replace("--port ${deployment.port}", ""),
        "deployment.command",
        "error",
        "no --port",
    ),
    ("D05", config(deploy='extra_args: "--port 9000"'), "deployment.extra_args", "error", "health"),
    (
        "D05",
        config("python -m sglang.launch_server --model-path /checkpoint --served-model-name m"),
        "deployment.command",
        "error",
        "30000",
    ),
    ("D07", config(image="vllm/vllm-openai:latest"), "deployment.image", "warning", "moves"),
    ("D07", config(image="registry.example.org:5000/vllm"), "deployment.image", "warning", "no tag"),
    (
        "D07",
        config() + "      container: nvcr.io/nvidia/eval-factory/nemo-skills\n",
        "evaluation.tasks[0].container",
        "warning",
        "no tag",
    ),
    ("D09", config(execute="gres: gpu:b300:8"), "deployment.image", "error", "v0.11.0-cu130"),
    (
        "D09",
        config(image="vllm/vllm-openai:v0.21.0-cu129", execute="gres: gpu:gb300:4"),
        "deployment.image",
        "error",
        "12.9",
    ),
    ("D09", config() + "quantgate: {gpu_arch: B300}\n", "deployment.image", "error", "CUDA 13"),
    ("D10", config(image="vllm/vllm-openai:v0.21.0-cu130"), "deployment.image", "error", "vllm/vllm-openai:v0.21.0'"),
    (
        "D19",
        config(image="vllm/vllm-openai:v0.33.0", deploy="env_vars: {VLLM_NVFP4_GEMM_BACKEND: lit:marlin}"),
        "deployment.env_vars.VLLM_NVFP4_GEMM_BACKEND",
        "warning",
        "--linear-backend",
    ),
    (
        "D19",
        config(f"VLLM_FLASHINFER_MOE_BACKEND=latency {OWN}", image="vllm/vllm-openai:v0.28.0"),
        "deployment.command",
        "warning",
        "--moe-backend",
    ),
    ("D23", config(f"{OWN} -tp 8 --data-parallel-size 2"), "deployment.command", "error", "16 GPUs"),
    ("D23", config(execute="gres: gpu:0"), "execution.gres", "error", "no GPU"),
    ("D23", config(execute="gpus_per_node: 0\ngres: null"), "execution.gpus_per_node", "error", "no GPU"),
    ("D23", config(f"{OWN} -tp 8", execute="gres: gpu:16"), "execution.gres", "error", "ask for 8"),
    ("D23", config(execute="gres: gpu:4"), "deployment.tensor_parallel_size", "error", "has 4"),
    ("D23", config(execute="gres: gpu:4\ngpus_per_node: 8"), "deployment.tensor_parallel_size", "error", "has 4"),
    (
        "D23",
        config(execute="gres: gpu:h100:4\nnum_nodes: 2\nnum_instances: 2"),
        "deployment.tensor_parallel_size",
        "error",
        "has 4",
    ),
    (
        "D26",
        config(f"{OWN} --max-model-len 4096").replace(PARAMS, f"{PARAMS}        max_new_tokens: 4096\n"),
        "evaluation.nemo_evaluator_config.config.params.max_new_tokens",
        "error",
        "--max-model-len",
    ),
    (
        "D28",
        config(evaluate=ADAPTER % "{params_to_add: {chat_template_kwargs: {enable_thinking: true, thinking: false}}}"),
        "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config.params_to_add.chat_template_kwargs",
        "error",
        "contradict",
    ),
    (
        "D32",
        config(deploy="tensor_parallel_size: 8")
        .replace("deployment: vllm", "deployment: trtllm")
        .replace("hf_model_handle: null", "hf_model_handle: org/m"),
        "deployment.hf_model_handle",
        "error",
        "not read",
    ),
    ("D33", config(deploy="pre_cmd: wget http://x/y"), "deployment.pre_cmd", "warning", "wget"),
    (
        "D33",
        config(deploy="pre_cmd: apt-get update && pip install nvidia-x"),
        "deployment.pre_cmd",
        "warning",
        "--no-cache-dir",
    ),
    ("D37", config(f"{OWN} --max-num-seqs 4"), "deployment.command", "warning", "12 requests wait"),
    ("D37", config(f"{OWN} --max-num-seqs 64"), "deployment.command", "warning", "make 16"),
    (
        "D37",
        config(f"{OWN} -dp 8 --max-num-seqs 256").replace("parallelism: 16", "parallelism: 64"),
        "deployment.command",
        "warning",
        "set --max-num-seqs to 8",
    ),
    ("D40", config(execute="gres: gpu:h100:8"), "execution.gres", "error", "W4A16"),
    ("D40", config() + "quantgate: {gpu_arch: L40S}\n", "quantgate.gpu_arch", "error", "W4A16"),
    ("D40", config() + "quantgate: {gpu_arch: H1000}\n", "quantgate.gpu_arch", "warning", "no GPU"),
]


_ON_HOPPER = "gres: gpu:h100:8"
KEPT = [
    config(),
    config(OWN),
    config(OWN.replace("/checkpoint", "/checkpoint/")),
    config(OWN, deploy="tensor_parallel_size: 8").replace("--port", "-tp ${deployment.tensor_parallel_size} --port"),
    config("${deployment.base_command} --enable-prefix-caching", deploy="tensor_parallel_size: 4\nextra_args: -ep"),
    config("vllm serve /checkpoint --served-model-name a m --port 8000"),
    config(OWN, deploy="tensor_parallel_size: 1\npipeline_parallel_size: 1\ndata_parallel_size: 1"),
    config(f"{OWN} -tp 8 -dp 2", execute="gres: gpu:16"),
    config("vllm serve /models/x --served-model-name m", execute="mounts: {deployment: {/shared: /models}}").replace(
        "/shared/models/m-NVFP4", "null"
    ),
    config("vllm serve m --port 8000").replace("/shared/models/m-NVFP4", "null"),
    config("bash /scripts/serve.sh --port 9000", deploy="tensor_parallel_size: 4"),
    config("python3 my_server.py --port 9000 --tensor-parallel-size 64"),
    config("vllm serve /checkpoint --served-model-name $NAME --port $PORT -tp $GPUS"),
    config("vllm serve 'never closed"),
    config(deploy='extra_args: "--never \'closed"'),
    config().replace("deployment: vllm", "deployment: sglang"),
    config()
    .replace("deployment: vllm", "deployment: vllm_ray")
    .replace("execution:\n", "execution:\n  num_nodes: 2\n"),
    config(execute="gres: gpu:b200:8"),
    config(execute="gres: gpu:tpu9:8"),
    config(image="vllm/vllm-openai:v0.20.0-cu130", execute="gres: gpu:b300:8"),
    config(image="vllm/vllm-openai:v0.20.0", execute="gres: gpu:b300:8"),
    config(image="/images/vllm.sqsh", execute="gres: gpu:b300:8"),
    config(image="vllm/vllm-openai@sha256:" + "0" * 64),
    config(execute=_ON_HOPPER).replace("m-NVFP4", "m-FP8"),
    config(execute=_ON_HOPPER).replace("m-NVFP4", "m-NVFP4-W4A16"),
    config(deploy="env_vars: {VLLM_NVFP4_GEMM_BACKEND: lit:marlin}"),
    config(f"{OWN} -tp 8 -dp 2", execute="num_nodes: 2"),
    config(f"{OWN} -tp 8", execute="gres: null"),
    config(f"{OWN} -dp 2 --max-num-seqs 4", execute="num_nodes: 2\nnum_instances: 2"),
    config(f"{OWN} --max-model-len 4096").replace(PARAMS, f"{PARAMS}        max_new_tokens: 2048\n"),
    config(deploy="pre_cmd: apt-get install -y wget && wget http://x && pip install --no-cache-dir y"),
]


@pytest.mark.parametrize(
    ("rule", "text", "path", "severity", "words"),
    WITHOUT_CHECKPOINT,
    ids=[f"{row[0]}-{number}" for number, row in enumerate(WITHOUT_CHECKPOINT)],
)
def test_a_broken_deployment_is_one_finding_with_a_fix(
    tmp_path: Path, rule: str, text: str, path: str, severity: str, words: str
) -> None:
    (found,) = of(tmp_path, text, rule)
    assert (found.path, found.severity) == (path, severity)
    assert words in found.message + found.fix
    assert found.fix


@pytest.mark.parametrize("text", KEPT)
def test_a_valid_deployment_breaks_no_rule(tmp_path: Path, text: str) -> None:
    assert of(tmp_path, text) == []


MULTINODE = (
    "bash -c 'if [ $SLURM_PROCID -eq 0 ]; then vllm serve ${deployment.hf_model_handle} --data-parallel-size "
    "${deployment.data_parallel_size} --data-parallel-address $MASTER_IP --port ${deployment.port} --served-model-name "
    "${deployment.served_model_name} ${deployment.extra_args}; else vllm serve ${deployment.hf_model_handle} --headless "
    "--data-parallel-size ${deployment.data_parallel_size} --data-parallel-start-rank 8 ${deployment.extra_args}; fi'"
)
SIZES = "tensor_parallel_size: %s\npipeline_parallel_size: 1\ndata_parallel_size: 16\nextra_args: --trust-remote-code"


def test_a_field_beside_the_command_is_lost_only_where_it_differs_from_the_servers_default(tmp_path: Path) -> None:
    """The command is built like that of NEL's example of data parallelism over two nodes."""
    text = config(MULTINODE, deploy=SIZES % 1, execute="num_nodes: 2").replace("/shared/models/m-NVFP4", "null")
    text = text.replace("hf_model_handle: null", "hf_model_handle: org/m")
    assert of(tmp_path, text) == []
    (found,) = of(tmp_path, text.replace(SIZES.splitlines()[0] % 1, "tensor_parallel_size: 2"))
    assert (found.rule, found.severity, "pipeline" in found.message) == ("D02", "error", False)


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ('"four"', "give a whole number"),
        ("16k", "give a whole number"),
        ('"1h"', "give a whole number"),
        ('"16"', "write the number without quotes"),
    ],
)
def test_a_text_that_is_no_number_is_not_mended_by_its_quotes(tmp_path: Path, value: str, fix: str) -> None:
    (found,) = of(tmp_path, config().replace("parallelism: 16", f"parallelism: {value}"), "C35")
    assert found.fix == fix


def test_a_command_in_many_lines_is_read_as_one(tmp_path: Path) -> None:
    text = config().replace(
        "deployment:\n  image",
        "deployment:\n  command: |\n    set -e\n    export A=1\n    exec vllm serve /checkpoint \\\n"
        "      --served-model-name m \\\n      --port 9000\n  image",
    )
    (found,) = of(tmp_path, text)
    assert (found.rule, found.path) == ("D05", "deployment.command")


def test_rules_that_need_the_checkpoint_are_listed_when_it_is_elsewhere(tmp_path: Path) -> None:
    skipped = "; ".join(check(write(tmp_path, config(OWN))).skipped)
    for rule in ("D06", "D14", "D22", "D27", "D24"):
        assert rule in skipped
    assert "D05" not in skipped
