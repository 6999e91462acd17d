"""Tasks: names, judges, limits, and what a benchmark needs."""

from collections.abc import Iterator
from typing import Any

from .case import Case, drop, example, put, swap, template
from .keys import ADAPTER, DOCKER, EXTRA, MOE, NEC, PARAMS, PROCESS, SLURM, TAU2

LOGPROB = example("logprob_suite_slurm")
NAME = "evaluation.tasks[0].name"
JUDGE = {"url": "https://integrate.api.nvidia.com/v1", "model_id": "j", "api_key": "JUDGE_API_KEY"}


def _task(name: str, **extra: Any) -> dict[str, Any]:
    params: dict[str, Any] = {"extra": extra} if extra else {}
    return {
        "name": name,
        "env_vars": {"JUDGE_API_KEY": "host:JUDGE_API_KEY"},
        "nemo_evaluator_config": {"config": {"params": params}},
    }


def _with(base: str, name: str, **extra: Any) -> str:
    return put(base, "evaluation.tasks", [_task(name, **extra)])


def cases() -> Iterator[Case]:
    """Broken configs."""
    for name in ("mmlu_pro", "gpqa_diamond", "ifbench", "humaneval"):
        yield Case("C14", name, put(DOCKER, NAME, name))
    for name in (
        "nemo_skills.ns_gppa",
        "nemoskills.ns_gpqa",
        "gsm9k_nothing",
        "a.b.c",
        "ns_mmlupro",
        "nemo-skills.ns_gpqa",
    ):
        yield Case("C15", name, put(DOCKER, NAME, name))
    yield Case("C15", "no-name", drop(DOCKER, NAME))
    yield Case("C29", "known-harness", _with(DOCKER, "lm-evaluation-harness.polemo2_custom_unlisted"))
    yield Case("C29", "own-image", put(DOCKER, "evaluation.tasks[0]", {"name": "mine.task", "container": "reg.io/x:1"}))
    own = "nvcr.io/nvidia/eval-factory/nemo-skills:26.03"
    yield Case("C30", "own-container", put(DOCKER, "evaluation.tasks[0].container", own))
    unlisted = {"name": "lm-evaluation-harness.polemo2_custom_unlisted"}
    yield Case("C31", "completions", put(LOGPROB, "evaluation.tasks[0]", unlisted))
    yield Case("P12", "twice", _twice())
    yield from _judges()
    yield from _tau2()
    yield from _needs()
    yield from _limits()


def _twice() -> str:
    return put(PROCESS, "evaluation.tasks[1]", {"name": "ifbench.ifbench"})


def _judges() -> Iterator[Case]:
    yield Case("T02", "no-judge", _with(DOCKER, "simple_evals.AIME_2025_aa_v2", n_samples=64))
    yield Case("T02", "aa_lcr", _with(DOCKER, "nemo_skills.ns_aa_lcr", num_repeats=16))
    yield Case("T02", "tau2", drop(TAU2, f"{EXTRA}.judge"))
    yield Case("T02", "tau2-user", drop(TAU2, f"{EXTRA}.user"))
    no_url = {"model_id": "j", "api_key": "JUDGE_API_KEY"}
    yield Case("T02", "judge-without-url", _with(DOCKER, "simple_evals.AIME_2025_aa_v2", judge=no_url))
    for key in ("sk-" + "a1B2" * 8, "host:JUDGE_API_KEY", "$JUDGE_API_KEY", "not a name"):
        yield Case(
            "T03", f"key-{key[:8]}", _with(DOCKER, "simple_evals.AIME_2025_aa_v2", judge={**JUDGE, "api_key": key})
        )
    yield Case("T03", "undeclared", put(TAU2, f"{EXTRA}.judge.api_key", "OTHER_KEY"))
    yield Case("T03", "default-name", drop(TAU2, "evaluation.tasks[0].env_vars.USER_API_KEY"))
    yield Case("T03", "no-key", _with(DOCKER, "nemo_skills.ns_aa_lcr", judge={"url": JUDGE["url"], "model_id": "j"}))
    full = JUDGE["url"] + "/chat/completions"
    yield Case("T04", "nemo_skills", _with(DOCKER, "nemo_skills.ns_aa_lcr", judge={**JUDGE, "url": full}))
    yield Case("T04", "simple_evals", _with(DOCKER, "simple_evals.AIME_2025_aa_v2", judge={**JUDGE, "url": full}))
    yield Case("T04", "tau2", put(TAU2, f"{EXTRA}.judge.url", JUDGE["url"]))
    yield Case("T04", "tau2-user", put(TAU2, f"{EXTRA}.user.url", JUDGE["url"]))
    no_model = {"url": JUDGE["url"], "api_key": "JUDGE_API_KEY"}
    yield Case("P28", "no-model", _with(DOCKER, "nemo_skills.ns_aa_lcr", judge=no_model))
    soft = _with(DOCKER, "nemo_skills.ns_gpqa", args="++server.enable_soft_fail=True")
    yield Case("P29", "soft-fail", soft)
    yield Case("T06", "off", put(TAU2, f"{EXTRA}.judge.enabled", False))
    yield Case("T06", "never-on", drop(TAU2, f"{EXTRA}.judge.enabled"))
    yield Case("C02", "judge-key", _with(DOCKER, "nemo_skills.ns_aa_lcr", judge={**JUDGE, "max_token": 5}))
    yield Case("P09", "judge-url", put(TAU2, f"{EXTRA}.judge.url", "integrate.api.nvidia.com/v1/chat/completions"))


def _tau2() -> Iterator[Case]:
    yield Case("T05", "no-parser", swap(TAU2, "    --tool-call-parser hermes\n", ""))
    yield Case("P30", "near", swap(TAU2, "    --max-model-len 131072\n", "    --max-modellen 131072\n"))
    yield Case("T05", "no-choice", swap(TAU2, "    --enable-auto-tool-choice\n", ""))
    yield Case("T05", "template", template("slurm", "vllm", "chat_reasoning", "agentic"))
    own = "evaluation.tasks[0].nemo_evaluator_config.config.params.parallelism"
    yield Case("T08", "too-much", put(TAU2, own, 1024))
    yield Case("T08", "missing", drop(drop(TAU2, own), f"{PARAMS}.parallelism"))
    yield Case("T40", "skip", drop(TAU2, f"{EXTRA}.skip_failed_samples"))
    yield Case("T19", "cache", put(put(SLURM, f"{PARAMS}.temperature", 0.6), ADAPTER, {"use_caching": True}))


def _needs() -> Iterator[Case]:
    yield Case("T09", "context", _with(SLURM, "nemo_skills.ns_aa_lcr", num_repeats=16, judge=JUDGE))
    yield Case("T10", "context", _with(SLURM, "nemo_skills.ns_scicode"))
    yield Case("T10", "parallelism", put(_with(DOCKER, "nemo_skills.ns_scicode"), f"{PARAMS}.parallelism", 512))
    yield Case(
        "T21",
        "instruct",
        put(SLURM, f"{NEC}.target", {"api_endpoint": {"adapter_config": {"process_reasoning_traces": True}}}),
    )
    yield Case(
        "T22", "ceiling", put(SLURM, "evaluation.tasks[0].nemo_evaluator_config.config.params.max_new_tokens", 512)
    )
    yield Case("T37", "logs", put(_with(DOCKER, "ruler.ruler-128k-chat"), ADAPTER, {"use_request_logging": True}))
    yield Case(
        "T20", "repeats", put(SLURM, "evaluation.tasks[1].nemo_evaluator_config.config.params.extra.num_repeats", 1)
    )
    chat = put(PROCESS, NAME, "lm-evaluation-harness.hellaswag")
    yield Case("T34", "chat-url", chat)
    yield Case("T34", "no-tokenizer", drop(LOGPROB, f"{PARAMS}.extra"))
    yield Case("T34", "chat-type", put(LOGPROB, "evaluation.tasks[0].endpoint_type", "chat"))


def _limits() -> Iterator[Case]:
    yield Case("T16", "evaluation", put(DOCKER, f"{PARAMS}.limit_samples", 10))
    yield Case("T16", "task", put(DOCKER, "evaluation.tasks[0].nemo_evaluator_config.config.params.limit_samples", 0.1))
    yield Case("T16", "template", template("local", "none", "chat_reasoning", "long_context"))
    limited = put(put(PROCESS, NAME, "garak.garak"), f"{PARAMS}.limit_samples", 10)
    yield Case("T15", "garak", limited)
    yield Case("S08", "many-jobs", MOE)
