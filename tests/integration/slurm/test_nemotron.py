"""nano3's shape, really submitted: a checkpoint behind a generic deployment in the job, on a real cluster over SSH."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate.tools.verify_run import verify_run

from .cluster import Cluster
from .settings import ACCOUNT, PARTITION, USER
from .slurm_config import SERVER

SAMPLES = 3
PARAMS = "evaluation.nemo_evaluator_config.config.params"

pytestmark = pytest.mark.network


def _env_toml(cluster: Cluster) -> str:
    rows = {"executor": "slurm", "host": cluster.alias, "user": USER, "account": ACCOUNT, "partition": PARTITION}
    rows["time"] = "00:20:00"
    return "[cluster]\n" + "".join(f'{key} = "{value}"\n' for key, value in rows.items())


def test_nano3_s_shape_goes_through_both_gates_to_its_end(
    reached: Cluster, weights: Path, harness: Path, tmp_path: Path
) -> None:
    del harness  # the image of the jobs
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "env.toml").write_text(_env_toml(reached))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "quantgate", "eval", "nano3", "--run", "cluster"),
            f"execution.output_dir={reached.home / 'results'}",
            "execution.gres=gpu:1",
            "execution.max_walltime='01:00:00'",
            "execution.sbatch_extra_flags={exclusive: false}",
            "execution.auto_export=null",
            "execution.mounts={mount_home: false}",
            "export=null",
            "deployment.image=image:model",
            "deployment.multiple_instances=false",
            f"deployment.checkpoint_path={weights.parent}",
            f"deployment.port={port}",
            "deployment.served_model_name=small",
            # Stands in for NeMo's server: the small model behind the same paths.
            f"deployment.command={sys.executable} {SERVER} /checkpoint/{weights.name} --port {port} --served-model-name small",
            "deployment.endpoints.health=/health",
            "deployment.health_check_path=/health",
            "evaluation.env_vars={DUMMY_API_KEY: 'lit:dummy'}",
            "target.api_endpoint.api_key_name=DUMMY_API_KEY",
            "evaluation.tasks=[{name: ifbench.ifbench}]",
            f"{PARAMS}.limit_samples={SAMPLES}",
            f"{PARAMS}.max_new_tokens=32",
            f"~{PARAMS}.extra",
        ],
        cwd=tmp_path,
        env={**os.environ, "USER": "somebody"},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    invocation = lines["launcher_invocation_id"]
    assert lines["status_command"] == f"nemo-evaluator-launcher status {invocation}"
    assert list((reached.home / "results").glob(f"*-{invocation}"))
    assert verify_run(run=invocation).verdict == "valid"
