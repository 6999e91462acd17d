"""Rules about how a quantized checkpoint is served: in its own format, with its own KV cache, on hardware that computes it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...checkpoint import tables
from ...checkpoint.flags import kv_choice
from ...checkpoint.inspection import Inspection
from ...checkpoint.serving import Advice, advise, must_not_set
from . import hardware, model_names
from .effective import Serving, inspected, serving
from .image_tags import read_tag
from .rule import Hit, Rule, Subject

_KV = "--kv-cache-dtype"
_KV_DEFAULT = ("auto",)
_READS_KV_RECORD = (0, 33, 0)
"""vLLM 0.33.0 utils/torch_utils.py (resolve_kv_cache_dtype_string); earlier versions were not looked at."""
_SCALED = ("fp8", "nvfp4", "int8")
_SCALES_ITSELF = ("per_token_head", "_ds_mla")
"""KV-cache types of vLLM 0.33.0 (config/cache.py) whose scales come with each token, and need no calibration."""
_SPARSE = ("deepseek_v32", "deepseek_v4", "deepseek_v41", "glm_moe_dsa")
"""Sparse latent attention: vLLM 0.33.0 takes fp8 for fp8_ds_mla there (v1/attention/backends/mla/flashmla_sparse.py)."""
_SAME = {"fp8_e4m3": "fp8"}
_NAMED_NVFP4 = re.compile(r"(?<![a-z0-9])nv-?fp4(?![a-z0-9])(?!.*w4a16)(?<!w4a16.nvfp4)", re.IGNORECASE)
_NAMED_QUANTIZED = re.compile(r"(?<![a-z0-9])(?:nv-?fp4|fp4|fp8|modelopt)(?![a-z0-9])", re.IGNORECASE)


def advice(subject: Subject) -> tuple[Serving, Inspection, Advice] | None:
    """What would serve, the model, and what is known of the two together; None when either is not known."""
    server, model = serving(subject), inspected(subject)
    if server is None or model is None:
        return None
    known = hardware.gpu(subject)
    return server, model, advise(model.record, server.framework, known[0] if known else None, model.facts)


def unsupported_format(subject: Subject) -> Iterable[Hit]:
    """A format that the framework does not serve."""
    found = advice(subject)
    if found is None or found[2].supported is not False or subject.model is None:
        return
    own = tables.methods().frameworks[found[0].framework]
    others = ", ".join(name for name in found[2].served_by if name != own) or "no other framework that is known"
    yield Hit(
        subject.model.path,
        f"{found[2].reason} ({found[2].source})",
        f"another export, or another deployment; it is served by {others}",
        cause="D18",
    )


def kv_not_as_recorded(subject: Subject) -> Iterable[Hit]:
    """A recorded KV-cache format that the command does not ask for."""
    found = advice(subject)
    if found is None or found[2].supported is False:
        return
    server, model, _ = found
    known = hardware.gpu(subject)
    wanted = kv_choice(model.record, server.framework, model.facts, known[0] if known else None).flag
    if wanted is None:
        return
    given = server.get(_KV)
    if given is not None and ("$" in given or _same(given) == _same(wanted.value)):
        return
    left_open = given in (None, *_KV_DEFAULT)
    if left_open and server.framework == "trtllm":  # it reads the record itself, and older versions have no such flag
        return
    what = f"the command has {_KV} {given}" if given else f"the command has no {_KV}"
    left = ": recent servers take it from the record, older ones serve 16 bits" if left_open else ""
    yield Hit(
        server.place(_KV),
        f"The checkpoint records a KV cache in {model.record.kv_cache_algorithm[:40]}, and {what}{left}",
        server.add(wanted.flag, wanted.value),
        "note" if left_open and _takes_record(subject) else None,
        cause="D14",
    )


def _takes_record(subject: Subject) -> bool:
    """Whether the image is a vLLM that is known to take the KV cache's format from the record."""
    tag = read_tag(str(subject.at("deployment", "image") or ""))
    return tag is not None and tag.framework == "vllm" and tag.version >= _READS_KV_RECORD


def kv_not_calibrated(subject: Subject) -> Iterable[Hit]:
    """A KV cache in few bits although the checkpoint has no scales for it."""
    found = advice(subject)
    if found is None:
        return
    server, model, _ = found
    value = server.get(_KV) or ""
    row = next((r for r in must_not_set(model.record, server.framework) if r.flag.replace("_", "-") == _KV), None)
    if row is None or not value.startswith(_SCALED) or any(mark in value for mark in _SCALES_ITSELF):
        return
    if model.facts.model_type in _SPARSE:
        return
    dynamic = server.has("--calculate-kv-scales")
    yield Hit(
        server.place(_KV),
        f"{_KV} {value}: {row.because}",
        server.drop(_KV),
        "warning" if dynamic else None,
        cause="D15",
    )


def forced_quantization(subject: Subject) -> Iterable[Hit]:
    """--quantization beside a record that says it already."""
    found = advice(subject)
    if found is None:
        yield from _forced_by_name(subject)
        return
    if found[2].supported is False:
        return
    server, model, _ = found
    given = server.get("--quantization")
    row = next((r for r in must_not_set(model.record, server.framework) if r.flag == "--quantization"), None)
    if given and row is not None:
        yield Hit(
            server.place("--quantization"),
            f"--quantization {given[:40]} is forced: {row.because}",
            server.drop("--quantization"),
            cause="D17",
        )


def _forced_by_name(subject: Subject) -> Iterable[Hit]:
    server, name = serving(subject), model_names.unread(subject)
    given = server.get("--quantization") if server is not None and server.framework == "vllm" else None
    if server is not None and (given or "").startswith("modelopt") and _NAMED_QUANTIZED.search(name):
        yield Hit(
            server.place("--quantization"),
            f"--quantization {(given or '')[:40]} is forced, and {name[:80]!r} is quantized by its name: vLLM takes the "
            "method from the record, and a flag that differs from it is refused",
            server.drop("--quantization"),
            cause="D17",
        )


def weight_only(subject: Subject) -> Iterable[Hit]:
    """NVFP4 with quantized activations on a GPU that has no FP4 units."""
    known = hardware.gpu(subject)
    if known is None or known[0].fp4 or subject.model is None:
        return
    found = advice(subject)
    if found is not None and (found[2].supported is False or found[1].record.activation_bits not in (0, 4)):
        return
    if nvfp4(subject):
        yield Hit(
            known[1],
            f"NVFP4 on sm_{known[0].sm}, which has no FP4 units: the weights alone are served in it (W4A16), and the "
            "quantization of the activations is not measured",
            "take a Blackwell GPU, or report the score as W4A16 and silence this",
            cause="D40",
        )


def unknown_gpu(subject: Subject) -> Iterable[Hit]:
    """A `quantgate.gpu_arch` that names no GPU, so that no rule about GPUs can look at it."""
    name = subject.at(*hardware.ARCH)
    if name is not None and (not isinstance(name, str) or hardware.known_gpu(name) is None):
        yield Hit(
            "quantgate.gpu_arch",
            f"quantgate.gpu_arch {str(name)[:40]!r} is no GPU that is known: what depends on it is not checked",
            "write a name such as H100, B200 or sm_90",
            "warning",
            cause="D40.name",
        )


def nvfp4(subject: Subject) -> bool:
    """Whether the model is in NVFP4: by its record, else, where it cannot be read, by its name."""
    if subject.model is None:
        return False
    model = inspected(subject)
    if model is not None:
        return any("NVFP4" in name for name in (model.record.algorithm, *model.record.layers))
    if subject.model.inspection is not None or subject.model.error or subject.model.megatron_parent:
        return False
    return bool(_NAMED_NVFP4.search(subject.model.name.rstrip("/").rpartition("/")[2]))


def _same(value: str) -> str:
    return _SAME.get(value, value)


RULES = (
    Rule(
        "D18",
        "error",
        "Format that the framework does not serve",
        "take another framework, or another export",
        "quantgate checkpoint/methods.yaml, which names a source for each",
        unsupported_format,
        needs=("checkpoint",),
    ),
    Rule(
        "D15",
        "error",
        "KV cache in few bits without calibration",
        "drop the flag",
        "vLLM 0.33.0 docs/features/quantization/quantized_kvcache.md",
        kv_not_calibrated,
        needs=("checkpoint",),
    ),
    Rule(
        "D14",
        "warning",
        "KV cache not as recorded",
        "serve the checkpoint as it is shipped",
        "quantgate checkpoint/serving.yaml (kv_cache), which names a source for each",
        kv_not_as_recorded,
        needs=("checkpoint",),
    ),
    Rule(
        "D17",
        "warning",
        "Quantization forced by a flag",
        "drop the flag: the backend is selected from the record",
        "vLLM 0.33.0 config/model.py (_verify_quantization)",
        forced_quantization,
        needs=("checkpoint",),
    ),
    Rule(
        "D40",
        "error",
        "NVFP4 without FP4 units",
        "take a Blackwell GPU, or report it as W4A16",
        "vLLM 0.33.0 docs/features/quantization/modelopt.md (weight-only by Marlin)",
        lambda subject: (*weight_only(subject), *unknown_gpu(subject)),
    ),
)
