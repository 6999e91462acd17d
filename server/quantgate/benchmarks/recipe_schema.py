"""The schema of a recipe's front matter."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .recipe import AVERAGE

Sensitivity = Literal["low", "medium", "high", "very high"]
EndpointType = Literal["chat", "completions", "vlm", "embedding"]

_VARIABLE = r"^[A-Z][A-Z0-9_]*$"
_PATH = r"^extra(\.[a-z_]+)+$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NeedRow(_Strict):
    """An environment variable."""

    name: str = Field(pattern=_VARIABLE)
    why: str = Field(min_length=10)
    example: str = ""


class SideModelRow(_Strict):
    """A judge or a user simulator; see `recipe.SideModel`."""

    at: str = Field(pattern=_PATH)
    url: Literal["base", "chat"]
    key: str = Field(pattern=_VARIABLE)
    reference: str = ""


class BoundsRow(_Strict):
    """How far a task's parallelism may be changed; its default stands in the fragment."""

    minimum: int = Field(default=1, ge=1)
    maximum: int = Field(ge=1)

    @model_validator(mode="after")
    def _order(self) -> BoundsRow:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class ScoreRow(_Strict):
    """Where the score stands in results.yml; see `recipe.ScorePlace`. Without a name, the score is named like its metric."""

    task: str = Field(min_length=1)
    metric: str = Field(min_length=1)
    name: str = ""
    once: str = ""
    once_name: str = ""

    @model_validator(mode="after")
    def _single_repeat(self) -> ScoreRow:
        if AVERAGE.search(self.metric) and not self.once:
            raise ValueError("a metric that names its repeats has no name for a single one: give `once`")
        if AVERAGE.search(self.name) and not self.once_name:
            raise ValueError("a score that names its repeats has no name for a single one: give `once_name`")
        return self


class VariantRow(_Strict):
    """One way to run the benchmark; see `recipe.Variant`."""

    task: str = Field(pattern=r"^[^.\s]+\.[^.\s]+$")
    container: str = ""
    score: ScoreRow
    minimum: float
    maximum: float
    higher_is_better: bool = True
    samples: int | None = Field(default=None, ge=1)
    repeats: int = Field(ge=1)
    repeats_at: str = Field(default="", pattern=rf"{_PATH}|^$")
    per_sample: str = ""
    sample_field: str = ""
    container_only: bool = False
    parallelism: BoundsRow | None = None
    judge: SideModelRow | None = None
    user: SideModelRow | None = None
    source: str = Field(min_length=10)

    @model_validator(mode="after")
    def _scale(self) -> VariantRow:
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        return self


class FrontMatter(_Strict):
    """The whole of it; see `recipe.Recipe`."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str = Field(min_length=3)
    endpoint_type: EndpointType
    sensitivity: Sensitivity
    cost: str = Field(min_length=5)
    context: int = Field(default=0, ge=0)
    sandbox: bool = False
    multimodal: bool = False
    tool_calling: bool = False
    needs: tuple[NeedRow, ...] = ()
    variants: tuple[VariantRow, ...] = Field(min_length=1)
