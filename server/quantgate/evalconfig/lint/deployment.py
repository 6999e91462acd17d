"""Rules about which model a deployment serves, and the numbers in it."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite, nan
from typing import Any

from .. import paths
from ..keys import known
from .effective import environment_of, inspected, serving
from .rule import Hit, Rule, Subject, params_places
from .serving_command import CHECKPOINT, mounted
from .structure import FACTS

_SERVES_CHECKPOINT = ("vllm", "sglang")
_CONTEXT = {"vllm": "--max-model-len", "sglang": "--context-length", "trtllm": "--max-seq-len"}
_LONGER = {"vllm": "VLLM_ALLOW_LONG_MAX_MODEL_LEN", "sglang": "SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN"}
_OTHER_CONFIG = ("--hf-overrides", "--json-model-override-args", "--rope-scaling")


def multiple_instances(subject: Subject) -> Iterable[Hit]:
    """The removed `deployment.multiple_instances`."""
    if subject.at("deployment", "multiple_instances") is not None:
        yield Hit("deployment.multiple_instances", "NEL refuses `deployment.multiple_instances`")


def one_model(subject: Subject) -> Iterable[Hit]:
    """Both or none of checkpoint_path and hf_model_handle."""
    kind = subject.composed.deployment
    checkpoint = subject.at("deployment", "checkpoint_path")
    handle = subject.at("deployment", "hf_model_handle")
    if "???" in (checkpoint, handle) or kind in ("none", "nim"):
        return
    if checkpoint and handle and kind in _SERVES_CHECKPOINT:
        message = (
            "Both checkpoint_path and hf_model_handle are given: the handle would be served and the checkpoint ignored"
        )
        yield Hit("deployment.hf_model_handle", message, "set one of them to null")
    elif not checkpoint and not handle and _needs_checkpoint(subject) and not mounted(subject, CHECKPOINT):
        what = "Neither checkpoint_path nor hf_model_handle" if kind in _SERVES_CHECKPOINT else "No checkpoint_path"
        yield Hit(
            "deployment.checkpoint_path", f"{what} is given: the server would find no model", "edit_config(model=…)"
        )


def _needs_checkpoint(subject: Subject) -> bool:
    own = paths.dig(subject.written, "deployment", "command")
    if not isinstance(own, str):
        return subject.composed.deployment in (*_SERVES_CHECKPOINT, "trtllm")
    server = serving(subject)
    if server is None:
        return subject.composed.deployment in _SERVES_CHECKPOINT and (CHECKPOINT in own or "hf_model_handle" in own)
    return server.command.model.rstrip("/") == CHECKPOINT or "hf_model_handle" in own or "base_command" in own


def handle_on_trtllm(subject: Subject) -> Iterable[Hit]:
    """A hub handle for TensorRT-LLM, whose packaged command serves /checkpoint only."""
    handle = subject.at("deployment", "hf_model_handle")
    own = paths.dig(subject.written, "deployment", "command")
    if subject.composed.deployment == "trtllm" and handle and handle != "???" and not isinstance(own, str):
        yield Hit(
            "deployment.hf_model_handle",
            f"NEL's command for trtllm serves {CHECKPOINT} only, and hf_model_handle {str(handle)[:80]} is not read",
            "download the model to the cluster and edit_config(model=…) with its directory",
            cause="D32",
        )


def longer_than_the_model(subject: Subject) -> Iterable[Hit]:
    """A context length that the server refuses."""
    server, model = serving(subject), inspected(subject)
    if server is None or model is None or server.framework not in _LONGER or server.has(*_OTHER_CONFIG):
        return
    flag, variable = _CONTEXT[server.framework], _LONGER[server.framework]
    asked, most = server.number(flag), model.facts.longest_length
    allowed = environment_of(subject, server.command).get(variable, "0").strip().lower() in ("1", "true")
    if asked and most and asked > most and not allowed:
        yield Hit(
            server.place(flag),
            f"{flag} {asked} is more than the {most} tokens of the model: the server refuses to start",
            f"set it to {most} or less; only where the model card extends the context: edit_config(set=["
            f"'deployment.env_vars.{variable}=lit:1'])",
            cause="D25",
        )


def number_as_text(subject: Subject) -> Iterable[Hit]:
    """A number that is written as text or as something else."""
    table = known()
    for path, params in params_places(subject, "config", "params"):
        if isinstance(params, dict):
            yield from _numbers(params, path, table.whole_numbers["params"], whole=True)
            yield from _numbers(params, path, table.numbers["params"], whole=False)
    for section in ("execution", "deployment"):
        values = subject.at(section)
        if isinstance(values, dict):
            yield from _numbers(values, section, table.whole_numbers.get(section, []), whole=True)
            yield from _numbers(values, section, table.numbers.get(section, []), whole=False)


def _numbers(values: dict[str, Any], path: str, names: list[str], *, whole: bool) -> Iterable[Hit]:
    for name in names:
        value = values.get(name)
        if value is None or value == "???" or _is_number(value, whole=whole):
            continue
        kind = "a whole number" if whole else "a number"
        shown = f"the text {value[:40]!r}" if isinstance(value, str) else f"{type(value).__name__} {str(value)[:40]}"
        fix = "write the number without quotes" if _reads_as_number(value, whole=whole) else f"give {kind}"
        yield Hit(f"{path}.{name}", f"{path}.{name} must be {kind} and is {shown}", fix)


def _reads_as_number(value: Any, *, whole: bool) -> bool:
    """Whether a text is a number in quotes, so that they are all that is wrong with it."""
    try:
        number = float(value) if isinstance(value, str) else nan
    except ValueError:
        return False
    return isfinite(number) and (not whole or number.is_integer())


def _is_number(value: Any, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, float):
        return not whole or value.is_integer()
    return isinstance(value, int)


def output_beyond_context(subject: Subject) -> Iterable[Hit]:
    """A max_new_tokens that leaves no room for the prompt in the context that is served."""
    context, what = _served_context(subject)
    for path, params in params_places(subject, "config", "params"):
        tokens = params.get("max_new_tokens") if isinstance(params, dict) else None
        if context and tokens is not None and _is_number(tokens, whole=True) and tokens >= context:
            yield Hit(
                f"{path}.max_new_tokens",
                f"max_new_tokens {tokens} leaves no room for a prompt in the context of {context} ({what})",
                cause="D26",
            )


def _served_context(subject: Subject) -> tuple[int, str]:
    """Tokens that the server has for prompt and answer, and where that stands; 0 when it is not known."""
    server = serving(subject)
    flag = _CONTEXT.get(server.framework, "") if server is not None else ""
    if server is not None and flag and (asked := server.number(flag)):
        return asked, f"{flag} in {server.place(flag)}"
    if subject.model is None or subject.model.inspection is None:
        return 0, ""
    if server is not None and (server.has(*_OTHER_CONFIG) or (flag and server.has(flag))):
        return 0, ""
    return subject.model.inspection.facts.max_position_embeddings, "config.json"


def _context_is_given(subject: Subject) -> bool:
    server = serving(subject)
    return server is not None and bool(server.number(_CONTEXT.get(server.framework, "")))


RULES = (
    Rule(
        "D26",
        "error",
        "Answers longer than the context",
        "lower it well below the context, or serve and declare a longer one",
        FACTS,
        output_beyond_context,
        needs=("checkpoint",),
        decided=_context_is_given,
    ),
    Rule(
        "D32",
        "error",
        "Hub handle on TensorRT-LLM",
        "stage the checkpoint",
        "NEL 0.2.6 configs/deployment/trtllm.yaml",
        handle_on_trtllm,
    ),
    Rule(
        "D25",
        "error",
        "Context longer than the model's",
        "lower it",
        "vLLM 0.33.0 config/model.py (_get_and_verify_max_len); SGLang 0.5.23 configs/model_config.py",
        longer_than_the_model,
        needs=("checkpoint",),
    ),
    Rule("C22", "error", "deployment.multiple_instances", "use execution.num_instances", FACTS, multiple_instances),
    Rule(
        "D04",
        "error",
        "Not exactly one model",
        "give exactly one of the two and set the other to null",
        FACTS,
        one_model,
    ),
    Rule("C35", "error", "Number given as text", "give a number", FACTS, number_as_text),
)
