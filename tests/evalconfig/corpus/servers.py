"""Endpoints and servers: URLs, hosts, types, models."""

from collections.abc import Iterator
from typing import Any

import yaml

from .case import Case, drop, put
from .keys import DOCKER, EXTRA, PROCESS, RAY, SLURM, TAU2


def _other_task() -> str:
    """One benchmark under the name of another."""
    evaluator = {"config": {"params": {"task": "hellaswag"}}}
    return put(DOCKER, "evaluation.tasks[0]", {"name": "nemo_skills.ns_gpqa", "nemo_evaluator_config": evaluator})


URL = "target.api_endpoint.url"
NEMO = "bash -c 'python /opt/deploy/nlp/deploy_ray_inframework.py --megatron_checkpoint /checkpoint/ --port 1235'"


def _megatron(**deployment: Any) -> str:
    """The Slurm example with a Megatron checkpoint behind a generic deployment."""
    image = "nvcr.io/nvidia/nemo:25.11.nemotron_3_nano"
    own = {"type": "generic", "image": image, "command": NEMO, "port": 1235, "served_model_name": "nemo-model"}
    config = yaml.safe_load(SLURM)
    config["defaults"] = [{"execution": "slurm/default"}, {"deployment": "generic"}, "_self_"]
    config["deployment"] = own | {"checkpoint_path": "/shared/rl/iter_0001000"} | deployment
    return yaml.safe_dump(config, sort_keys=False)


def _megatron_cases() -> Iterator[Case]:
    for path in ("/shared/rl", "/shared/rl/iter_0001000/tokenizer", "/shared/rl/latest"):
        yield Case("D41", path, _megatron(checkpoint_path=path))
    for image in ("vllm/vllm-openai:v0.11.0", "lmsysorg/sglang:v0.5.3", "nvcr.io/nvidia/tensorrt-llm/release:1.0.0"):
        yield Case("D42", image, _megatron(image=image))
    launch = "python3 -m sglang.launch_server --model-path /checkpoint --port 8000"
    yield Case("D42", "sglang-in-vllm", _megatron(image="vllm/vllm-openai:v0.11.0", command=launch))


def cases() -> Iterator[Case]:
    """Broken configs."""
    yield from _megatron_cases()
    for url in (
        "localhost:8080/v1/chat/completions",
        "integrate.api.nvidia.com/v1/chat/completions",
        "htp://host:1/v1/chat/completions",
        "http://host:99999/v1/chat/completions",
        "http:///v1/chat/completions",
        "http://my host/v1/chat/completions",
        "ftp://host/v1/chat/completions",
    ):
        yield Case("P09", url, put(PROCESS, URL, url))
    for url in ("http://host.internal:8080", "http://host.internal:8080/v1", "http://host.internal:8080/v1/"):
        yield Case("C36", url, put(PROCESS, URL, url))
    yield Case("C36", "completions-url", put(PROCESS, URL, "http://host.internal:8080/v1/completions"))
    yield Case("C36", "embeddings-url", put(PROCESS, URL, "http://host.internal:8080/v1/embeddings"))
    yield Case("C36", "gateway", put(PROCESS, URL, "http://host.internal:8080/llm/invoke"))
    yield Case("C36", "unread-type", put(PROCESS, "target.api_endpoint.type", "completions"))
    yield Case("C36", "task-type", put(DOCKER, "evaluation.tasks[0].endpoint_type", "completions"))
    yield Case("C36", "no-type", put(DOCKER, "evaluation.tasks[0].endpoint_type", "chatt"))
    asked = "evaluation.nemo_evaluator_config.target.api_endpoint.type"
    yield Case("C36", "evaluator-type", put(SLURM, asked, "completions"))
    yield Case("C36", "images-from-vllm", put(SLURM, "evaluation.tasks", [{"name": "vlmevalkit.chartqa"}]))
    for url in (
        "https://api.example.com/v1/chat/completions",
        "http://server.invalid:8000/v1/chat/completions",
        "http://your-endpoint/v1/chat/completions",
        "http://192.0.2.10:8000/v1/chat/completions",
    ):
        yield Case("T39", url, put(DOCKER, URL, url))
    yield Case("T39", "judge", put(TAU2, f"{EXTRA}.judge.url", "https://judge.example.org/v1/chat/completions"))
    yield Case("T39", "judge-on-localhost", put(TAU2, f"{EXTRA}.user.url", "http://localhost:8001/v1/chat/completions"))
    for key in ("url", "model_id"):
        yield Case("P22", key, drop(DOCKER, f"target.api_endpoint.{key}"))
    yield Case("P22", "no-target", drop(PROCESS, "target"))
    evaluator = "evaluation.nemo_evaluator_config"
    yield Case("P23", "type", put(DOCKER, f"{evaluator}.config.type", "ns_mmlu"))
    yield Case("P23", "output", put(DOCKER, f"{evaluator}.config.output_dir", "/workspace/out"))
    yield Case("P23", "task", _other_task())
    yield Case("P23", "model", put(SLURM, f"{evaluator}.target", {"api_endpoint": {"model_id": "other"}}))
    yield Case("P24", "key", put(DOCKER, f"{evaluator}.target", {"api_endpoint": {"api_key_name": "OTHER_KEY"}}))
    adapter = f"{evaluator}.target.api_endpoint.adapter_config"
    yield Case("P26", "temperature", put(DOCKER, adapter, {"params_to_add": {"temperature": 1.0}}))
    yield Case("P27", "system-prompt", put(DOCKER, adapter, {"custom_system_prompt": "/think"}))
    yield Case("P27", "logged-requests", put(DOCKER, adapter, {"max_logged_requests": 5}))
    for image in ("not an image", "vllm/vLLM OpenAI:1", "http://registry.io/x:1", "Vllm/VLLM:latest"):
        yield Case("P21", image, put(SLURM, "deployment.image", image))
    packaged = "nvcr.io/nvidia/eval-factory"
    yield Case("P21", "other-harness", put(DOCKER, "evaluation.tasks[0].container", f"{packaged}/simple-evals:26.05"))
    yield Case("P21", "misspelt", put(DOCKER, "evaluation.tasks[0].container", f"{packaged}/nemo_skills:26.05"))
    yield Case("C37", "no-key-name", drop(SLURM, "target"))
    yield Case("D04", "both", put(SLURM, "deployment.checkpoint_path", "/shared/models/m"))
    yield Case("D04", "neither", put(drop(RAY, "deployment.hf_model_handle"), "deployment.checkpoint_path", ""))
    yield Case("C28", "server", put(SLURM, "deployment.pre_cmd", "pip install x"))
    yield Case("C28", "evaluation", put(DOCKER, "evaluation.pre_cmd", "pip install x"))
    yield Case("C28", "task", put(DOCKER, "evaluation.tasks[0].post_cmd", "cp -r /results /data"))
    for command in (
        "set -x",
        "set -euxo pipefail",
        "printenv",
        "cat ~/.netrc",
        "echo $HF_TOKEN",
        "env | sort",
        "bash -x run.sh",
    ):
        yield Case(
            "T38",
            command,
            put(SLURM, "deployment.command", f"{command}\nvllm serve m --served-model-name m --port 8000"),
        )
