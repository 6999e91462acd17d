"""Each class of the table on lines as the programs print them, and on lines that only look like it."""

from __future__ import annotations

import pytest

from quantgate.runs.signatures import load_signatures

EXAMPLES: dict[str, list[str]] = {
    "cuda_oom": [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 79 GiB",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
    ],
    "kernel_image": [
        "RuntimeError: CUDA error: no kernel image is available for execution on the device",
        "The quantization method modelopt_fp4 requires compute capability 100",
    ],
    "illegal_memory_access": [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered",
    ],
    "nccl": ["torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:94, unhandled cuda error"],
    "host_oom": [
        "slurmstepd: error: Detected 1 oom_kill event in StepId=7.0",
        "[ 12.3] Out of memory: Killed process 4242 (python)",
        "run.sh: line 12:  4242 Killed                  vllm serve",
        "MemoryError",
    ],
    "disk_full": ["OSError: [Errno 28] No space left on device", "OSError: [Errno 122] Disk quota exceeded"],
    "harness_install": [
        "ERROR: No matching distribution found for nvidia-ifbench==26.3",
        "error: subprocess-exited-with-error",
    ],
    "auth": [
        "openai.AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided'}}",
        'INFO HTTP Request: POST https://h.example/v1/chat/completions "HTTP/1.1 401 Unauthorized"',
        "403 Client Error: Forbidden for url: https://hub.example/x",
        "huggingface_hub.errors.GatedRepoError: 401 Client Error. Access to model x is restricted",
        "Request completed status_code=401 path=chat/completions",
    ],
    "rate_limit": [
        "openai.RateLimitError: Error code: 429 - rate limit exceeded",
        "Request completed status_code=429 path=chat/completions",
        'HTTP Request: POST https://h.example/v1 "HTTP/1.1 429 Too Many Requests"',
    ],
    "judge_failure": [
        "judge request failed after 5 retries, scoring as incorrect",
        '"judge_errors": 12',
        "judge_api_error_fraction: 0.25",
    ],
    "model_not_found": [
        "openai.NotFoundError: Error code: 404 - {'message': 'The model `x` does not exist.'}",
        'HTTP Request: POST http://127.0.0.1:8000/chat/completions "HTTP/1.1 404 Not Found"',
    ],
    "hub_cache": [
        "huggingface_hub.errors.HFValidationError: Repo id must be in the form 'repo_name'",
        "LocalEntryNotFoundError: Cannot find the requested files in the disk cache",
    ],
    "tokenizer": [
        "OSError: Can't load tokenizer for '/checkpoint'. Make sure",
        "Tokenizer class QwenTokenizer2 does not exist",
    ],
    "context_overflow": [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "exceed_context_size_error",
    ],
    "health_check": ["Health check timeout after 600s", "Server process 4242 died"],
    "container": ["pyxis: failed to import docker image", "Error response from daemon: pull access denied for x"],
    "sandbox": ["code sandbox is not reachable at port 6000", "Failed to connect to sandbox"],
    "scoring": ["failed to parse the model's answer for sample 12", "Error while scoring response 7"],
    "scheduler": [
        "slurmstepd: error: *** JOB 77 ON node1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***",
        "slurmstepd: error: *** STEP 77.0 ON node1 CANCELLED AT 2026-11-21T10:00:00 DUE TO PREEMPTION ***",
    ],
    "missing_module": [
        "ModuleNotFoundError: No module named 'vllm'",
        "run.sh: line 3: nemo-evaluator: command not found",
    ],
    "port_in_use": ["OSError: [Errno 98] Address already in use"],
    "connection": [
        "requests.exceptions.ConnectionError: Max retries exceeded with url: /v1",
        "[Errno 111] Connection refused",
    ],
    "timeout": ["openai.APITimeoutError: Request timed out."],
    "server_error": ["openai.InternalServerError: Error code: 500", 'POST /v1 "HTTP/1.1 503 Service Unavailable"'],
    "python_traceback": ["Traceback (most recent call last):"],
}

BENIGN = [
    'HTTP Request: HEAD https://huggingface.co/org/m/resolve/main/x.json "HTTP/1.1 404 Not Found"',
    'INFO: 127.0.0.1:5000 - "GET /metrics HTTP/1.1" 404 Not Found',
    "DeprecationWarning: tokenizer not found in the old place is deprecated",
    "request succeeded after retry 2 (429 Too Many Requests)",
    "waiting for the server: Connection refused, will retry",
    "optional dependency flash_attn: No module named 'flash_attn', falling back",
    "oom_kill: 0",
]

QUIET = [
    "error_rate: 0",
    "failed: 0, timeout: 0, errors=[]",
    "judge_api_error_fraction: 0.0",
    '"judge_errors": 0',
    "judge_error: null",
    "Request completed status_code=200 path=chat/completions latency=429",
    "max_tokens=401 sample 404 of 429 took 503 ms",
    "Centralized logging configured",
    "loaded tokenizer in 0.4 s",
    "killed_jobs.txt",
    "score: 0.401",
    "CUDA graph memory: 0.4 GiB",
    "Server process 12 ready",
]


def test_every_class_of_the_table_has_an_example() -> None:
    assert {s.name for s in load_signatures().signatures} == set(EXAMPLES)


@pytest.mark.parametrize(("name", "line"), [(n, line) for n, lines in EXAMPLES.items() for line in lines])
def test_a_line_of_a_class_is_recognised(name: str, line: str) -> None:
    assert name in {s.name for s in load_signatures().judge(line)[0]}


@pytest.mark.parametrize("line", BENIGN)
def test_a_benign_line_counts_for_no_class(line: str) -> None:
    hits, benign = load_signatures().judge(line)
    assert not hits
    assert benign


@pytest.mark.parametrize("line", QUIET)
def test_a_line_that_only_sounds_alike_is_not_even_looked_at(line: str) -> None:
    assert load_signatures().judge(line) == ([], "")


def test_a_benign_phrase_does_not_hide_a_failure_on_its_line() -> None:
    hits, _ = load_signatures().judge("torch.OutOfMemoryError: CUDA out of memory (timeout=None, oom_kill: 0)")
    assert [s.name for s in hits] == ["cuda_oom"]


def test_each_class_says_what_it_means_and_what_to_do() -> None:
    for signature in load_signatures().signatures:
        assert signature.meaning.endswith(".")
        assert signature.fix.endswith(".")
        assert len(signature.meaning) + len(signature.fix) < 300


def test_an_anchor_belongs_to_one_class_and_every_match_contains_one() -> None:
    signatures = load_signatures().signatures
    anchors = [a for s in signatures for a in s.anchors]
    assert len(anchors) == len(set(anchors))
    for signature in signatures:
        for line in EXAMPLES[signature.name]:
            assert any(a in line.lower().encode() for a in signature.anchors), line
