"""The tables beside this package's code: YAML that a user can read and extend, checked when it is loaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

_HERE = Path(__file__).resolve().parent


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Support(_Row):
    """What one serving framework does with a format; `supported` is None where no source says."""

    supported: bool | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""


class Method(_Row):
    """One format: how its weights are stored and what serves it.

    Attributes:
        tensors: The storage formats its weights may have, in the words of `layer_formats` (empty: not known).
        bits: Bits per weight; 0 when the checkpoint says it.
        activation_bits: Bits of the activations; 16 for weight-only formats, 0 when not known.
        native: Some models are released in this format: it is then their own baseline.
        serving: Support by framework; one that is missing is not known.
    """

    about: str
    tensors: tuple[str, ...] = ()
    bits: int = 0
    activation_bits: int = 0
    native: bool = False
    serving: dict[str, Support] = Field(default_factory=dict)


class Methods(_Row):
    """methods.yaml: frameworks, ModelOpt's algorithms, and the methods of others."""

    frameworks: dict[str, str]
    modelopt: dict[str, Method]
    foreign: dict[str, Method]
    aliases: dict[str, str] = Field(default_factory=dict)


class Gpu(_Row):
    """An architecture: compute capability times ten, the names it goes by, and what its tensor cores compute in."""

    sm: int
    names: tuple[str, ...]
    fp8: bool
    fp4: bool
    notes: tuple[str, ...] = ()


class ParserRow(_Row):
    """Parsers that vLLM documents for a model family; `markers` are strings of its chat template."""

    model_types: tuple[str, ...]
    reasoning: str = ""
    reasoning_markers: tuple[str, ...] = ()
    tools: str = ""


class Serving(_Row):
    """serving.yaml: GPUs and parsers by model family."""

    gpus: tuple[Gpu, ...]
    parsers: tuple[ParserRow, ...]


class Benchmark(_Row):
    """How sensitive a benchmark is to precision loss, and the context it needs (tokens; 0: any)."""

    recipe: str
    task: str
    sensitivity: str
    because: str
    context: int = 0
    multimodal: bool = False


class GgufTypes(_Row):
    """gguf_types.yaml: tensor types (name, elements and bytes per block) and file types (name, main tensor type)."""

    tensor_types: dict[int, tuple[str, int, int]]
    file_types: dict[int, tuple[str, str]]


def _load(name: str) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=False).load((_HERE / name).read_text(encoding="utf-8"))


@cache
def methods() -> Methods:
    """methods.yaml, read once."""
    return Methods.model_validate(_load("methods.yaml"))


@cache
def serving() -> Serving:
    """serving.yaml, read once."""
    return Serving.model_validate(_load("serving.yaml"))


@cache
def sensitivity() -> tuple[Benchmark, ...]:
    """sensitivity.yaml, read once; most sensitive first."""
    return tuple(Benchmark.model_validate(row) for row in _load("sensitivity.yaml")["benchmarks"])


@cache
def gguf_types() -> GgufTypes:
    """gguf_types.yaml, read once."""
    return GgufTypes.model_validate(_load("gguf_types.yaml"))
