"""Values: gaps, placeholders, kinds, bounds, and what breaks out of a line."""

from collections.abc import Iterator
from typing import Any

from .case import Case, drop, example, put, swap, template
from .keys import ADAPTER, DOCKER, EXTRA, MOE, NEC, PARAMS, PROCESS, RAY, SLURM, TAU2

_KINDS: tuple[tuple[str, str, Any], ...] = (
    (MOE, f"{ADAPTER}.process_reasoning_traces", "maybe"),
    (MOE, f"{ADAPTER}.use_caching", [True]),
    (MOE, f"{ADAPTER}.params_to_add", "enable_thinking"),
    (MOE, f"{ADAPTER}.params_to_remove", "max_tokens"),
    (MOE, f"{ADAPTER}.max_logged_requests", "ten"),
    (SLURM, "execution.mounts.mount_home", "false"),
    (SLURM, "deployment.command", ["vllm", "serve", "x"]),
    (SLURM, "deployment.extra_args", ["--max-model-len", "8192"]),
    (SLURM, "evaluation.env_vars", "HF_TOKEN=host:HF_TOKEN"),
    (MOE, "execution.auto_export.destinations", "mlflow"),
    (MOE, "export.mlflow.tags", ["a", "b"]),
    (MOE, "export.mlflow.tags", {"bits": 4}),
    (TAU2, f"{EXTRA}.judge", "gpt-4"),
    (TAU2, f"{EXTRA}.judge.enabled", "yes please"),
    (DOCKER, "target.api_endpoint.url", 8080),
    (DOCKER, "evaluation.tasks[0].dataset_dir", ["/data"]),
    (SLURM, "execution.proxy.config.haproxy_port", "http"),
    (SLURM, "deployment.endpoints", {"chat": 1}),
)
_BOUNDS: tuple[tuple[str, str, Any], ...] = (
    (SLURM, f"{PARAMS}.parallelism", 0),
    (SLURM, f"{PARAMS}.parallelism", -4),
    (SLURM, f"{PARAMS}.temperature", -0.5),
    (SLURM, f"{PARAMS}.temperature", 60),
    (SLURM, f"{PARAMS}.top_p", 1.5),
    (SLURM, f"{PARAMS}.top_p", 0),
    (SLURM, f"{PARAMS}.max_new_tokens", 0),
    (TAU2, f"{PARAMS}.max_retries", -1),
    (TAU2, f"{PARAMS}.request_timeout", 0),
    (RAY, "execution.num_nodes", 0),
    (RAY, "execution.num_instances", 0),
    (RAY, "deployment.tensor_parallel_size", 0),
    (RAY, "deployment.gpu_memory_utilization", 90),
    (SLURM, "deployment.port", 70000),
    (SLURM, "deployment.port", 0),
    (SLURM, "execution.ntasks_per_node", 0),
    (SLURM, f"{EXTRA}.num_repeats", 0),
    (RAY, "execution.endpoint_readiness_timeout", -1),
)
_TEXT_NUMBERS: tuple[tuple[str, str, Any], ...] = (
    (SLURM, f"{PARAMS}.parallelism", "many"),
    (SLURM, f"{PARAMS}.parallelism", "16"),
    (SLURM, f"{PARAMS}.temperature", "0.6"),
    (SLURM, f"{PARAMS}.max_new_tokens", "16k"),
    (SLURM, f"{PARAMS}.top_p", True),
    (RAY, "execution.num_nodes", "two"),
    (RAY, "deployment.tensor_parallel_size", "8 GPUs"),
    (SLURM, "deployment.port", "http"),
)


def cases() -> Iterator[Case]:
    """Broken configs."""
    for at in ("execution.account", "deployment.image", "evaluation.tasks[0].name", f"{PARAMS}.max_new_tokens"):
        yield Case("C03", at, put(SLURM, at, "???"))
    yield Case("C03", "hostname-left-out", drop(SLURM, "execution.hostname"))
    yield Case("C03", "params_to_add", put(MOE, f"{ADAPTER}.params_to_add", "???"))
    for at, text in (
        ("execution.account", "<ACCOUNT>"),
        ("execution.account", "<your-account>"),
        ("execution.partition", "CHANGEME"),
        ("execution.output_dir", "/shared/<USER_NAME>/results"),
        ("deployment.image", "vllm/vllm-openai:<VERSION>"),
        ("deployment.command", "vllm serve <MODEL> --port 8000 --served-model-name m"),
        ("execution.account", "TODO"),
        ("target.api_endpoint.api_key_name", "YOUR_API_KEY_NAME"),
    ):
        yield Case("C04", f"{at}-{text[:12]}", put(SLURM, at, text))
    for base, at, value in _KINDS:
        yield Case("P05", f"{at.rpartition('.')[2]}-{str(value)[:12]}", put(base, at, value))
    for at, value in (
        ("execution.mounts.deployment", ["/a:/b"]),
        ("execution.mounts", ["/a:/b"]),
        ("execution.sbatch_extra_flags", ["--exclusive"]),
        ("deployment.env_vars", ["HF_TOKEN"]),
    ):
        yield Case("P05", f"list-at-{at}", put(SLURM, at, value))
    for at in (
        "export",
        "execution.mounts",
        "execution.sbatch_extra_flags",
        "evaluation.env_vars",
        "evaluation.tasks[0].env_vars",
    ):
        yield Case("P44", f"null-at-{at}", put(SLURM, at, None))
    for base, at, value in _BOUNDS:
        yield Case("P06", f"{at.rpartition('.')[2]}-{value}", put(base, at, value))
    for base, at, value in _TEXT_NUMBERS:
        yield Case("C35", f"{at.rpartition('.')[2]}-{value}", put(base, at, value))
    yield from _variables()
    yield from _breaking_out()
    yield from _interpolations()


def _variables() -> Iterator[Case]:
    for value in ("abcdefghijklm", "$HF_TOKEN", "HOST:HF_TOKEN", "env:HF_TOKEN", "lit=1", 5, True):
        yield Case("C09", f"value-{value}", put(SLURM, "evaluation.env_vars.SOMETHING", value))
    yield Case("C09", "deployment", put(SLURM, "deployment.env_vars.VLLM_LOGGING_LEVEL", "DEBUG"))
    yield Case("C10", "resolver", put(SLURM, "evaluation.env_vars.HF_TOKEN", "${oc.env:HF_TOKEN}"))
    yield Case("C10", "decode", put(SLURM, "evaluation.env_vars.OTHER", "lit:${oc.decode:'1'}"))
    yield Case("C10", "secret-elsewhere", put(TAU2, f"{EXTRA}.user.api_key", "${oc.env:USER_API_KEY}"))
    yield Case("C11", "host", put(SLURM, "evaluation.env_vars.OTHER", "host:QUANTGATE_NEVER_SET"))
    yield Case("C11", "space-after-host", put(SLURM, "evaluation.env_vars.HF_TOKEN", "host: HF_TOKEN"))
    yield Case("C11", "key-name", put(DOCKER, "target.api_endpoint.api_key_name", "QUANTGATE_NEVER_SET"))
    yield Case("C11", "interpolated", put(SLURM, "execution.output_dir", "/shared/${oc.env:QUANTGATE_NEVER_SET}"))
    yield Case("P11", "quote-in-constant", put(SLURM, "deployment.env_vars.JSON", 'lit:{"a": 1}'))
    yield Case("P11", "command-in-constant", put(SLURM, "deployment.env_vars.X", "lit:$(touch /tmp/x)"))
    yield Case("P11", "name", put(SLURM, "deployment.env_vars.HF-TOKEN", "host:HF_TOKEN"))
    yield Case("P11", "nothing-after-host", put(SLURM, "deployment.env_vars.X", "host:"))
    yield Case("P10", "constant", put(SLURM, "evaluation.env_vars.HF_TOKEN", "lit:hf_" + "a1B2" * 8))
    yield Case("P10", "anywhere", put(DOCKER, "execution.extra_docker_args", "-e KEY=nvapi-" + "a1B2" * 8))
    yield Case("S18", "evaluation-without-token", drop(SLURM, "evaluation.env_vars.HF_TOKEN"))
    yield Case("S18", "server-without-token", drop(SLURM, "deployment.env_vars.HF_TOKEN"))
    yield Case("S15", "offline", put(SLURM, "deployment.env_vars.HF_HUB_OFFLINE", "lit:1"))


def _breaking_out() -> Iterator[Case]:
    yield Case("P07", "image", put(SLURM, "deployment.image", "vllm/vllm-openai:v0.11.0\ntouch /tmp/x"))
    yield Case("P07", "name", put(SLURM, "deployment.served_model_name", "m\nrm -rf /"))
    yield Case("P07", "substitution", put(SLURM, "deployment.image", "vllm/vllm-openai:$(id)"))
    for mark in (";", "&", "|", ">"):
        yield Case(
            "P07", f"options{mark}", put(DOCKER, "execution.extra_docker_args", f"--gpus all {mark} touch /tmp/x")
        )
    yield Case("P07", "container", put(DOCKER, "evaluation.tasks[0].container", "x/y:1\n echo"))
    yield Case("P07", "arguments", put(RAY, "deployment.extra_args", "--max-num-seqs 64\ntouch /tmp/x"))
    yield Case("P18", "account", put(SLURM, "execution.account", "team\ntouch /tmp/x"))
    yield Case("P18", "hostname-option", put(SLURM, "execution.hostname", "-oProxyCommand=touch"))
    yield Case("P18", "hostname-with-user", put(SLURM, "execution.hostname", "me@login.cluster"))
    yield Case("P18", "comment", put(SLURM, "execution.sbatch_comment", "it's mine"))
    yield Case("P04", "output", put(SLURM, "execution.output_dir", "/shared/$(touch x)"))
    yield Case("P04", "output-with-space", put(SLURM, "execution.output_dir", "/shared/my results"))
    yield Case("P04", "output-of-a-process", put(PROCESS, "execution.output_dir", "/tmp/a;b"))


def _interpolations() -> Iterator[Case]:
    for text in ("${HOME}/x", "${MODEL:-x}", "${#x}", "${SLURM_JOB_ID}"):
        yield Case(
            "C20", text, put(SLURM, "deployment.command", f"vllm serve {text} --served-model-name m --port 8000")
        )
    yield Case("C20", "comment", put(SLURM, "execution.sbatch_comment", "run ${RUN_ID}"))
    yield Case("C25", "deployment", put(MOE, "export.mlflow.tags", {"image": "${deployment.image}"}))
    yield Case("C25", "evaluation", put(MOE, "export.mlflow.description", "${evaluation.tasks[0].name}"))
    local = put(DOCKER, "export", {"local": {"output_dir": "${execution.output_dir}/export"}})
    yield Case("C25", "local", local)
    folded = swap(example("nvfp4_slurm"), "    --host 0.0.0.0\n", "    # all addresses\n    --host 0.0.0.0\n")
    yield Case("C21", "folded", folded)
    yield Case("C21", "extra-args", put(RAY, "deployment.extra_args", "--max-num-seqs 64 # as parallelism"))
    filled = template("slurm", "vllm", "base", "coding")
    yield Case("C21", "template", put(filled, "deployment.extra_args", "--max-model-len 8192 # enough --enforce-eager"))
    yield Case(
        "P13", "self-first", put(SLURM, "defaults", ["_self_", {"execution": "slurm/default"}, {"deployment": "vllm"}])
    )
    yield Case("P14", "type", put(SLURM, "execution.type", "local"))
    yield Case("P14", "deployment-none", put(SLURM, "deployment.type", "none"))
    yield Case("P14", "no-deployment", put(drop(DOCKER, "target"), "defaults", [{"execution": "local"}, "_self_"]))
    yield Case("C13", "url", put(SLURM, "target.api_endpoint.url", "http://127.0.0.1:8000/v1/chat/completions"))
    yield Case("C13", "model", put(SLURM, "target.api_endpoint.model_id", "m"))
    elsewhere = "https://integrate.api.nvidia.com/v1/chat/completions"
    yield Case("C13", "elsewhere", put(SLURM, f"{NEC}.target.api_endpoint.url", elsewhere))
