"""Whether a framework serves a format: a look-up in methods.yaml, for a mixed checkpoint in each of its layers' formats."""

from __future__ import annotations

from dataclasses import dataclass

from . import tables
from .quantization_record import QuantizationRecord
from .record.fields import MIXED
from .record.recorded import CONFIG, LEGACY, MODELOPT

_UNKNOWN = "no source says; verify before a run"
_PLAIN = frozenset({"BF16", "FP16", "FP32", "FP64"})


@dataclass(frozen=True)
class Verdict:
    """What a framework does with a checkpoint.

    Attributes:
        supported: None when no source says.
        flags: As `--flag value`; none where it is not supported.
        min_sm: Lowest compute capability, times ten; 0 when no source says.
        notes: What to know although it is served.
    """

    supported: bool | None
    reason: str
    source: str = ""
    flags: tuple[str, ...] = ()
    min_sm: int = 0
    notes: tuple[str, ...] = ()


def method_row(record: QuantizationRecord) -> tables.Method | None:
    """The row of methods.yaml for a record, or None."""
    table = tables.methods()
    if record.method != MODELOPT:
        return table.foreign.get(record.method)
    return table.modelopt.get(record.algorithm) if record.algorithm else table.kv_only


def judge(record: QuantizationRecord, framework: str, gpu: tables.Gpu | None = None) -> Verdict:
    """Whether a framework serves a quantized checkpoint.

    Args:
        record: How the model is quantized.
        framework: A key of methods.yaml's frameworks.
        gpu: Where it would run; None when it is not known.
    """
    row = method_row(record)
    support = row.serving.get(framework) if row else None
    if support is None:
        return Verdict(None, _UNKNOWN)
    verdict = Verdict(
        support.supported,
        support.reason or _UNKNOWN,
        support.source,
        support.flags,
        support.min_sm,
        support.notes,
    )
    refusal = _refusal(record, framework, support, gpu)
    if refusal is not None and support.supported is not False:
        return Verdict(refusal[0], refusal[1], support.source)
    return verdict if support.supported is not False else Verdict(False, support.reason, support.source)


def _refusal(
    record: QuantizationRecord, framework: str, support: tables.Support, gpu: tables.Gpu | None
) -> tuple[bool | None, str] | None:
    """Why a format that is served otherwise is not served here (False) or may not be (None), with the reason."""
    name = tables.methods().frameworks[framework]
    if support.needs_config_json and _only_legacy(record):
        return False, f"{name} refuses {record.algorithm} when only {LEGACY} records it: {CONFIG} must do so"
    written = record.written
    if framework in tables.methods().case_sensitive and written and written != record.algorithm:
        return (
            False,
            f"{name} does not understand {written[:60]!r} in lower case: write {record.algorithm} into the record",
        )
    if support.bits and record.bits and record.bits not in support.bits:
        return False, f"{name} takes {' or '.join(map(str, support.bits))} bits, and this record says {record.bits}"
    if record.method == MODELOPT and record.algorithm == MIXED and (found := _layers(record, framework, support, gpu)):
        return found
    return _on(gpu, support, name)


def _on(gpu: tables.Gpu | None, support: tables.Support, name: str) -> tuple[bool | None, str] | None:
    if gpu is not None and support.min_sm > gpu.sm:
        return False, f"{name} takes it from sm_{support.min_sm} on, and this GPU is sm_{gpu.sm}"
    if gpu is not None and 0 < support.max_sm < gpu.sm:
        return None, f"{name} documents it up to sm_{support.max_sm}, and this GPU is sm_{gpu.sm}; verify before a run"
    return None


def _only_legacy(record: QuantizationRecord) -> bool:
    files = {e.file for e in record.evidence if "quant" in e.field and e.value.strip('"') != "absent"}
    return LEGACY in files and CONFIG not in files


def _layers(
    record: QuantizationRecord, framework: str, support: tables.Support, gpu: tables.Gpu | None
) -> tuple[bool | None, str] | None:
    """What the formats of a mixed checkpoint's layers say: one that is not served spoils all, one unknown leaves it open."""
    formats = [name for name in record.layers if name not in _PLAIN]
    name = tables.methods().frameworks[framework]
    if support.only_with_layers and formats and not set(formats) & set(support.only_with_layers):
        wanted = " or ".join(support.only_with_layers)
        return False, f"{name} takes a mixed checkpoint without layers in {wanted} for another format"
    verdicts = {fmt: _format(fmt, framework, support) for fmt in formats}
    bad = [fmt for fmt, ok in verdicts.items() if ok is False]
    if bad:
        return False, f"{name} does not serve layers in {', '.join(bad)}, and this mixed checkpoint has some"
    unknown = [fmt for fmt, ok in verdicts.items() if ok is None]
    if unknown:
        return None, f"no source says whether {name} serves layers in {', '.join(unknown)}; verify before a run"
    if not support.layers:
        methods = [m for fmt in formats if (m := tables.methods().modelopt.get(fmt))]
        rows = [m.serving[framework] for m in methods if framework in m.serving]
        if refused := next((found for row in rows if (found := _on(gpu, row, name))), None):
            return refused
    if not formats:
        return None, "the formats of its layers are not known, so nothing is known of their serving either"
    return None


def _format(fmt: str, framework: str, support: tables.Support) -> bool | None:
    table = tables.methods().modelopt
    methods = [table[fmt]] if fmt in table else [m for m in table.values() if fmt in m.tensors]
    if support.layers:
        return fmt in support.layers if methods else None
    answers = {m.serving[framework].supported if framework in m.serving else None for m in methods}
    return answers.pop() if len(answers) == 1 else None
