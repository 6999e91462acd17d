"""The flags a server needs for a model, each with its reason and the file that the reason comes from."""

from __future__ import annotations

from dataclasses import dataclass

from . import tables
from .model_facts import ModelFacts
from .parsers import parser_reason, reasoning_parser, tool_parser
from .quantization_record import QuantizationRecord

SAMPLING_FILE = "generation_config.json"
TENSOR_PARALLEL = "<tensor-parallel size>"
"""Stands for a value that the layout decides: it is no valid value, so that nobody starts a server with it."""


@dataclass(frozen=True)
class Flag:
    """A serving flag, its value (empty for a switch), and the reason with the file it comes from."""

    flag: str
    value: str
    because: str


@dataclass(frozen=True)
class KvChoice:
    """How a recorded KV-cache algorithm is served: by `flag`, or not, and then `warning` says why."""

    flag: Flag | None = None
    warning: str = ""


def serving_flags(
    facts: ModelFacts, record: QuantizationRecord, framework: str = "vllm", tensor_parallel: int = 0
) -> list[Flag]:
    """The flags for a model on one framework, each with its reason.

    Args:
        facts: What the model is.
        record: How it is quantized. A GGUF file gets llama.cpp's flags when vLLM is asked for.
        framework: From `serving.check_framework`.
        tensor_parallel: GPUs that share the model, where expert parallelism wants that number; 0: not known.
    """
    if record.gguf is not None and framework == "vllm":
        framework = "llamacpp"
    names = tables.serving().flags.get(framework, {})
    flags: list[Flag] = []
    if facts.served_length:
        flags += _spell(names, "context", str(facts.served_length), facts.served_length_because)
    if record.gguf is None:
        flags += _of_a_checkpoint(facts, record, framework, names, tensor_parallel)
    return _joined(flags, framework)


def serving_warnings(facts: ModelFacts, record: QuantizationRecord, framework: str = "vllm") -> list[str]:
    """What a server cannot do for this model, or does without being asked.

    Args:
        facts: What the model is.
        record: How it is quantized.
        framework: From `serving.check_framework`.
    """
    if record.gguf is not None:
        return []
    found = [kv_choice(record, framework, facts).warning]
    name = tables.methods().frameworks.get(framework, framework)
    trace = reasoning_parser(facts, framework)
    if framework in tables.serving().reasoning:
        if facts.reasoning and (trace is None or not trace.parser):
            note = f" ({trace.note})" if trace is not None else ""
            found.append(
                f"{facts.template_file} has marks of thinking, and no parser of {name} is known for it{note}: if the "
                "model thinks, its trace would stand in the answers; see the model card"
            )
        tools = tool_parser(facts, framework)
        if facts.tool_calling and (tools is None or not tools.parser):
            note = f" ({tools.note})" if tools is not None else ""
            found.append(f"the chat template renders tools, and no tool-call parser of {name} is known for it{note}")
    sampling = tables.serving().sampling.get(framework)
    limit = facts.generation_defaults.get("max_new_tokens", 0)
    if sampling is not None and sampling.limit and limit:
        found.append(
            f"{SAMPLING_FILE} has max_new_tokens {limit}: {name} makes it the limit of every answer; "
            f"stop it with {sampling.stop} and send the sampling settings with each request"
        )
    return [text for text in found if text]


def kv_choice(
    record: QuantizationRecord, framework: str, facts: ModelFacts | None = None, gpu: tables.Gpu | None = None
) -> KvChoice:
    """How a framework serves the recorded KV-cache algorithm.

    Args:
        record: How the model is quantized.
        framework: A key of methods.yaml's frameworks.
        facts: What the model is; None: not known, then its attention is not weighed.
        gpu: Where it would run; None: not known.
    """
    kind = record.kv_cache_algorithm
    if not kind or record.gguf is not None:
        return KvChoice()
    name = tables.methods().frameworks.get(framework, framework)
    row = tables.serving().kv_cache.get(kind, {}).get(framework)
    spelled = tables.serving().flags.get(framework, {}).get("kv_cache")
    if row is None or spelled is None:
        return KvChoice(
            warning=f"the recorded KV-cache algorithm {kind[:60]} on {name}: no source says how it is served"
        )
    lead = f"the recorded KV-cache algorithm {kind} is not served by {name}"
    if not row.value:
        return KvChoice(warning=f"{lead}: {row.says} ({row.source})")
    if facts is not None and facts.mla_width and not row.mla:
        return KvChoice(warning=f"{lead} with multi-head latent attention ({row.source})")
    if gpu is not None and gpu.sm < row.min_sm:
        return KvChoice(warning=f"{lead} below sm_{row.min_sm}, and this GPU is sm_{gpu.sm} ({row.source})")
    because = f"the KV-cache algorithm {kind} recorded {_where(record)}"
    if row.says:
        because += f"; {row.says}"
    if not row.mla and facts is None:
        because += "; not with multi-head latent attention"
    return KvChoice(Flag(spelled.flag, f"{spelled.passthrough} {row.value}".strip(), because))


def _of_a_checkpoint(
    facts: ModelFacts,
    record: QuantizationRecord,
    framework: str,
    names: dict[tables.Purpose, tables.FlagRow],
    tensor_parallel: int,
) -> list[Flag]:
    flags: list[Flag] = []
    if facts.needs_trust_remote_code:
        reason = "auto_map in config.json: the model has its own code; review it first"
        flags += _spell(names, "trust_remote_code", "", reason)
    if (kv := kv_choice(record, framework, facts).flag) is not None:
        flags.append(kv)
    if facts.moe and tensor_parallel != 1:
        value = str(tensor_parallel) if tensor_parallel else TENSOR_PARALLEL
        reason = f"{facts.experts} experts in config.json; of use with more than one GPU"
        flags += _spell(names, "expert_parallel", value, reason)
    if (trace := reasoning_parser(facts, framework)) is not None and trace.parser:
        flags += _spell(names, "reasoning", trace.parser, parser_reason(trace, facts))
    if (tools := tool_parser(facts, framework)) is not None and tools.parser:
        flags += _spell(names, "tools", tools.parser, parser_reason(tools, facts))
    return flags + _sampling(facts, framework)


def _sampling(facts: ModelFacts, framework: str) -> list[Flag]:
    """The flag that says where sampling defaults come from: the server's own default, spelled out."""
    row = tables.serving().sampling.get(framework)
    taken = {k: v for k, v in facts.generation_defaults.items() if row is not None and k in row.keys}
    if row is None or not taken:
        return []
    given = ", ".join(f"{k} {v}" for k, v in taken.items())
    because = f"the default: {given} from {SAMPLING_FILE} where a request says nothing; to stop it: {row.stop}"
    return [Flag(row.flag, row.value, because)]


def _spell(
    names: dict[tables.Purpose, tables.FlagRow], purpose: tables.Purpose, value: str, because: str
) -> list[Flag]:
    """A purpose in a framework's words; nothing where it has no flag for it."""
    row = names.get(purpose)
    if row is None:
        return []
    wanted = "" if row.switch else value
    if row.passthrough:
        parts = [*row.also, row.passthrough, wanted]
        return [Flag(row.flag, " ".join(part for part in parts if part), because)]
    return [*(Flag(also, "", because) for also in row.also), Flag(row.flag, wanted, because)]


def _joined(flags: list[Flag], framework: str) -> list[Flag]:
    """Arguments that all go into one environment variable, as one flag."""
    if framework != "nim":
        return flags
    together: dict[str, Flag] = {}
    for flag in flags:
        first = together.get(flag.flag)
        if first is None:
            lead = "a NIM brings its own serving: only for a checkpoint given by NIM_MODEL_PATH; "
            together[flag.flag] = Flag(flag.flag, flag.value, lead + flag.because)
        else:
            together[flag.flag] = Flag(flag.flag, f"{first.value} {flag.value}", f"{first.because}; {flag.because}")
    return list(together.values())


def _where(record: QuantizationRecord) -> str:
    files = dict.fromkeys(e.file for e in record.evidence if "kv_cache" in e.field)
    return "in " + " and ".join(files) if files else "with the quantization"
