"""Reads one recipe file: YAML front matter, then prose with a fenced `yaml` block for each variant.

A block holds one entry of `evaluation.tasks`; the task's name joins it with its variant, so that what a person copies is what
a program uses. What the front matter says about a block (repeats, judge, image, parallelism) is checked against it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ..errors import BadInput
from .recipe import GAP, Bounds, Need, Recipe, Requirements, ScorePlace, SideModel, Variant
from .recipe_schema import FrontMatter, SideModelRow, VariantRow

_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_recipe(path: Path) -> Recipe:
    """Read and check one recipe file.

    Raises:
        BadInput: The file cannot be read, has no front matter, breaks the schema, lacks a variant's YAML block, or a block
            is not as the front matter says.
    """
    front, body = _split(path)
    fragments = _fragments(path, body)
    try:
        row = FrontMatter.model_validate(front)
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
        sandbox=row.sandbox,
        multimodal=row.multimodal,
        tool_calling=row.tool_calling,
        needs=[need.name for need in row.needs],
        variants=tuple(_variant(variant, row, fragments, path) for variant in row.variants),
        path=path,
        needs_explained=tuple(Need(**need.model_dump()) for need in row.needs),
    )


def _variant(row: VariantRow, front: FrontMatter, fragments: Mapping[str, dict[str, Any]], path: Path) -> Variant:
    if row.task not in fragments:
        raise BadInput(
            f"The recipe has no yaml block for its variant {row.task}",
            where=str(path),
            fix=f"add a fenced yaml block with `- name: {row.task}`",
        )
    fragment = fragments[row.task]
    params = _mapping(_at(fragment, "nemo_evaluator_config.config.params"))
    problems = _disagreements(row, front, fragment, params)
    if problems:
        raise BadInput(
            f"The yaml block of {row.task} is not as the front matter says: {'; '.join(problems)}",
            where=str(path),
            fix="make the two agree",
        )
    return Variant(
        harness=row.task.partition(".")[0],
        task=row.task,
        container=row.container,
        place=ScorePlace(**{**row.score.model_dump(), "name": row.score.name or row.score.metric}),
        minimum=row.minimum,
        maximum=row.maximum,
        higher_is_better=row.higher_is_better,
        samples=row.samples,
        repeats=row.repeats,
        repeats_at=row.repeats_at,
        per_sample=row.per_sample,
        sample_field=row.sample_field,
        fragment=fragment,
        container_only=row.container_only,
        side_models=tuple(_side_models(row)),
        requirements=_requirements(row, front, fragment, params),
        source=row.source,
    )


def _side_models(row: VariantRow) -> list[SideModel]:
    roles: tuple[tuple[Literal["judge", "user simulator"], SideModelRow | None], ...] = (
        ("user simulator", row.user),
        ("judge", row.judge),
    )
    return [SideModel(role=role, **side.model_dump()) for role, side in roles if side is not None]


def _requirements(
    row: VariantRow, front: FrontMatter, fragment: Mapping[str, Any], params: Mapping[str, Any]
) -> Requirements:
    bounds = row.parallelism
    return Requirements(
        max_model_len=front.context,
        tool_calling=front.tool_calling,
        image_input=front.multimodal,
        parallelism=Bounds(params["parallelism"], bounds.minimum, bounds.maximum) if bounds else None,
        adapter=_mapping(_at(fragment, "nemo_evaluator_config.target.api_endpoint.adapter_config")),
        env_vars=_mapping(fragment.get("env_vars")),
        may_be_unlisted=bool(row.container),
    )


def _disagreements(
    row: VariantRow, front: FrontMatter, fragment: Mapping[str, Any], params: Mapping[str, Any]
) -> list[str]:
    """Where a fragment and the front matter say different things."""
    problems = []
    if str(fragment.get("container") or "") != row.container:
        problems.append(f"container is {fragment.get('container')!r}, not {row.container!r}")
    if row.repeats_at and _at(params, row.repeats_at) != row.repeats:
        problems.append(f"{row.repeats_at} is {_at(params, row.repeats_at)!r}, not {row.repeats}")
    if (row.parallelism is None) != ("parallelism" not in params):
        problems.append("parallelism is bounded and not set, or set and not bounded")
    elif row.parallelism is not None:
        value = params["parallelism"]
        if not isinstance(value, int) or not row.parallelism.minimum <= value <= row.parallelism.maximum:
            problems.append(f"parallelism {value!r} is outside of its own bounds")
    declared = _mapping(fragment.get("env_vars"))
    for side in filter(None, (row.judge, row.user)):
        block = _mapping(_at(params, side.at))
        if (block.get("url"), block.get("model_id")) != (GAP, GAP):
            problems.append(f"{side.at} must leave url and model_id open with {GAP}")
        if block.get("api_key") != side.key or declared.get(side.key) != f"host:{side.key}":
            problems.append(f"{side.at}.api_key must be {side.key}, and env_vars declare it as host:{side.key}")
    taken = {value.removeprefix("host:") for value in declared.values() if str(value).startswith("host:")}
    if taken - {need.name for need in front.needs}:
        problems.append(f"needs does not list {', '.join(sorted(taken - {need.name for need in front.needs}))}")
    return problems


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


def _at(value: Any, path: str) -> Any:
    for part in path.split("."):
        value = _mapping(value).get(part)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
