"""Rule D19: variables that choose kernels; those that the model card names, and those that the image does not read any more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ...checkpoint.card.card import safe_card
from .effective import Serving, environment_of, inspected, serving
from .image_tags import Tag
from .quantized_serving import nvfp4
from .rule import Hit, Rule, Subject
from .serving_images import Retired, serving_tag, shown, table

_OF_KERNELS = re.compile(r"(?:VLLM|SGLANG)_(?=[A-Z0-9_]*(?:FP4|MOE|GEMM|FLASHINFER))[A-Z0-9_]{3,60}")
_VARIABLES = "deployment.env_vars"


def kernel_variables(subject: Subject) -> Iterable[Hit]:
    """Variables that do nothing, and variables of the card that are not there."""
    server = serving(subject)
    if server is None:
        return
    declared = environment_of(subject, server.command)
    tag = serving_tag(subject)
    for name in declared:
        row = _retired(name, tag)
        if row is not None and tag is not None:
            yield _without_effect(subject, server, row, tag)
    missing = [name for name in _of_card(subject) if name not in declared and _retired(name, tag) is None]
    if missing:
        names = ", ".join(missing[:5])
        yield Hit(
            _VARIABLES,
            f"The card of this NVFP4 mixture of experts names {names}, and the server does not get them",
            f"read the card, then edit_config(set=['{_VARIABLES}.{missing[0]}=lit:…'])",
            cause="D19",
        )


def _retired(name: str, tag: Tag | None) -> Retired | None:
    if tag is None or tag.framework != "vllm" or not tag.version:
        return None
    return next((row for row in table().retired_variables if row.name == name and tag.version >= row.since), None)


def _without_effect(subject: Subject, server: Serving, row: Retired, tag: Tag) -> Hit:
    group = subject.at("deployment", "env_vars")
    inside = isinstance(group, dict) and row.name in group
    return Hit(
        f"{_VARIABLES}.{row.name}" if inside else "deployment.command",
        f"vLLM {shown(tag.version)} does not read {row.name} any more ({row.source})",
        f"remove it; where the model card asks for a kernel, use {row.instead} in {server.place(row.instead)}",
        cause=f"D19.{row.name}",
    )


def _of_card(subject: Subject) -> Iterator[str]:
    """Kernel variables in the card of an NVFP4 mixture of experts, each once."""
    model = inspected(subject)
    if model is None or not model.facts.moe or not nvfp4(subject):
        return
    quotes, _, _ = safe_card(model.source.path)
    named = [quote.key.removeprefix(f"{_VARIABLES}.") for quote in quotes if quote.key.startswith(f"{_VARIABLES}.")]
    yield from dict.fromkeys(name for name in named if _OF_KERNELS.fullmatch(name))


RULES = (
    Rule(
        "D19",
        "warning",
        "Kernel variables of the card, and of older versions",
        "set what the card names, as far as the image reads it",
        "the model card; vLLM 0.33.0 docs/features/quantization/modelopt.md and vllm/envs.py",
        kernel_variables,
        needs=("checkpoint",),
    ),
)
