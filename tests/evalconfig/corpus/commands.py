"""Commands of servers, and names by which the model is found: faults that only show when the job has its GPUs."""

from collections.abc import Iterator

from .case import Case, put
from .hunt import own
from .keys import ADAPTER, DOCKER, EXTRA, MOE, PARAMS, PROCESS, SLURM

URL = "target.api_endpoint.url"


def cases() -> Iterator[Case]:
    """Broken configs."""
    for flags in (
        "--tensor-parallel-size 0",
        "--tensor-parallel-size eight",
        "--gpu-memory-utilization 95",
        "--max-model-len -5",
        "--max-model-len max",
        "--max-num-seqs 0",
        "--kv-cache-dtype fp9",
        "--dtype fp16",
        "--max-model-len --seed 1",
    ):
        yield Case("P34", flags, own(flags))
    for flags in (
        "-max-model-len 4096",
        "\u2013max-model-len 4096",
        "--hf-overrides \u201c{}\u201d",
        "--max-model-len = 4096",
        "--enable-expert-parallel true --seed 1",
        "--trust-remote-code False",
    ):
        yield Case("P35", flags, own(flags))
    yield Case("P39", "parser", own("--enable-auto-tool-choice"))
    yield Case("P10", "server-key", own("--api-key abc"))
    yield Case("P33", "port", own("--port $PORT"))
    handle = "deployment.hf_model_handle"
    for text in (
        "https://huggingface.co/org/m",
        "Llama-3.1-8B",
        "org/m@main",
        "/shared/models/m",
        "org/m/x",
        "org--m/x",
    ):
        yield Case("P36", text, put(SLURM, handle, text))
    for url in (
        "http://10.0.0.5:8000/v1/v1/chat/completions",
        "http://10.0.0.5:8000/v1/chat/completions/chat/completions",
    ):
        yield Case("P37", url, put(DOCKER, URL, url))
    yield Case("P09", "open-bracket", put(DOCKER, URL, "http://[::1/v1/chat/completions"))
    yield Case("P37", "model-id", put(DOCKER, "target.api_endpoint.model_id", "http://10.0.0.5:8000"))
    yield Case("P38", "no-slash", put(SLURM, "deployment.endpoints", {"chat": "v1/chat/completions"}))
    yield Case("P38", "whole-url", put(SLURM, "deployment.endpoints", {"chat": "http://x:8000/v1/chat/completions"}))
    yield Case("P38", "no-health", put(SLURM, "deployment.endpoints", {"health": None}))
    yield Case("D28", "beside-kwargs", put(MOE, f"{ADAPTER}.params_to_add", {"enable_thinking": True}))
    yield Case("P19", "over-results", put(SLURM, "execution.mounts.evaluation", {"/shared/x": "/results"}))
    yield Case("P05", "args-as-list", put(SLURM, f"{EXTRA}.args", ["++a=1"]))
    yield Case("P06", "milliseconds", put(PROCESS, f"{PARAMS}.request_timeout", 3_600_000))
    for at, text in (
        ("execution.username", "john doe"),
        ("execution.hostname", "ssh://login"),
        ("execution.hostname", "login.cluster:22"),
    ):
        yield Case("P18", f"{at}-{text}", put(SLURM, at, text))
    yield Case("D01", "name-with-a-space", put(SLURM, "deployment.served_model_name", "my model"))
    yield Case("compose", "no-defaults", put(SLURM, "defaults", []).replace("defaults: []\n", ""))
