"""Recipes: what a person must know to run one benchmark well, in files that a program can read too.

A recipe is a Markdown file in `recipes/tasks/`: YAML front matter (checked by `_FrontMatter`), then prose. The YAML
fragment for `evaluation.tasks` stands in the prose as a fenced `yaml` block with one task in it; the task's name joins
the block with its variant, so that what a person copies is what a program uses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .. import shipped
from ..errors import BadInput, HarnessError
from ..launcher import harnesses
from .catalogue import squash

Sensitivity = Literal["low", "medium", "high", "very high"]

_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Need:
    """An environment variable that a recipe reads; `example` is a value that is safe to print, empty for a secret."""

    name: str
    why: str
    example: str


@dataclass(frozen=True)
class Variant:
    """One way to run the benchmark. Scores of different variants are never compared.

    Attributes:
        task: The catalogue id, `harness.task`.
        metric: The score's name in results.yml; "avg-of-N" has the number of repeats for N (see `metric_name`).
        minimum: Lowest possible score.
        maximum: Highest possible score.
        samples: Questions in the full set; None when the harness fetches the set at run time.
        repeats: Answers asked for each question.
        per_sample: Glob of the files with one row per answer, below artifacts/; empty when there are none.
        sample_field: The field of a row that holds the score.
        fragment: One entry of `evaluation.tasks`.
        container_only: No wheel of the harness exists.
    """

    harness: str
    task: str
    metric: str
    minimum: float
    maximum: float
    higher_is_better: bool
    samples: int | None
    repeats: int
    per_sample: str
    sample_field: str
    fragment: dict[str, Any]
    container_only: bool

    def metric_name(self, repeats: int | None = None) -> str:
        """The metric as results.yml spells it for a number of repeats (default: the recipe's own)."""
        return self.metric.replace("avg-of-N", f"avg-of-{repeats or self.repeats}")


@dataclass(frozen=True)
class Recipe:
    """One benchmark of `recipes/tasks/`.

    Attributes:
        sensitivity: How much the score reacts to a loss of numerical precision.
        cost: Requests and length of answers, in words.
        context: Tokens of context that the served model must at least have; 0 when the benchmark does not ask for more
            than its answers need.
        needs: Names of environment variables.
    """

    name: str
    title: str
    endpoint_type: str
    sensitivity: str
    cost: str
    context: int
    judge: bool
    sandbox: bool
    multimodal: bool
    needs: list[str]
    variants: tuple[Variant, ...]
    path: Path
    needs_explained: tuple[Need, ...] = ()

    def variant_for(self, executor: str) -> Variant:
        """The variant that an executor can run.

        Args:
            executor: "process" takes the first variant whose harness has a wheel; any other executor the first variant.

        Raises:
            HarnessError: "process", and no variant has a wheel; the container way is named.
        """
        if executor != "process":
            return self.variants[0]
        for variant in self.variants:
            if harnesses.wheel_for(variant.harness) is not None:
                return variant
        names = ", ".join(variant.task for variant in self.variants)
        raise HarnessError(
            f"The recipe {self.name} has no variant that runs without a container",
            where=names,
            fix="use `execution.type: local` with a container engine, or Slurm; without a container these recipes run: "
            + (", ".join(_process_recipes()) or "none"),
        )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _NeedRow(_Strict):
    name: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    why: str = Field(min_length=10)
    example: str = ""


class _VariantRow(_Strict):
    task: str = Field(pattern=r"^[^.\s]+\.[^.\s]+$")
    metric: str = Field(min_length=1)
    minimum: float
    maximum: float
    higher_is_better: bool = True
    samples: int | None = Field(default=None, ge=1)
    repeats: int = Field(ge=1)
    per_sample: str = ""
    sample_field: str = ""
    container_only: bool = False

    @model_validator(mode="after")
    def _scale(self) -> _VariantRow:
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not below maximum {self.maximum}")
        return self


class _FrontMatter(_Strict):
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str = Field(min_length=3)
    endpoint_type: Literal["chat", "completions", "vlm", "embedding"]
    sensitivity: Sensitivity
    cost: str = Field(min_length=5)
    context: int = Field(default=0, ge=0)
    judge: bool = False
    sandbox: bool = False
    multimodal: bool = False
    needs: tuple[_NeedRow, ...] = ()
    variants: tuple[_VariantRow, ...] = Field(min_length=1)


@cache
def load_recipes() -> dict[str, Recipe]:
    """Every recipe by name.

    Raises:
        BadInput: A recipe file does not follow the schema; the file and the field are named.
    """
    files = sorted((shipped.recipes_dir() / "tasks").glob("*.md"))
    return {recipe.name: recipe for recipe in map(read_recipe, files)}


def recipe_named(name: str) -> Recipe | None:
    """The recipe that a name means; None when it means none.

    A bare name is looked for among the recipes first ("MMLU-Pro" is `mmlu_pro`); a name with a dot is the catalogue's.
    """
    if "." in name:
        return None
    wanted = squash(name)
    return next((recipe for recipe in load_recipes().values() if squash(recipe.name) == wanted), None)


def variant_of_task(task_id: str) -> tuple[Recipe, Variant] | None:
    """The recipe and variant of a catalogue id; None when no recipe covers it."""
    for recipe in load_recipes().values():
        for variant in recipe.variants:
            if variant.task == task_id:
                return recipe, variant
    return None


def read_recipe(path: Path) -> Recipe:
    """Read and check one recipe file.

    Raises:
        BadInput: The file cannot be read, has no front matter, breaks the schema, or lacks a variant's YAML block.
    """
    front, body = _split(path)
    fragments = _fragments(path, body)
    try:
        row = _FrontMatter.model_validate(front)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"The recipe's front matter is wrong at {field!r}: {first['msg']}", where=str(path), fix="correct the field"
        ) from None
    if row.name != path.stem:
        raise BadInput(
            f"The recipe is named {row.name!r}, its file {path.stem!r}", where=str(path), fix="make them equal"
        )
    return Recipe(
        name=row.name,
        title=row.title,
        endpoint_type=row.endpoint_type,
        sensitivity=row.sensitivity,
        cost=row.cost,
        context=row.context,
        judge=row.judge,
        sandbox=row.sandbox,
        multimodal=row.multimodal,
        needs=[need.name for need in row.needs],
        variants=tuple(_variant(variant, fragments, path) for variant in row.variants),
        path=path,
        needs_explained=tuple(Need(**need.model_dump()) for need in row.needs),
    )


def _variant(row: _VariantRow, fragments: dict[str, dict[str, Any]], path: Path) -> Variant:
    if row.task not in fragments:
        raise BadInput(
            f"The recipe has no yaml block for its variant {row.task}",
            where=str(path),
            fix=f"add a fenced yaml block with `- name: {row.task}`",
        )
    harness = row.task.partition(".")[0]
    return Variant(harness=harness, fragment=fragments[row.task], **row.model_dump())


def _split(path: Path) -> tuple[Any, str]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The recipe cannot be read ({type(error).__name__})", where=str(path)) from None
    head, marker, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not marker:
        raise BadInput(
            "The recipe has no front matter", where=str(path), fix="begin it with YAML between two --- lines"
        )
    try:
        return YAML(typ="safe", pure=False).load(head), body
    except YAMLError as error:
        raise BadInput(f"The recipe's front matter is not YAML ({type(error).__name__})", where=str(path)) from None


def _fragments(path: Path, body: str) -> dict[str, dict[str, Any]]:
    """The fenced yaml blocks of a recipe's body, by the task that each one holds."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    found: dict[str, dict[str, Any]] = {}
    for number, block in enumerate(_BLOCK.findall(body), start=1):
        try:
            entries = YAML(typ="safe", pure=False).load(block)
        except YAMLError:
            entries = None
        is_task = (
            isinstance(entries, list) and len(entries) == 1 and isinstance(entries[0], dict) and "name" in entries[0]
        )
        if not is_task or entries[0]["name"] in found:
            raise BadInput(
                f"Yaml block {number} of the recipe is not a list of one task, named once",
                where=str(path),
                fix="write it as it stands under evaluation.tasks: `- name: harness.task` and its settings",
            )
        found[entries[0]["name"]] = entries[0]
    return found


def _process_recipes() -> list[str]:
    recipes = load_recipes().values()
    return [r.name for r in recipes if any(harnesses.wheel_for(v.harness) is not None for v in r.variants)]
