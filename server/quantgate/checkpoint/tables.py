"""The tables beside this package's code: YAML that a user can read and extend, checked when it is loaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .sensitivity_rows import Benchmark, SensitivityTable

_HERE = Path(__file__).resolve().parent


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Support(_Row):
    """What one serving framework does with a format.

    Attributes:
        supported: None where no source says.
        flags: What must be passed, as `--flag value`.
        min_sm: Lowest compute capability, times ten, that the framework takes the format on; 0 when no source says.
        max_sm: Highest compute capability that the documentation lists; 0: no limit is stated.
        bits: The bits per weight that it takes; empty: no limit is stated.
        needs_config_json: It is refused when only the legacy file records it.
        layers: The formats that the layers of a mixed checkpoint may have; empty: those that it serves alone.
        only_with_layers: A mixed checkpoint is taken for another format unless one of these is among its layers.
        notes: What a person must know although it is served.
        source: Where this stands.
    """

    source: str = Field(min_length=8)
    supported: bool | None = None
    flags: tuple[str, ...] = ()
    min_sm: int = Field(default=0, ge=0)
    max_sm: int = Field(default=0, ge=0)
    bits: tuple[int, ...] = ()
    needs_config_json: bool = False
    layers: tuple[str, ...] = ()
    only_with_layers: tuple[str, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()


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
    """methods.yaml: frameworks, ModelOpt's algorithms, its record of a KV cache alone, and the methods of others."""

    frameworks: dict[str, str]
    case_sensitive: dict[str, str] = Field(default_factory=dict)
    modelopt: dict[str, Method]
    kv_only: Method
    foreign: dict[str, Method]


class Gpu(_Row):
    """An architecture: compute capability times ten, the names it goes by, and what its tensor cores compute in."""

    sm: int
    names: tuple[str, ...]
    fp8: bool
    fp4: bool
    source: str = Field(min_length=8)


class ImageFloor(_Row):
    """Software that an architecture needs; `formats` are the storage formats it is needed for, or none for all."""

    sms: tuple[int, ...]
    formats: tuple[str, ...] = ()
    frameworks: tuple[str, ...] = ()
    says: str
    source: str = Field(min_length=8)


class FlagRow(_Row):
    """How a framework spells one purpose.

    Attributes:
        flag: With its dashes, or an environment variable's name.
        switch: It takes no value.
        also: Switches that must stand beside it.
        passthrough: It is another server's flag, to be put into this variable.
    """

    flag: str
    source: str = Field(min_length=8)
    switch: bool = False
    also: tuple[str, ...] = ()
    passthrough: str = ""


class KvRow(_Row):
    """What a framework makes of a recorded KV-cache algorithm; `value` is empty where it has none.

    Attributes:
        min_sm: Lowest compute capability, times ten; 0 when no source says.
        mla: It works with multi-head latent attention.
        says: Why there is no value, or what to know of the one there is.
    """

    value: str = ""
    min_sm: int = Field(default=0, ge=0)
    mla: bool = True
    says: str = ""
    source: str = Field(min_length=8)


class ParserRow(_Row):
    """A parser and the checkpoints it is for: the first row that matches decides.

    Attributes:
        model_types: Patterns of `model_type`, such as `qwen3*`; empty: any.
        any_of: Strings of which the chat template has at least one; empty: no condition.
        all_of: Strings that it has, every one.
        none_of: Strings that it has not.
        parser: Empty: the framework has none for these, and `note` says so.
        template: A chat template must be there.
    """

    source: str = Field(min_length=8)
    parser: str = ""
    model_types: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    template: bool = True
    note: str = ""


class SamplingRow(_Row):
    """The settings of generation_config.json that a server takes as defaults, with `flag` unset or at `value`.

    Attributes:
        stop: What keeps it from doing so.
        limit: Its max_new_tokens becomes the limit of every answer.
    """

    keys: tuple[str, ...]
    flag: str
    value: str
    stop: str
    limit: bool = False
    source: str = Field(min_length=8)


class MustNotSet(_Row):
    """A flag that must not be set, and for which checkpoints."""

    frameworks: tuple[str, ...]
    flag: str
    value: str = ""
    when: Literal["modelopt", "no kv record", "modelopt mxfp8"]
    because: str
    source: str = Field(min_length=8)


Purpose = Literal[
    "context",
    "trust_remote_code",
    "kv_cache",
    "expert_parallel",
    "reasoning",
    "tools",
]
FlagTable = dict[str, dict[Purpose, FlagRow]]


class Serving(_Row):
    """serving.yaml: GPUs, what they need, and what each framework calls things."""

    gpus: tuple[Gpu, ...]
    images: tuple[ImageFloor, ...]
    flags: FlagTable
    kv_cache: dict[str, dict[str, KvRow]]
    sampling: dict[str, SamplingRow]
    must_not_set: tuple[MustNotSet, ...]
    reasoning: dict[str, tuple[ParserRow, ...]]
    tools: dict[str, tuple[ParserRow, ...]]


class PrecisionClaim(_Row):
    """A word of a name that claims a precision, and the storage formats of which one must be there (none: any).

    Where the name has the pattern `unless` too, the word says nothing of the weights.
    """

    word: str
    formats: tuple[str, ...]
    claim: str
    unless: str = ""


class SizeBounds(_Row):
    """How far the number of weights may be from what the name says, as factors."""

    least: float
    most: float


class FamilyClaim(_Row):
    """A word of a name that claims a family, and the beginnings of the model types that belong to it."""

    word: str
    model_types: tuple[str, ...]


class Wrappers(_Row):
    """Beginnings of multimodal model types that say nothing of their language model's family."""

    model_types: tuple[str, ...]
    source: str = Field(min_length=8)


class Claims(_Row):
    """claims.yaml: what a model's name claims."""

    precision: tuple[PrecisionClaim, ...]
    unquantized: str
    dequantized: str
    packed: tuple[str, ...]
    buffers: tuple[str, ...]
    size: SizeBounds
    family: tuple[FamilyClaim, ...]
    wrappers: tuple[Wrappers, ...]
    chat: str


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


def sensitivity() -> tuple[Benchmark, ...]:
    """The benchmarks of sensitivity.yaml; most sensitive first."""
    return sensitivity_table().benchmarks


@cache
def sensitivity_table() -> SensitivityTable:
    """sensitivity.yaml, read once."""
    return SensitivityTable.model_validate(_load("sensitivity.yaml"))


@cache
def claims() -> Claims:
    """claims.yaml, read once."""
    return Claims.model_validate(_load("claims.yaml"))


@cache
def gguf_types() -> GgufTypes:
    """gguf_types.yaml, read once."""
    return GgufTypes.model_validate(_load("gguf_types.yaml"))
