"""Configs for the test cluster: the real ifbench on the small model, as an endpoint or deployed in the job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from quantgate.demo.small_model import Endpoint

from .cluster import Cluster
from .settings import ACCOUNT, PARTITION

SERVER = Path(__file__).parents[1] / "containers" / "serve_model.py"


def execution(cluster: Cluster, **changes: Any) -> dict[str, Any]:
    """The `execution` section for a test cluster."""
    return {
        "hostname": cluster.alias,
        "account": ACCOUNT,
        "partition": PARTITION,
        "gres": "gpu:1",
        "walltime": "00:20:00",
        "max_walltime": "01:00:00",
        "output_dir": str(cluster.home / "results"),
        "sbatch_extra_flags": {"exclusive": False},
        "mounts": {"mount_home": False},
        **changes,
    }


def _evaluation(max_tokens: int, tasks: int = 1) -> dict[str, Any]:
    return {
        "env_vars": {"DUMMY_API_KEY": "lit:dummy"},
        "nemo_evaluator_config": {
            "config": {"params": {"max_new_tokens": max_tokens, "parallelism": 4, "temperature": 0.0, "max_retries": 3}}
        },
        "tasks": [{"name": "ifbench.ifbench"} for _ in range(tasks)],
    }


def with_endpoint(
    cluster: Cluster, path: Path, endpoint: Endpoint, max_tokens: int = 32, tasks: int = 1, **changes: Any
) -> Path:
    """A config whose model is served by somebody else: loopback is the same inside the cluster."""
    known = {"checkpoint": str(endpoint.weights)} if endpoint.weights.is_file() else {}
    config = {
        "defaults": [{"execution": "slurm/default"}, {"deployment": "none"}, "_self_"],
        "execution": execution(cluster, **changes),
        "target": {
            "api_endpoint": {"url": endpoint.url, "model_id": endpoint.model_id, "api_key_name": "DUMMY_API_KEY"}
        },
        "evaluation": _evaluation(max_tokens, tasks),
        # The jobs of this cluster run on this very machine.
        "quantgate": {**known, "silence": ["T39"]},
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def with_server(cluster: Cluster, path: Path, weights: Path, port: int, max_tokens: int = 32, **changes: Any) -> Path:
    """A config that deploys the model in its own job."""
    command = (
        f"{sys.executable} {SERVER} /checkpoint/{weights.name} --port ${{deployment.port}} --served-model-name small"
    )
    config = {
        "defaults": [{"execution": "slurm/default"}, {"deployment": "generic"}, "_self_"],
        "execution": execution(cluster, **changes),
        "deployment": {
            "image": "image:model",
            "command": command,
            "port": port,
            "served_model_name": "small",
            "checkpoint_path": str(weights.parent),
        },
        "target": {"api_endpoint": {"api_key_name": "DUMMY_API_KEY"}},
        "evaluation": _evaluation(max_tokens),
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
