"""The rows of sensitivity.yaml: benchmarks, what the kind of quantization changes, sets by use, native releases."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Sensitivity = Literal["very high", "high", "medium", "low"]
QuantizedPart = Literal[
    "kv cache",
    "kv cache only",
    "weights of 4 bits",
    "weights of 8 bits",
    "weight-only",
    "activations of 8 bits",
    "activations below 8 bits",
    "vision quantized",
    "vision kept",
    "vision not seen",
]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Benchmark(_Row):
    """How sensitive a benchmark is to precision loss, and what a full run of it costs.

    Attributes:
        because: Why a loss of precision shows in it.
        repeats: Answers asked for each question.
        questions: In the full set; 0 when no source here says.
        answers: What one answer costs, in words.
        context: Tokens that the served model must have; 0 when no more than its answers need.
        needs: What it wants besides the model.
    """

    recipe: str
    task: str
    sensitivity: Sensitivity
    because: str
    repeats: int = Field(ge=1)
    answers: str
    source: str = Field(min_length=8)
    questions: int = Field(default=0, ge=0)
    context: int = Field(default=0, ge=0)
    needs: tuple[Literal["judge", "sandbox", "user simulator", "tool calling", "image input", "tokenizer"], ...] = ()
    multimodal: bool = False


class Effect(_Row):
    """What one kind of quantization changes in the ranking; `first` puts a row before its equals."""

    when: QuantizedPart
    recipes: tuple[str, ...]
    says: str
    source: str = Field(min_length=8)
    sensitivity: Sensitivity | None = None
    first: bool = False


class SetRow(_Row):
    """A set of benchmarks by use."""

    name: str
    recipes: tuple[str, ...]
    purpose: str
    source: str = Field(min_length=8)


class NativeRelease(_Row):
    """A method in which models are released by those who trained them."""

    method: str
    releases: str
    source: str = Field(min_length=8)


class SensitivityTable(_Row):
    """sensitivity.yaml."""

    benchmarks: tuple[Benchmark, ...]
    effects: tuple[Effect, ...]
    sets: tuple[SetRow, ...]
    native_releases: tuple[NativeRelease, ...]
