"""Configs with a value in every place that NEL's executors for containers and clusters read: what a hostile config may fill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

Place = tuple[Any, ...]


def _deployment(**own: Any) -> dict[str, Any]:
    return {
        "type": "vllm",
        "image": "img:1",
        "checkpoint_path": "/models/m",
        "cache_path": "/cache",
        "hf_model_handle": "org/m",
        "served_model_name": "m",
        "port": 8000,
        "extra_args": "--max-model-len 10",
        "env_vars": {"A_VAR": "lit:x", "B_VAR": "host:MY_API_KEY"},
        "endpoints": {"chat": "/v1/chat/completions", "completions": "/v1/completions", "health": "/health"},
        "command": "vllm serve /checkpoint --served-model-name m --port 8000",
        **own,
    }


def _shared() -> dict[str, Any]:
    extra = {"judge": {"model_id": "j", "api_key": "MY_API_KEY"}, "args": "--a b"}
    task = {
        "name": "ifbench.ifbench",
        "container": "nvcr.io/nvidia/eval-factory/ifbench:26.03",
        "dataset_dir": "/data/set",
        "dataset_mount_path": "/datasets",
        "env_vars": {"T_VAR": "lit:t"},
        "nemo_evaluator_config": {"config": {"params": {"extra": extra}}},
    }
    endpoint = {"url": "http://127.0.0.1:9/v1/chat/completions", "model_id": "m", "api_key_name": "MY_API_KEY"}
    return {
        "deployment": _deployment(),
        "target": {"api_endpoint": endpoint},
        "evaluation": {
            "env_vars": {"MY_API_KEY": "host:MY_API_KEY", "L_VAR": "lit:abc", "R_VAR": "runtime:RT"},
            "nemo_evaluator_config": {"config": {"params": {"temperature": 0.6, "extra": {"tokenizer": "tok"}}}},
            "tasks": [task],
        },
    }


def slurm(output: Path) -> dict[str, Any]:
    """A job with two instances of the model, a proxy, a judge of its own, and an export."""
    execution = {
        "hostname": "login",
        "username": "me",
        "account": "acc",
        "partition": "batch",
        "cpu_partition": "cpu",
        "subproject": "sub",
        "output_dir": str(output),
        "walltime": "01:00:00",
        "max_walltime": "02:00:00",
        "gres": "gpu:8",
        "num_nodes": 2,
        "num_instances": 2,
        "ntasks_per_node": 1,
        "gpus_per_node": 8,
        "sbatch_comment": "hi",
        "sbatch_extra_flags": {"qos": "high"},
        "evaluation_gpu_visible": "all",
        "endpoint_readiness_timeout": 5,
        "mounts": {
            "deployment": {"/a": "/b"},
            "evaluation": {"/c": "/d"},
            "auxiliary": {"judge": {"/e": "/f"}},
            "mount_home": False,
        },
        "auto_export": {
            "destinations": ["mlflow"],
            "export_mounts": {"/g": "/h"},
            "launcher_install_cmd": "pip install nemo-evaluator-launcher",
            "export_image": "python:3.12",
        },
        "proxy": {
            "type": "haproxy",
            "image": "haproxy:1",
            "config": {"haproxy_port": 5009, "health_check_path": "/health", "health_check_status": 200},
        },
    }
    return {
        "defaults": [{"execution": "slurm/default"}, {"deployment": "vllm"}, "_self_"],
        **_shared(),
        "execution": execution,
        "auxiliary_deployments": {"judge": _deployment(num_nodes=1, num_instances=1, port=8001)},
        "export": {
            "mlflow": {"tracking_uri": "http://127.0.0.1:9", "experiment_name": "e"},
            "env_vars": {"E_VAR": "lit:e"},
        },
    }


def local(output: Path) -> dict[str, Any]:
    """A model in a container of this machine, and an export."""
    return {
        "defaults": [{"execution": "local"}, {"deployment": "vllm"}, "_self_"],
        **_shared(),
        "execution": {
            "output_dir": str(output),
            "mode": "sequential",
            "extra_docker_args": "",
            "endpoint_readiness_timeout": 5,
            "mounts": {"deployment": {"/a": "/b"}},
            "auto_export": {"destinations": ["local"]},
        },
        "export": {"local": {"format": "json"}, "env_vars": {"E_VAR": "lit:e"}},
    }


def places(config: Any, at: Place = ()) -> Iterator[Place]:
    """Every value and every name of a key; a name's place ends with it in angle brackets."""
    if isinstance(config, dict):
        for key, value in config.items():
            if at or key != "defaults":
                if at:
                    yield (*at, f"<{key}>")
                yield from places(value, (*at, key))
    elif isinstance(config, list):
        for number, value in enumerate(config):
            yield from places(value, (*at, number))
    else:
        yield at


def changed(config: Any, place: Place, value: str) -> Any:
    """A copy of a config with a value, or a key's name, in the place of another."""
    key, *rest = place
    if rest:
        if isinstance(config, list):
            return [changed(v, tuple(rest), value) if n == key else v for n, v in enumerate(config)]
        return {k: changed(v, tuple(rest), value) if k == key else v for k, v in config.items()}
    if isinstance(key, str) and key.startswith("<"):
        return {value if k == key.strip("<>") else k: v for k, v in config.items()}
    if isinstance(config, list):
        return [value if n == key else v for n, v in enumerate(config)]
    return {**config, key: value}
