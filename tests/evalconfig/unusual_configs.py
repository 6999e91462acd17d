"""Configs that are valid and look wrong: the rules must have nothing louder than a note to say of them."""

from .valid_configs import LOCAL, SLURM

_TASK = "    - name: ifbench.ifbench # 294 prompts\n"
_IMAGE = "vllm/vllm-openai:v0.20.0"


def _changed(base: str, old: str, new: str) -> str:
    assert old in base, old
    return base.replace(old, new)


def _own(flags: str, before: str = "") -> str:
    command = "vllm serve /checkpoint --served-model-name ${deployment.served_model_name} --port ${deployment.port}"
    return _changed(SLURM, "  tensor_parallel_size: 8\n", f"  command: >-\n    {before}{command} {flags}\n")


def _sglang(flags: str) -> str:
    text = _changed(SLURM, "deployment: vllm", "deployment: sglang").replace(_IMAGE, "lmsysorg/sglang:v0.5.3")
    command = (
        "python3 -m sglang.launch_server --model-path /checkpoint --served-model-name m --host 0.0.0.0 --port 8000"
    )
    return text.replace("  tensor_parallel_size: 8\n", f"  command: {command} {flags}\n")


JUDGE = """\
auxiliary_deployments:
  judge:
    type: vllm
    env_prefix: GRADER
    image: vllm/vllm-openai:v0.20.0
    port: 8001
    served_model_name: j
    endpoints: {chat: /v1, health: /health}
    command: vllm serve org/j --served-model-name j --port 8001
"""
JUDGED = """\
    - name: nemo_skills.ns_hle_aa
      env_vars: {K: 'lit:x'}
      nemo_evaluator_config:
        config:
          params:
            extra:
              judge: {url: $GRADER_CHAT_URL, model_id: auxiliary_deployments.judge.model_id, api_key: K}
"""
TAGS = """\
    target:
      api_endpoint:
        adapter_config:
          process_reasoning_traces: true
          start_reasoning_token: '<THINK>'
          end_reasoning_token: '</THINK>'
  # the benchmarks
"""

UNUSUAL = {
    "short flags": _own("-tp 8 -dp=1 --max-model-len=32k"),
    "a flag twice with one value": _own("--seed 1 --seed 1"),
    "keys of one setting": _own("--compilation-config.mode 3 --compilation-config.use_inductor false"),
    "JSON in a flag": _own("""--speculative-config '{"method": "ngram", "num_speculative_tokens": 3}'"""),
    "a flag once for each value": _own("--middleware a.b --middleware c.d"),
    "several values of a flag": _own("--enable-lora --lora-modules a=/models/a b=/models/b"),
    "a variable before the program": _own("--tensor-parallel-size 8", before="VLLM_USE_V1=1 "),
    "another share of the memory in extra_args": _changed(
        SLURM,
        "  tensor_parallel_size: 8\n",
        "  tensor_parallel_size: 8\n  extra_args: --gpu-memory-utilization 0.9 --max-model-len 65536\n",
    ),
    "SGLang with long names": _sglang("--tensor-parallel-size 8 --expert-parallel-size 8"),
    "SGLang with short names": _sglang("--tp 8"),
    "a server's key from its environment": _own("--api-key $VLLM_API_KEY"),
    "lengths in other words": _own("--max-model-len auto --max-num-batched-tokens 8K --gpu-memory-utilization .9"),
    "the last flag of several commands": _own("--enable-prefix-caching && echo done"),
    "output sent elsewhere": _own("--seed 0 2>&1 | tee /tmp/server.log"),
    "a handle without an organisation": _changed(SLURM, "/shared/models/m-FP8", "null").replace(
        "hf_model_handle: null", "hf_model_handle: gpt2"
    ),
    "thinking switched by a field, at an endpoint elsewhere": _changed(
        LOCAL,
        "  # the benchmarks\n",
        "    target: {api_endpoint: {adapter_config: {params_to_add: {enable_thinking: false}}}}\n  # the benchmarks\n",
    ),
    "mounts beside NEL's own": _changed(
        SLURM, "mounts: {mount_home: false}", "mounts: {mount_home: false, evaluation: {/shared/x: /results_of_others}}"
    ),
    "an account that begins like a placeholder": _changed(SLURM, "account: team", "account: yourbank_llm"),
    "a directory that begins like a placeholder": _changed(SLURM, "/shared/results", "/lustre/your-lab-2/results"),
    "question marks in a prompt": _changed(
        SLURM, "parallelism: 16", "parallelism: 16\n        extra: {args: '++prompt_suffix=Why?? Think'}"
    ),
    "tags that look like placeholders": _changed(LOCAL, "  # the benchmarks\n", TAGS),
    "generated text from a completions endpoint": _changed(LOCAL, "/v1/chat/completions", "/v1/completions").replace(
        "ifbench.ifbench", "lm-evaluation-harness.adlr_mmlu"
    ),
    "log-probabilities from a server of NEL's": _changed(
        SLURM, "nemo_skills.ns_mmlu_pro", "lm-evaluation-harness.arc_challenge"
    ).replace("parallelism: 16", "parallelism: 16\n        extra: {tokenizer: org/m, tokenizer_backend: huggingface}"),
    "a judge by its shell variable": _changed(SLURM, "    - name: nemo_skills.ns_mmlu_pro\n", JUDGED) + JUDGE,
    "one task with two seeds": _changed(
        LOCAL, _TASK, "    - name: ifbench.ifbench\n    - name: ifbench.ifbench\n      env_vars: {SEED: 'lit:2'}\n"
    ),
    "an IPv6 address": _changed(LOCAL, "http://10.0.0.5:8080", "http://[fd00::5]:8080"),
    "days, hours and minutes": _changed(SLURM, '"04:00:00"', '"2-12:30:00"'),
    "null as a tilde": _changed(SLURM, "hf_model_handle: null", "hf_model_handle: ~"),
    "placeholders in a comment": _changed(
        SLURM, "account: team", "account: team # <ACCOUNT> of your_team, ??? until set"
    ),
    "a folded path": _changed(SLURM, "output_dir: /shared/results", "output_dir: >-\n    /shared/results"),
    "a GPU and a silenced rule": SLURM + "quantgate: {gpu_arch: H100, silence: [S01]}\n",
    "Hydra's own section": SLURM + "hydra: {run: {dir: /tmp/x}}\n",
}
