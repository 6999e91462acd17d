"""The tool list_tasks: which benchmarks there are."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..benchmarks.needs import needs_of
from ..benchmarks.recipes import Recipe
from ..benchmarks.search import Hit, SearchResult, find_tasks
from ..errors import BadInput
from .next_call import call
from .spec import ToolResult

LIMIT_AT_MOST = 100
DESCRIPTION_AT_MOST = 160
"""Characters of a description; twenty rows stay under 4,000 tokens with it."""


class TaskRow(BaseModel):
    """One task of the catalogue."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="harness.task")
    harness: str
    endpoint_type: str
    container: str
    recipe: str = Field(description="Recipe that covers it, or empty.")
    needs: list[str] = Field(
        description="Besides the model: judge, user simulator, code sandbox, tokenizer, image input."
    )
    description: str


class TaskList(ToolResult):
    """Tasks that fit, best first."""

    tasks: list[TaskRow]
    total: int
    omitted: int


def list_tasks(
    query: Annotated[str, Field(description="Words, such as 'mmlu pro' or 'instruction following'; empty: all.")] = "",
    harness: Annotated[str, Field(description="Only this harness, such as simple_evals.")] = "",
    endpoint_type: Annotated[str, Field(description="chat, completions, vlm or embedding.")] = "",
    limit: Annotated[int, Field(description=f"Rows, 1 to {LIMIT_AT_MOST}.")] = 20,
) -> TaskList:
    """Find benchmarks in the installed launcher's catalogue, those with a recipe (tested settings) first.

    Use it to choose tasks, or when a task's name is unknown or ambiguous. Not for which benchmarks show the damage of
    quantization: that is detect_quantization. Not for the tasks of a run: that is status.
    Example: list_tasks(query="aime 2025", endpoint_type="chat")
    """
    if not 1 <= limit <= LIMIT_AT_MOST:
        raise BadInput(f"limit is {limit}", fix=f"give 1 to {LIMIT_AT_MOST}, and narrow the query for the rest")
    found = find_tasks(query, harness, endpoint_type)
    shown = found.hits[:limit]
    return TaskList(
        tasks=[_row(hit) for hit in shown],
        total=len(found.hits),
        omitted=len(found.hits) - len(shown),
        next_step=_next_step(found, len(shown), {"query": query, "harness": harness, "endpoint_type": endpoint_type}),
        warnings=_warnings(found, query, harness),
    )


def _row(hit: Hit) -> TaskRow:
    task = hit.task
    return TaskRow(
        id=task.id,
        harness=task.harness,
        endpoint_type=task.endpoint_type,
        container=task.container,
        recipe=hit.recipe.name if hit.recipe else "",
        needs=list(needs_of(task, hit.recipe)),
        description=_short(task.description),
    )


def _short(text: str) -> str:
    return text if len(text) <= DESCRIPTION_AT_MOST else text[: DESCRIPTION_AT_MOST - 1].rstrip() + "…"


def _next_step(found: SearchResult, shown: int, asked: dict[str, str]) -> str:
    if not found.hits:
        return f"{call('list_tasks', query='<other words>')} without the filters; if nothing fits, tell the user."
    hit = next((h for h in found.hits if h.recipe), found.hits[0])
    name = hit.recipe.name if hit.recipe else hit.task.id
    what = "the recipe" if hit.recipe else "the task"
    again = {key: value for key, value in asked.items() if value}
    wider = call("list_tasks", **again, limit=LIMIT_AT_MOST)
    more = f" {wider} shows more; a narrower query, the best." if shown < min(len(found.hits), LIMIT_AT_MOST) else ""
    return (
        f"{call('edit_config', config='<path of the config>', add_tasks=[name])} adds {what} {name}. "
        f"No config yet: {call('build_config')} first, which says what to ask the user.{more}"
    )


def _warnings(found: SearchResult, query: str, harness: str) -> list[str]:
    warnings = []
    if found.harness != harness:
        warnings.append(f"The harness {harness!r} was taken as {found.harness!r}.")
    if found.nearest:
        warnings.append(f"Nothing holds the words {query!r}; these are the most similar names.")
    if found.recipe is not None:
        warnings.append(_recipe_note(found.recipe, query))
        if all(variant.container_only for variant in found.recipe.variants):
            warnings.append(f"{found.recipe.name} runs in containers only, not with execution=process.")
    return warnings


def _recipe_note(recipe: Recipe, query: str) -> str:
    tasks = " or ".join(variant.task for variant in recipe.variants)
    return (
        f"{query!r} names the recipe {recipe.name}: {tasks}, with the settings of {recipe.path.name}. "
        "Other tasks of similar name are other benchmarks: use their harness.task id."
    )
