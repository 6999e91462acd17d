"""What serving a quantized model needs: whether a framework serves it, with which flags, and what must not be set."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import UnknownName
from . import tables
from .flags import Flag, kv_choice, serving_flags, serving_warnings
from .gpus import SPACING, find_gpu, gpu_warnings
from .model_facts import ModelFacts
from .quantization_record import QuantizationRecord
from .record.recorded import MODELOPT
from .support import judge, method_row

__all__ = [
    "Advice",
    "Flag",
    "advise",
    "check_framework",
    "find_gpu",
    "must_not_set",
    "serving_flags",
    "serving_warnings",
]


@dataclass(frozen=True)
class Advice:
    """How a framework serves a format.

    Attributes:
        supported: None when no source says.
        served_by: Frameworks that a source says serve it.
        must_not_set: Flags that must not be set, each with the reason.
        source: Where the claim about support stands; empty when none does.
    """

    supported: bool | None
    reason: str
    flags: tuple[str, ...] = ()
    env_vars: Mapping[str, str] = field(default_factory=dict)
    served_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    must_not_set: tuple[Flag, ...] = ()
    source: str = ""


def check_framework(name: str) -> str:
    """A framework's name as in methods.yaml.

    Raises:
        UnknownName: No such framework.
    """
    wanted = name.lower().translate(SPACING).replace(".", "")
    wanted = {"tensorrtllm": "trtllm", "vllmray": "vllm"}.get(wanted, wanted)
    known = sorted(tables.methods().frameworks)
    if wanted in known:
        return wanted
    raise UnknownName(
        "serving framework", name, difflib.get_close_matches(wanted, known, 2), fix="one of " + ", ".join(known)
    )


def advise(
    record: QuantizationRecord, framework: str, gpu: tables.Gpu | None, facts: ModelFacts | None = None
) -> Advice:
    """How a framework serves a quantized model, and on a GPU what it makes of it.

    Args:
        record: From `quantization.detect`.
        framework: From `check_framework`.
        gpu: From `find_gpu`, or None when it is not known.
        facts: What the model is; None: not known, then its attention is not weighed for the KV cache.
    """
    forbidden = must_not_set(record, framework)
    if not record.quantized and not record.known:
        return Advice(
            None, "the record of the quantization cannot be understood; see its conflicts", must_not_set=forbidden
        )
    if not record.quantized:
        return Advice(
            True if framework in {"vllm", "sglang"} else None,
            "not quantized: no quantization flag is needed",
            must_not_set=forbidden,
        )
    table = tables.methods()
    verdict = judge(record, framework, gpu)
    row = method_row(record)
    served_by = tuple(name for key, name in table.frameworks.items() if row and judge(record, key).supported)
    what = _named(record)
    reason = f"{what} on {table.frameworks[framework]}: {verdict.reason}"
    kv = kv_choice(record, framework, facts, gpu)
    flags: list[str] = []
    if verdict.supported is not False:
        if any(flag.flag == "--quantization" for flag in forbidden):
            reason += "; do not pass --quantization, the backend is selected from the record"
        flags = [*verdict.flags, *([f"{kv.flag.flag} {kv.flag.value}"] if kv.flag and framework != "nim" else [])]
    if verdict.supported is False:
        warnings = [reason]
    else:
        warnings = [*verdict.notes, *([kv.warning] if kv.warning else [])]
        warnings += gpu_warnings(record, gpu, framework, what)
    env = {kv.flag.flag: kv.flag.value} if kv.flag and framework == "nim" and verdict.supported is not False else {}
    return Advice(
        verdict.supported, reason, tuple(flags), env, served_by, tuple(warnings), forbidden, source=verdict.source
    )


def must_not_set(record: QuantizationRecord, framework: str) -> tuple[Flag, ...]:
    """Flags that must not be set for a checkpoint; an empty value stands for every value.

    Args:
        record: From `quantization.detect`.
        framework: From `check_framework`.
    """
    holds = {
        "modelopt": record.method == MODELOPT,
        "modelopt mxfp8": record.method == MODELOPT and record.algorithm == "MXFP8",
        "no kv record": not record.kv_cache_algorithm and record.gguf is None,
    }
    return tuple(
        Flag(row.flag, row.value, f"{row.because} ({row.source})")
        for row in tables.serving().must_not_set
        if framework in row.frameworks and holds[row.when]
    )


def _named(record: QuantizationRecord) -> str:
    if record.method == MODELOPT and not record.algorithm:
        return "a quantized KV cache alone"
    return record.algorithm if record.method in {MODELOPT, "gguf", ""} else f"{record.method} ({record.algorithm})"
