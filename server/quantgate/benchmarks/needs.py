"""What a task of the catalogue needs besides the model: a judge, a code sandbox, a tokenizer, images (needs.yaml).

A recipe knows best; without one the table is asked, and the catalogue's own endpoint type and parameters.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .catalogue import CatalogueTask
from .recipes import Recipe

_TABLE = Path(__file__).resolve().parent / "needs.yaml"
_GENERATED = Path(__file__).resolve().parent / "generated_answers.yaml"
_LM_EVAL = "lm-evaluation-harness"
IMAGES, TOKENIZER = "image input", "tokenizer"


class NeedsRow(BaseModel):
    """Tasks that a pattern matches, what they need, and where that is known from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: str
    needs: tuple[str, ...]
    source: str


@cache
def needs_rows() -> tuple[NeedsRow, ...]:
    """needs.yaml, read once."""
    from ruamel.yaml import YAML

    data = YAML(typ="safe", pure=False).load(_TABLE.read_text(encoding="utf-8"))
    return tuple(NeedsRow.model_validate(row) for row in data["needs"])


class GeneratedAnswers(BaseModel):
    """generated_answers.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    tasks: frozenset[str]


@cache
def generated_answers() -> GeneratedAnswers:
    """generated_answers.yaml, read once."""
    from ruamel.yaml import YAML

    return GeneratedAnswers.model_validate(YAML(typ="safe", pure=False).load(_GENERATED.read_text(encoding="utf-8")))


def asks_for_log_probabilities(task: CatalogueTask) -> bool:
    """Whether a task is scored by log-probabilities, which only a completions endpoint gives, and with the model's tokenizer.

    lm-evaluation-harness has such tasks among those that take completions only; the others there generate text.
    """
    completions = task.harness == _LM_EVAL and task.endpoint_types == ("completions",)
    return completions and task.name not in generated_answers().tasks


def passes_tokenizer(task: CatalogueTask) -> bool:
    """Whether a task's command names the tokenizer even when none is given, as RULER's does: it is then called None."""
    named = "{{config.params.extra.tokenizer}}" in task.command.replace(" ", "")
    return named and "config.params.extra.tokenizer is not none" not in task.command


def needs_of(task: CatalogueTask, recipe: Recipe | None = None) -> tuple[str, ...]:
    """What a task needs besides the model.

    Args:
        task: From the catalogue.
        recipe: The recipe that covers it, if there is one.
    """
    found = {need for row in needs_rows() if fnmatchcase(task.id, row.match) for need in row.needs}
    if recipe is not None:
        found |= {need for need, has in (("judge", recipe.judge), ("code sandbox", recipe.sandbox)) if has}
        found |= {IMAGES} if recipe.multimodal else set()
    extra = task.params.get("extra") or {}
    if task.endpoint_type == "vlm":
        found.add(IMAGES)
    if passes_tokenizer(task) or asks_for_log_probabilities(task):
        found.add(TOKENIZER)
    if isinstance(extra.get("judge_support"), bool) and extra["judge_support"]:
        found.add("judge")
    return tuple(sorted(found))
