"""A second hunt: faults that people and agents make, written from the list of rules and not from the code that finds them."""

from collections.abc import Iterator
from typing import Any

from .case import Case, drop, put, swap
from .keys import ADAPTER, DOCKER, EXTRA, MOE, NEC, PARAMS, PROCESS, RAY, SLURM, TAU2

LM_EVAL = put(
    put(DOCKER, "evaluation.tasks", [{"name": "lm-evaluation-harness.hellaswag"}]),
    "target.api_endpoint.url",
    "http://10.0.0.5:8000/v1/completions",
)
JUDGE: dict[str, Any] = {
    "type": "vllm",
    "image": "vllm/vllm-openai:v0.20.0",
    "port": 8001,
    "served_model_name": "j",
    "endpoints": {"chat": "/v1/chat/completions"},
    "command": "vllm serve org/j --served-model-name j --port 8001",
}
OWN = "vllm serve ${deployment.hf_model_handle} --served-model-name ${deployment.served_model_name} --port ${deployment.port}"


def own(flags: str, base: str = SLURM) -> str:
    """The config with a command of its own that ends in these flags."""
    return put(base, "deployment.command", f"{OWN} {flags}")


def cases() -> Iterator[Case]:
    """Broken configs."""
    yield from _flags()
    yield from _keys_and_gaps()
    yield from _servers()
    yield from _tasks()
    yield from _places()


def _flags() -> Iterator[Case]:
    for flags in ("--tp-size 8", "--context-length 8192", "--mem-fraction-static 0.8", "--dp 8", "--model-path /x"):
        yield Case("P32", f"vllm{flags.split()[0]}", own(flags))
    for flags in ("--temperature 0.6", "--top_p=0.95", "--max-tokens 100", "--repetition-penalty 1.1"):
        yield Case("P32", f"request{flags.split()[0]}", own(flags))
    sglang = "python3 -m sglang.launch_server --model-path ${deployment.hf_model_handle} --host 0.0.0.0 --port 8000"
    base = put(SLURM, "defaults[1].deployment", "sglang")
    for flags in ("--max-model-len 8192", "--gpu-memory-utilization 0.9", "--enable-auto-tool-choice", "--seed 1"):
        yield Case("P32", f"sglang{flags.split()[0]}", put(base, "deployment.command", f"{sglang} {flags}"))
    yield Case("P32", "extra_args", put(RAY, "deployment.extra_args", "--max-running-requests 8"))
    for flags in (
        "--max-model-len 4096 --seed 1 --max-model-len 2048",
        "-tp 8 --tensor-parallel-size=4",
        "--kv-cache-dtype fp8 --kv-cache-dtype auto",
    ):
        yield Case("P33", f"twice-{flags.split()[0]}", own(flags))
    yield Case("P33", "field-and-flag", put(RAY, "deployment.extra_args", "--tensor-parallel-size 2"))
    yield Case("P30", "misspelt", own("--enable-expert-paralel"))
    yield Case("P30", "misspelt-parser", own("--tool-call-parsr hermes"))


def _keys_and_gaps() -> Iterator[Case]:
    for name in ("Execution", "defualts", "evaluations", "auxiliary_deployment", "quantgates", "envvars"):
        yield Case("C01", name, put(SLURM, name, {"a": 1}))
    yield Case("C01", "section-misspelt", swap(SLURM, "\ndeployment:", "\ndeployement:"))
    for text in ("your_account", "your-account", "{{account}}", "%ACCOUNT%", "insert_account_here", "TBD", "[ACCOUNT]"):
        yield Case("C04", f"account-{text}", put(SLURM, "execution.account", text))
    yield Case("C04", "part-of-a-path", put(SLURM, "execution.output_dir", "/lustre/your_user/results"))
    yield Case("C04", "one-letter", put(SLURM, "deployment.hf_model_handle", "<X>"))
    yield Case("C04", "gap-inside-a-text", put(SLURM, "execution.hostname", "???.cluster.internal"))
    yield Case("C04", "variable", put(SLURM, "evaluation.env_vars.HF_TOKEN", "host:your_token"))
    yield Case("compose", "gap-in-braces", swap(SLURM, "mount_home: false", "deployment: {/shared/x: ???}"))
    yield Case("C02", "framework's-own", put(put(SLURM, "defaults[1].deployment", "trtllm"), "deployment.x_size", 2))
    yield Case("C02", "task-key", put(SLURM, "evaluation.tasks[0].params", {"temperature": 0.6}))
    yield Case("C02", "task-url", put(SLURM, "evaluation.tasks[0].judge", {"url": "http://10.0.0.9/v1"}))
    yield Case("C02", "walltime-of-a-task", put(SLURM, "evaluation.tasks[0].walltime", "01:00:00"))
    yield Case("C02", "camel", put(SLURM, "execution.outputDir", "/shared/x"))
    yield Case("C05", "camel", put(SLURM, f"{PARAMS}.maxNewTokens", 100))
    yield Case("C18", "caching", put(MOE, f"{ADAPTER}.caching", True))


def _servers() -> Iterator[Case]:
    beside = put(TAU2, "auxiliary_deployments", {"judge": JUDGE})
    for reference in ("judge.url", "jugde.chat_url", "judge.completions_url"):
        case = put(beside, f"{EXTRA}.judge.url", f"auxiliary_deployments.{reference}")
        yield Case("P31", reference, case)
    yield Case("P31", "no-server", put(TAU2, f"{EXTRA}.judge.url", "auxiliary_deployments.judge.chat_url"))
    base = {**JUDGE, "endpoints": {"chat": "/v1"}}
    short = put(TAU2, "auxiliary_deployments", {"judge": base})
    yield Case("T04", "beside", put(short, f"{EXTRA}.judge.url", "auxiliary_deployments.judge.chat_url"))
    for url in ("https//10.0.0.5/v1/chat/completions", "http:/10.0.0.5/v1/chat/completions", "10.0.0.5", "$ENDPOINT"):
        yield Case("P09", url, put(DOCKER, "target.api_endpoint.url", url))
    yield Case("C36", "responses", put(DOCKER, "target.api_endpoint.url", "http://10.0.0.5:8000/v1/responses"))
    yield Case("C36", "models", put(DOCKER, "target.api_endpoint.url", "http://10.0.0.5:8000/v1/models"))
    yield Case("D05", "port-in-command", put(SLURM, "deployment.command", f"{OWN.rpartition(' ')[0]} 8001"))
    yield Case(
        "D01", "other-name", put(SLURM, "deployment.command", OWN.replace("${deployment.served_model_name}", "x"))
    )
    yield Case("D07", "no-tag", put(SLURM, "deployment.image", "vllm/vllm-openai"))


def _tasks() -> Iterator[Case]:
    extra = "evaluation.tasks[0].nemo_evaluator_config"
    yield Case("T34", "no-tokenizer", LM_EVAL)
    no_backend = {"config": {"params": {"extra": {"tokenizer": "org/m"}}}}
    yield Case("T34", "tokenizer-without-backend", put(LM_EVAL, extra, no_backend))
    chat = put(LM_EVAL, "target.api_endpoint.url", "http://10.0.0.5:8000/v1/chat/completions")
    yield Case("T34", "on-chat", chat)
    yield Case("C36", "generated-on-chat", put(chat, "evaluation.tasks[0].name", "lm-evaluation-harness.gsm8k"))
    for name in ("ruler.ruler-4k-chat", "genai_perf_eval.genai_perf_generation"):
        yield Case("T34", name, put(DOCKER, "evaluation.tasks[0].name", name))
    yield Case("C14", "bare", put(DOCKER, "evaluation.tasks[0].name", "mmlu"))
    for name in ("gpqa-diamond", "simple_evals/gpqa_diamond", "mmlu pro", "nemo_skills."):
        yield Case("C15", name, put(DOCKER, "evaluation.tasks[0].name", name))
    yield Case("C29", "a-name-that-begins-like-another", put(DOCKER, "evaluation.tasks[0].name", "simple_evals.GPQA"))
    yield Case("P12", "three-times", put(PROCESS, "evaluation.tasks", [{"name": "ifbench.ifbench"}] * 3))
    yield Case("T16", "of-a-task", put(PROCESS, extra, {"config": {"params": {"limit_samples": 0.1}}}))
    yield Case("T03", "value", put(TAU2, f"{EXTRA}.judge.api_key", "${oc.env:HOME}"))
    yield Case("C35", "list", put(SLURM, f"{PARAMS}.temperature", "[0.6]"))
    yield Case("C35", "list-of-repeats", put(SLURM, f"{PARAMS}.temperature", [0.6, 1.0]))
    yield Case("P06", "top_p-percent", put(SLURM, f"{PARAMS}.top_p", 95))
    yield Case("P06", "max_new_tokens-negative", put(SLURM, f"{PARAMS}.max_new_tokens", -1))


def _places() -> Iterator[Case]:
    for walltime in ("4:00", "04:00:00:00", "24h", "1 day", "04:60:00", "04:00:00 "):
        yield Case("C12", f"walltime-{walltime}", put(SLURM, "execution.walltime", walltime))
    for path in ("./results", "results/run", "$HOME/results", "C:\\results"):
        yield Case("S06", path, put(SLURM, "execution.output_dir", path))
    yield Case("C23", "three-of-eight", put(put(RAY, "execution.num_nodes", 8), "execution.num_instances", 3))
    yield Case("D24", "two-kinds", put(SLURM, "execution.gres", "gpu:h100:64"))
    yield Case("P18", "account", put(SLURM, "execution.account", "my team"))
    yield Case("P18", "partition", put(SLURM, "execution.partition", "a, b"))
    yield Case("P18", "comment", put(SLURM, "execution.sbatch_extra_flags", {"comment": "it's mine"}))
    yield Case("P21", "image-with-space", put(SLURM, "deployment.image", "vllm/vllm-openai: v0.20.0"))
    yield Case("C09", "number", put(SLURM, "deployment.env_vars.VLLM_USE_V1", 1))
    yield Case("C09", "upper", put(SLURM, "deployment.env_vars.VLLM_USE_V1", "LIT:1"))
    yield Case("C24", "wandb-described", put(SLURM, "export", {"wandb": {"project": "p", "entity": "t"}}))
    yield Case("C07", "endpoint", put(SLURM, f"{NEC}.config.target", {"api_endpoint": {"url": "http://10.0.0.1/v1"}}))
    yield Case("C22", "string", put(RAY, "deployment.multiple_instances", "true"))
    yield Case("P14", "type", put(SLURM, "deployment.type", "sglang"))
    yield Case("C34", "empty-name", put(SLURM, "evaluation.tasks", None))
    yield Case("P22", "model", drop(PROCESS, "target.api_endpoint.model_id"))
