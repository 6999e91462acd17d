"""Where and how a config runs: Slurm, Docker, processes, mounts, exports."""

from collections.abc import Iterator

from .case import Case, drop, put
from .keys import DOCKER, MOE, PROCESS, RAY, SLURM

COMMAND = "vllm serve org/m --served-model-name m --port 8000"
DEPLOYED = put(
    put(put(DOCKER, "defaults[1].deployment", "vllm"), "target.api_endpoint", {"api_key_name": "NVIDIA_API_KEY"}),
    "deployment",
    {
        "image": "vllm/vllm-openai:v0.20.0",
        "hf_model_handle": "org/m",
        "checkpoint_path": None,
        "served_model_name": "m",
        "command": COMMAND,
    },
)


def cases() -> Iterator[Case]:
    """Broken configs."""
    for value in (43200, 720, "banana", "4h", "00:00:00", "12:00"):
        yield Case("C12", f"walltime-{value}", put(SLURM, "execution.walltime", value))
    yield Case("C12", "max-below-one", put(SLURM, "execution.max_walltime", "01:00:00"))
    yield Case("C23", "nodes", put(put(SLURM, "execution.num_nodes", 3), "execution.num_instances", 2))
    for value in ("8", "gpus:8", "gpu:999", "gpu=8", "gpu:eight", 8):
        yield Case("D24", f"gres-{value}", put(SLURM, "execution.gres", value))
    yield Case("D24", "gpus_per_node", put(put(SLURM, "execution.gpus_per_node", 64), "execution.gres", None))
    yield Case("S06", "relative", put(SLURM, "execution.output_dir", "results"))
    yield Case("S06", "home", put(SLURM, "execution.output_dir", "~/results"))
    yield Case("S01", "home-mounted", put(SLURM, "execution.mounts.mount_home", True))
    yield Case("S01", "home-mounted-by-default", drop(SLURM, "execution.mounts"))
    same_port = put(put(SLURM, "execution.num_nodes", 2), "execution.num_instances", 2)
    yield Case("P25", "proxy", put(same_port, "execution.proxy", {"config": {"haproxy_port": 8000}}))
    yield Case("S02", "export", drop(MOE, "execution.cpu_partition"))
    yield Case("S03", "file", put(SLURM, "execution.mounts.deployment", {"/shared/config.json": "/config.json"}))
    yield Case("P18", "flag-with-dashes", put(SLURM, "execution.sbatch_extra_flags", {"--qos": "high"}))
    yield Case("P18", "flag-with-underscore", put(SLURM, "execution.sbatch_extra_flags", {"mail_type": "ALL"}))
    yield Case("P18", "flag-twice", put(SLURM, "execution.sbatch_extra_flags", {"time": "04:00:00"}))
    for source in ("~/models", "models/m", "/shared/../models", "s3://bucket/m", "/shared/a,b", "/shared/a:b"):
        yield Case("P19", source, put(SLURM, "execution.mounts.deployment", {source: "/models"}))
    yield Case("P19", "target", put(SLURM, "execution.mounts.deployment", {"/shared/models": "models"}))
    yield Case("P19", "checkpoint", put(SLURM, "deployment", _served("models/m")))
    yield Case("P19", "dataset", put(SLURM, "evaluation.tasks[0].dataset_dir", "data"))
    yield Case("P03", "kubernetes", put(PROCESS, "execution.type", "kubernetes"))
    yield from _local()
    yield from _processes()
    yield from _exports()
    yield from _auxiliaries()


def _served(path: str) -> dict[str, object]:
    served = "vllm serve /checkpoint --served-model-name m --port ${deployment.port}"
    return {"image": "vllm/vllm-openai:v0.20.0", "checkpoint_path": path, "served_model_name": "m", "command": served}


def _local() -> Iterator[Case]:
    yield Case("S10", "pre_cmd", put(DEPLOYED, "deployment.pre_cmd", "pip install x"))
    yield Case("S11", "mounts", put(DEPLOYED, "execution.mounts", {"evaluation": {"/data": "/data"}}))
    yield Case("S13", "parallel", put(DEPLOYED, "execution.mode", "parallel"))
    yield Case("S13", "mode", put(DOCKER, "execution.mode", "concurrent"))
    yield Case(
        "P20",
        "checkpoint",
        put(drop(DEPLOYED, "deployment.hf_model_handle"), "deployment.checkpoint_path", "/nowhere/model"),
    )
    yield Case("P20", "dataset", put(DOCKER, "evaluation.tasks[0].dataset_dir", "/nowhere/data"))
    yield Case("P20", "mount", put(DEPLOYED, "execution.mounts", {"deployment": {"/nowhere/x": "/x"}}))
    yield Case("P16", "two-commands", put(DEPLOYED, "deployment.command", f"pip install x && {COMMAND}"))
    yield Case("P16", "two-lines", put(DEPLOYED, "deployment.command", f"{COMMAND}\ntouch /tmp/x"))
    yield Case("P16", "pipe", put(DEPLOYED, "deployment.command", f"{COMMAND} | tee /tmp/log"))
    yield Case("T39", "localhost", put(DOCKER, "target.api_endpoint.url", "http://localhost:8000/v1/chat/completions"))
    yield Case("T39", "loopback", put(DOCKER, "target.api_endpoint.url", "http://127.0.0.1:8000/v1/chat/completions"))
    bare = drop(
        drop(drop(DOCKER, "evaluation.env_vars"), "target.api_endpoint.api_key_name"), "evaluation.tasks[0].env_vars"
    )
    yield Case("S12", "no-variable", bare)


def _processes() -> Iterator[Case]:
    yield Case("P01", "container-only", put(PROCESS, "evaluation.tasks[0].name", "nemo_skills.ns_ifbench"))
    yield Case("P01", "container", put(PROCESS, "evaluation.tasks[0].container", "x/y:1"))
    served = put(put(PROCESS, "defaults[1].deployment", "vllm"), "deployment", _served("/models/m"))
    yield Case("P02", "deployment", put(served, "target.api_endpoint", {"api_key_name": "DUMMY_API_KEY"}))
    yield Case("P14", "process-on-slurm", put(SLURM, "execution.type", "process"))
    yield Case("compose", "process-in-defaults", put(PROCESS, "defaults[0].execution", "process"))
    cluster = {"destinations": ["local"], "export_image": "python:3.12"}
    yield Case("P15", "export", put(put(PROCESS, "execution.auto_export", cluster), "export", {"local": {}}))
    sheets = put(PROCESS, "execution.auto_export", {"destinations": ["gsheets"]})
    yield Case("P40", "no-package", put(sheets, "export", {"gsheets": {"spreadsheet_name": "s"}}))
    yield Case("P15", "steering", put(PROCESS, "evaluation.env_vars.LD_PRELOAD", "lit:/tmp/x.so"))
    yield Case("P15", "mounts", put(PROCESS, "execution.mounts", {"evaluation": {"/data": "/data"}}))


def _exports() -> Iterator[Case]:
    yield Case("C24", "no-trigger", drop(MOE, "execution.auto_export"))
    yield Case("C24", "other-destination", put(MOE, "execution.auto_export.destinations", ["wandb"]))
    yield Case("C24", "unknown-destination", put(MOE, "execution.auto_export.destinations", ["mlflow", "mflow"]))
    yield Case("C24", "list", put(MOE, "execution.auto_export", ["mlflow"]))
    yield Case("C24", "nothing-described", drop(MOE, "export.mlflow"))
    yield Case("C26", "temperature", put(MOE, "export.mlflow.tags", {"temperature": "1.0"}))
    yield Case("C26", "model", put(MOE, "export.mlflow.tags", {"served_model_name": "other"}))
    yield Case("C26", "nodes", put(MOE, "export.mlflow.extra_metadata", {"num_nodes": 4}))
    wandb = put(put(MOE, "execution.auto_export.destinations", ["wandb"]), "export", {"wandb": {"project": "p"}})
    yield Case("P08", "wandb", wandb)
    yield Case("P08", "mlflow", drop(MOE, "export.env_vars"))
    yield Case("P41", "no-samples", put(MOE, "export.mlflow.only_required", True))
    yield Case("P43", "log-metrics", put(MOE, "export.mlflow.log_metrics", ["accuracy"]))
    whole = put(MOE, "evaluation.tasks[0].name", "tau2_bench.tau2_bench_telecom")
    yield Case("P42", "tau2", whole)
    yield Case("P42", "other-pattern", put(whole, "export.mlflow.exclude_patterns", ["*.html"]))
    yield Case("P09", "tracking", put(MOE, "export.mlflow.tracking_uri", "mlflow.internal:5000"))


def _auxiliaries() -> Iterator[Case]:
    judge = {"type": "vllm", "image": "vllm/vllm-openai:v0.20.0", "port": 8001, "served_model_name": "j"}
    whole = {**judge, "endpoints": {"chat": "/v1/chat/completions"}, "command": "vllm serve x"}
    yield Case("P17", "field", put(SLURM, "auxiliary_deployments", {"judge": judge}))
    yield Case("P17", "prefix", put(SLURM, "auxiliary_deployments", {"model": whole}))
    yield Case(
        "P17", "nodes", put(SLURM, "auxiliary_deployments", {"judge": {**whole, "num_nodes": 3, "num_instances": 2}})
    )
    yield Case("P17", "local", put(DEPLOYED, "auxiliary_deployments", {"judge": whole}))
    yield Case("C02", "auxiliary", put(SLURM, "auxiliary_deployments", {"judge": {**whole, "tensor_paralel_size": 2}}))
    yield Case(
        "C28", "auxiliary", put(SLURM, "auxiliary_deployments", {"judge": {**whole, "pre_cmd": "pip install x"}})
    )
    yield Case("P06", "ray-proxy", put(RAY, "execution.proxy", {"config": {"haproxy_port": 99999}}))
