"""What a checkpoint's name claims and its files do not have: another precision, size or family (claims.yaml).

A name is no evidence of what the files are, but where the two differ the user may have meant another checkpoint (rule D12).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from . import tables
from .headers.layer_formats import FLOATS

_SIZE = re.compile(
    r"(?<![a-z0-9.])(?:(?P<experts>\d{1,3})x)?(?P<number>\d{1,4}(?:\.\d{1,3})?)(?P<unit>[bmt])(?![a-z0-9])"
    r"(?:[-_](?P<of>\d{1,3})e(?![a-z0-9]))?",
    re.IGNORECASE,
)
_UNITS = {"m": 1e6, "b": 1e9, "t": 1e12}
_SAMPLE = 0.01


def of_precision(name: str, formats: Iterable[str], kv_cache: str) -> list[str]:
    """What a name claims and neither the record nor the tensors show.

    Args:
        name: The directory's, the file's or the handle's name.
        formats: Storage formats that the record or the tensors have.
        kv_cache: The recorded KV-cache algorithm: a name may claim that instead.
    """
    table = tables.claims()
    have = set(formats) - set(FLOATS.values()) - set(table.buffers)
    shown = ", ".join(sorted(have)) or "no quantization"
    words = [row for row in table.precision if _word(row.word).search(name)]
    again = _word(table.dequantized).search(name) is not None
    claimed = [] if again else [row for row in words if not (row.unless and _word(row.unless).search(name))]
    missing = [row.claim for row in claimed if not _shows(row, have, kv_cache, table.packed)]
    if missing:
        # `INT4-W4A16` says one thing in two words.
        text = " and ".join(dict.fromkeys(missing))
        return [f"the name {name[:120]!r} claims {text}, but the files have {shown}"]
    # `…-BF16-FP8` names what it was made from, so only a lone claim of 16 bits contradicts.
    if have and (again or (not words and _word(table.unquantized).search(name))):
        return [f"the name {name[:120]!r} claims 16 bits, but the files have {shown}"]
    return []


def _shows(row: tables.PrecisionClaim, have: set[str], kv_cache: str, packed: Iterable[str]) -> bool:
    """Whether the files have what the word claims, or something packed that may be it."""
    # A format by its own name may be that of the KV cache; bits and algorithms are those of weights.
    cache = row.claim in row.formats and kv_cache in row.formats
    return cache or bool(have & {*row.formats, *packed}) or bool(have and not row.formats)


def of_size(name: str, parameters: int) -> list[str]:
    """A size in the name (`8B`, `270m`, `8x7B`, `17B-16E`) that is not that of the weights.

    Weights of a hundredth of it are a sample or a test's model, which shows by itself; missing files are told elsewhere.

    Args:
        name: The directory's, the file's or the handle's name.
        parameters: Number of weights, unpacked; 0 when not known.
    """
    if not parameters:
        return []
    bounds = tables.claims().size
    claims = []
    for match in _SIZE.finditer(name):
        each = float(match["number"]) * _UNITS[match["unit"].lower()]
        # `8x7B` shares the attention of its experts, `17B-16E` is the active size: between one of them and all.
        most = each * int(match["experts"] or match["of"] or 1)
        if each * bounds.least <= parameters <= most * bounds.most or parameters <= each * _SAMPLE:
            return []
        claims.append(match[0])
    if not claims:
        return []
    return [
        f"the name {name[:120]!r} claims {' or '.join(claims[:3])} parameters, but the files have {_rounded(parameters)}"
    ]


def size_in_name(name: str) -> float:
    """Parameters that a name claims, all experts counted as it counts them (`30B` of `30B-A3B`); 0 without a claim."""
    return max((float(m["number"]) * _UNITS[m["unit"].lower()] for m in _SIZE.finditer(name)), default=0)


def of_family(name: str, model_type: str, architecture: str, *, also: tuple[str, ...] = ()) -> list[str]:
    """A family in the name that is not that of config.json.

    Args:
        name: The directory's, the file's or the handle's name.
        model_type: Of config.json, or a GGUF file's architecture; nothing is said when no type is known.
        architecture: Of config.json, for the message.
        also: Further model types, such as that of `text_config`: multimodal models are named after their language model.
    """
    table = tables.claims()
    claimed = [row for row in table.family if _word(row.word, not_before="a-z").search(name)]
    inner = [kind for kind in also if kind]
    kinds = [kind.lower() for kind in (model_type, *inner) if kind]
    belongs = any(kind.startswith(m) for kind in kinds for row in claimed for m in row.model_types)
    wrapper = not inner and any(model_type.lower().startswith(m) for row in table.wrappers for m in row.model_types)
    if not kinds or not claimed or belongs or wrapper:
        return []
    words = " and ".join(row.word.replace("-?", "-") for row in claimed[:3])
    has = " with ".join(dict.fromkeys(kind[:60] for kind in (model_type, *inner[:3]) if kind))
    return [f"the name {name[:120]!r} claims {words}, but config.json has {has} {architecture[:60]}".rstrip()]


def of_chat(name: str) -> bool:
    """Whether the name is that of a model which a chat template belongs to."""
    return _word(tables.claims().chat, not_before="a-z0-9").search(name) is not None


def _word(pattern: str, not_before: str = "0-9") -> re.Pattern[str]:
    """A pattern at the beginning of a word, and not before one of these characters."""
    return re.compile(rf"(?<![a-z0-9])(?:{pattern})(?![{not_before}])", re.IGNORECASE)


def _rounded(parameters: int) -> str:
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)
