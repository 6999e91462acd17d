"""Keys: misspelt at every depth, in the wrong place, or no longer read."""

from collections.abc import Iterator

from .case import Case, drop, example, put, rename

SLURM = example("nvfp4_slurm")
MOE = example("nvfp4_moe_mlflow_slurm")
RAY = example("multinode_ray_slurm")
TAU2 = example("tau2_judge_slurm")
DOCKER = example("gpqa_docker_endpoint")
PROCESS = example("ifbench_process")
NEC = "evaluation.nemo_evaluator_config"
PARAMS = f"{NEC}.config.params"
ADAPTER = f"{NEC}.target.api_endpoint.adapter_config"
EXTRA = "evaluation.tasks[0].nemo_evaluator_config.config.params.extra"

_MISSPELT = (
    (SLURM, "execution.walltime", "walltme"),
    (SLURM, "execution.partition", "partiton"),
    (SLURM, "execution.account", "acount"),
    (SLURM, "execution.hostname", "host_name"),
    (SLURM, "execution.username", "user_name"),
    (SLURM, "execution.mounts.mount_home", "mount_hom"),
    (SLURM, "execution.mounts", "mount"),
    (MOE, "execution.mounts.deployment", "deployments"),
    (MOE, "execution.auto_export", "autoexport"),
    (MOE, "execution.auto_export.destinations", "destination"),
    (MOE, "execution.cpu_partition", "cpu_partiton"),
    (RAY, "execution.num_instances", "num_instance"),
    (RAY, "execution.endpoint_readiness_timeout", "endpoint_ready_timeout"),
    (SLURM, "deployment.image", "imgae"),
    (SLURM, "deployment.command", "comand"),
    (SLURM, "deployment.served_model_name", "served_model"),
    (SLURM, "deployment.env_vars", "envvars"),
    (RAY, "deployment.tensor_parallel_size", "tensor_parallel"),
    (RAY, "deployment.pipeline_parallel_size", "pipeline_paralel_size"),
    (RAY, "deployment.extra_args", "extra_arg"),
    (RAY, "deployment.gpu_memory_utilization", "gpu_memory_utilisation"),
    (SLURM, "target.api_endpoint.api_key_name", "api_key"),
    (DOCKER, "target.api_endpoint.url", "ulr"),
    (DOCKER, "target.api_endpoint", "api_endpiont"),
    (SLURM, "evaluation.env_vars", "env_var"),
    (SLURM, "evaluation.nemo_evaluator_config", "nemo_evaluator_confg"),
    (SLURM, f"{NEC}.config", "configs"),
    (SLURM, f"{NEC}.config.params", "parms"),
    (MOE, f"{NEC}.target", "targets"),
    (MOE, f"{NEC}.target.api_endpoint", "endpoint"),
    (MOE, ADAPTER, "adapter"),
    (DOCKER, "evaluation.tasks[0].env_vars", "environment"),
    (SLURM, "evaluation.tasks[0].nemo_evaluator_config", "nemo_evaluator"),
    (SLURM, f"{EXTRA}.num_repeats", "num_repeat"),
    (TAU2, f"{EXTRA}.n_samples", "num_samples"),
    (TAU2, f"{EXTRA}.skip_failed_samples", "skip_failed_sample"),
    (TAU2, f"{EXTRA}.judge.model_id", "model"),
    (TAU2, f"{EXTRA}.user.api_key", "apikey"),
    (TAU2, f"{EXTRA}.judge.enabled", "enable"),
    (MOE, "export.mlflow", "ml_flow"),
    (MOE, "export.mlflow.experiment_name", "experiment"),
    (MOE, "export.mlflow.log_config_params", "log_params"),
)


def cases() -> Iterator[Case]:
    """Broken configs."""
    for base, at, name in _MISSPELT:
        yield Case("C02", f"{at}-as-{name}", rename(base, at, name))
    for name in ("exection", "evaluaton", "deploymet", "targets", "exports", "cluster", "slurm", "model", "metadata"):
        yield Case("C01", name, put(SLURM, name, {"a": 1}))
    yield Case("C01", "walltime-at-the-top", put(SLURM, "walltime", "04:00:00"))
    yield Case("C01", "quantgate-key", put(SLURM, "quantgate", {"checkpiont": "/x"}))
    for key, value in (("qos", "high"), ("reservation", "r"), ("constraint", "h100"), ("time", "04:00:00"), ("foo", 1)):
        yield Case("C02", f"execution.{key}", put(SLURM, f"execution.{key}", value))
    yield Case("C02", "parallelism-of-the-deployment", put(SLURM, "deployment.max_model_len", 4096))
    yield Case("C02", "tensor-parallel-in-execution", put(SLURM, "execution.tensor_parallel_size", 8))
    yield Case("C02", "walltime-in-deployment", put(SLURM, "deployment.walltime", "04:00:00"))
    yield Case("C02", "partition-on-docker", put(DOCKER, "execution.partition", "batch"))
    yield Case("C02", "parameter-beside-params", put(DOCKER, f"{NEC}.config.temperature", 0.5))
    yield Case("C02", "adapter-field-beside-adapter", put(MOE, f"{NEC}.target.api_endpoint.use_caching", True))
    yield Case("C02", "parameter-in-a-task", put(DOCKER, "evaluation.tasks[0].parallelism", 4))
    yield Case("C02", "proxy", put(RAY, "execution.proxy", {"config": {"haproxi_port": 5010}}))
    for key in ("max_tokens", "top_k", "n_samples", "batch_size", "num_repeats", "temprature", "paralellism"):
        yield Case("C05", key, put(SLURM, f"{PARAMS}.{key}", 1))
    yield Case("C07", "evaluation", put(MOE, f"{NEC}.config.target", {"api_endpoint": {"adapter_config": {}}}))
    yield Case("C07", "task", put(MOE, "evaluation.tasks[0].nemo_evaluator_config.config.target", {"api_endpoint": {}}))
    yield Case("C08", "execution.env_vars", put(SLURM, "execution.env_vars", {"A": "lit:1"}))
    yield Case("C16", "overrides", put(SLURM, "evaluation.overrides", {"config.params.temperature": 0.6}))
    yield Case("C16", "overrides-of-a-task", put(SLURM, "evaluation.tasks[0].overrides", {"config.params.top_p": 0.6}))
    yield Case("C22", "multiple_instances", put(SLURM, "deployment.multiple_instances", True))
    yield Case("C34", "no-tasks", put(SLURM, "evaluation.tasks", []))
    yield Case(
        "C34", "tasks-at-the-top", put(drop(SLURM, "evaluation.tasks"), "tasks", [{"name": "nemo_skills.ns_gpqa"}])
    )
    yield Case("C34", "tasks-left-out", drop(SLURM, "evaluation.tasks"))
    for key in (
        "use_chaching",
        "max_logged_request",
        "process_reasoning_trace",
        "system_prompt",
        "reuse_cached_responses",
    ):
        yield Case("C18", key, put(MOE, f"{ADAPTER}.{key}", True))
    yield Case("C18", "top-level-target", put(MOE, "target.api_endpoint.adapter_config", {"use_caching": False}))
    yield Case("C18", "interceptor-name", put(MOE, ADAPTER, {"interceptors": [{"name": "cachng"}, "endpoint"]}))
    yield Case("C17", "interceptors", put(MOE, ADAPTER, {"interceptors": ["caching", "endpoint"]}))
    yield Case("C17", "interceptors-beside-fields", put(MOE, f"{ADAPTER}.interceptors", ["caching", "endpoint"]))
    yield Case("C17", "no-endpoint", put(MOE, ADAPTER, {"interceptors": [{"name": "caching"}]}))
    yield Case("C19", "both-switches", put(MOE, f"{ADAPTER}.use_reasoning", False))
    yield Case("C06", "extra", put(SLURM, f"{EXTRA}.thinking_budget", 5))
    yield Case("C06", "dataset-option-of-another-harness", put(PROCESS, f"{PARAMS}.extra", {"dataset_split": "x"}))
    yield Case("T17", "timeout", put(SLURM, f"{PARAMS}.request_timeout", 600))
    yield Case(
        "T17", "retries-of-a-task", put(SLURM, "evaluation.tasks[0].nemo_evaluator_config.config.params.max_retries", 3)
    )
