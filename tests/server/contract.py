"""What clients and scripts may rely on: every tool's arguments with their defaults, and the fields of its result.

More result fields may be added, and more optional arguments at the end; a name, a default or a shape below is changed only on
purpose, in a version that says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

REQUIRED = object()


@dataclass(frozen=True)
class Contract:
    """The fixed part of one tool.

    Attributes:
        result: Field names; `rows[{…}]` and `object{…}` hold others, `names[]` is a list of plain values, `map{}` a map.
        arguments: By name, with the default or REQUIRED, in their order.
        read_only: Touches neither the world nor the user's files.
        destructive: Ends something.
        open_world: Reaches beyond this machine's files, where that is fixed.
    """

    result: str
    arguments: dict[str, Any] = field(default_factory=dict)
    read_only: bool = True
    destructive: bool = False
    open_world: bool | None = None


CONTRACTS: dict[str, Contract] = {
    "check_environment": Contract(
        "ready, blockers[], launcher{version, validated_version, build_config_works}, containers{engine, usable, reason}, "
        "credentials[{name, set, found_in, needed_by}], clusters[{host, reachable, reason}], "
        "workspaces[{path, checkpoints[], configs[], runs[], patches[{}]}]",
        {"workspace": "", "config": "", "host": ""},
    ),
    "list_tasks": Contract(
        "tasks[{id, harness, endpoint_type, container, recipe, description}], total, omitted",
        {"query": "", "harness": "", "endpoint_type": "", "limit": 20},
    ),
    "read_model_config": Contract(
        "kind, architecture, model_type, parameters, weights_bytes, dtype, max_position_embeddings, moe, multimodal, "
        "needs_trust_remote_code, reasoning, tool_calling, generation_defaults{}, serving_flags[{flag, value, because}], "
        "fit{tensor_parallel, data_parallel, weights_gib_per_gpu, because}, card[{line, quote, key}], missing_files[]",
        {"model": REQUIRED, "gpu_memory_gb": 0, "gpus": 0, "gpu_arch": ""},
    ),
    "detect_quantization": Contract(
        "quantized, method, algorithm, kv_cache_algorithm, group_size, excluded_modules[], layers{}, producer, "
        "evidence[{file, field, value}], conflicts[], serving{flags[], env_vars{}, supported, reason}, "
        "benchmarks[{recipe, task, sensitivity, because}], baseline_note",
        {"model": REQUIRED, "framework": "vllm", "gpu_arch": ""},
    ),
    "build_config": Contract(
        "path, missing[{path, meaning}], options{}",
        {"execution": "", "deployment": "", "model_type": "", "benchmarks": [], "export": "none", "output": ""},
        read_only=False,
    ),
    "edit_config": Contract(
        "path, diff, missing[{path, meaning}], findings[{}]",
        {
            "config": REQUIRED,
            "model": "",
            "set": [],
            "unset": [],
            "add_tasks": [],
            "remove_tasks": [],
            "layout": "",
            "gpus": 0,
            "gpu_memory_gb": 0,
            "gpu_arch": "",
        },
        read_only=False,
    ),
    "check_config": Contract(
        "ok, findings[{rule, severity, path, message, fix}], rules_checked, images[{image, registry, access}], preflight{}",
        {"config": REQUIRED, "preflight": False},
    ),
    "dry_run": Contract(
        "passed, fingerprint, findings[{}], jobs[{}], images[], output_tail", {"config": REQUIRED}, read_only=False
    ),
    "canary": Contract(
        "invocation_id, fingerprint, state, gate{passed, reasons[], estimate{requests, hours, gpu_hours, truncated_share, "
        "tokens_per_sample}}, tasks[{}]",
        {"config": REQUIRED, "samples": 10, "tasks": [], "wait_seconds": 0, "again": False},
        read_only=False,
        open_world=True,
    ),
    "run": Contract(
        "invocation_id, fingerprint, state, planned_requests, gpu_hours_at_most",
        {"config": REQUIRED, "tasks": [], "max_samples": 0, "skip_gates_reason": ""},
        read_only=False,
        open_world=True,
    ),
    "status": Contract(
        "runs[{invocation_id, kind, executor, state, gate{passed, reasons[]}, tasks[{task, state, reason, scheduler_state, "
        "samples_done, samples_expected, eta_seconds, job_ids[]}]}]",
        {"invocation_ids": [], "wait_seconds": 0},
    ),
    "logs": Contract(
        "entries[{task, file, text, bytes_total, next_before}]",
        {"invocation_id": REQUIRED, "task": "", "source": "all", "file": "", "lines": 50, "before": 0},
    ),
    "grep_slurm_logs": Contract(
        "verdict, classes[{name, count, severity, meaning, fix, samples[{file, line, text}]}], benign[{}], files, bytes_scanned",
        {"invocation_id": REQUIRED, "pattern": "", "task": "", "source": "all"},
    ),
    "resume": Contract("resumed[], refused[{task, reason}]", {"invocation_id": REQUIRED, "tasks": []}, read_only=False),
    "cancel": Contract(
        "cancelled[{task, job_ids[]}], still_running[]",
        {"invocation_id": REQUIRED, "tasks": []},
        read_only=False,
        destructive=True,
    ),
    "verify_run": Contract(
        "verdict, subset{samples, of}, tasks[{task, verdict, samples_expected, samples_scored, checks[{name, ok, detail}], "
        "score{metric, value, stderr, minimum, maximum}}]",
        {"run": REQUIRED},
    ),
    "compare_runs": Contract(
        "verdict, comparability{verdict, differences[{field, baseline, candidate, severity}]}, tasks[{task, metric, baseline, "
        "candidate, delta, low, high, margin, verdict, questions, repeats, method, smallest_certifiable_margin, flips{}}], "
        "suite{delta, low, high, verdict, tasks}, external[{task, status, difference_pp, source}], report_path",
        {"baseline": REQUIRED, "candidate": REQUIRED, "margin": 0.01, "published": [], "report": ""},
        # Without `report` it writes nothing: a read-only server offers it so.
        read_only=False,
    ),
    "compile_config": Contract(
        "launcher_config, job_config, task_filters[], changes[{what, why}], commands{status, logs}",
        {
            "config": "",
            "recipe": "",
            "profile": "",
            "overrides": [],
            "tasks": [],
            "force_squash": False,
            "output": "",
        },
        read_only=False,
    ),
}
