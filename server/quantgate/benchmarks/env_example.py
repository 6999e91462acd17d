"""recipes/env.example, made from what the recipes and the example configs need, so that it cannot go stale unseen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .. import shipped
from ..errors import BadInput
from .recipe_schema import NeedRow
from .recipes import load_recipes

_HEADER = """\
# Variables that the recipes and the example configs need. Copy this file to .env beside your config (or into the workspace) and
# fill in the values of those that your tasks use: quantgate finds it there and passes the variables on. Never commit the copy.
# Made from the recipes and the examples by quantgate.benchmarks.env_example; do not edit.
"""
_TABLE = Path(__file__).with_name("env_example.yaml")
_FROM_OUTSIDE = re.compile(r"\bhost:([A-Za-z_]\w*)|\$\{oc\.env:([A-Za-z_]\w*)\}")


def env_example() -> str:
    """The text of recipes/env.example: every variable once, with its reasons and the recipes and examples that need it.

    Raises:
        BadInput: An example reads a variable that neither a recipe nor env_example.yaml explains.
    """
    reasons: dict[str, dict[str, list[str]]] = {}
    values: dict[str, str] = {}
    for recipe in load_recipes().values():
        for need in recipe.needs_explained:
            reasons.setdefault(need.name, {}).setdefault(need.why, []).append(recipe.name)
            values[need.name] = values.get(need.name) or need.example
    examples = examples_by_variable()
    for row in _rows():
        if row.name in examples:
            reasons.setdefault(row.name, {})[row.why] = []
            values[row.name] = row.example
    unexplained = sorted(set(examples) - set(reasons))
    if unexplained:
        raise BadInput(f"No recipe and no row explains {', '.join(unexplained)}", where=_TABLE.name, fix="add a row")
    blocks = []
    for name in sorted(reasons):
        lines = [f"# {', '.join(recipes)}: {why}" if recipes else f"# {why}" for why, recipes in reasons[name].items()]
        lines += [f"# in the examples {', '.join(examples[name])}"] if name in examples else []
        blocks.append("\n".join([*lines, f"{name}={values[name]}"]))
    return "\n\n".join([_HEADER.rstrip("\n"), *blocks]) + "\n"


def examples_by_variable() -> dict[str, list[str]]:
    """The variables that the example configs take from outside (`host:NAME`, `${oc.env:NAME}`), with the examples' names."""
    found: dict[str, list[str]] = {}
    for file in sorted((shipped.recipes_dir() / "examples").glob("*.yaml")):
        text = re.sub(r"(^|\s)#.*", "", file.read_text(encoding="utf-8"))
        for name in sorted({host or env for host, env in _FROM_OUTSIDE.findall(text)}):
            found.setdefault(name, []).append(file.stem)
    return found


def write_env_example() -> None:
    """Write recipes/env.example of this checkout anew."""
    (shipped.recipes_dir() / "env.example").write_text(env_example(), encoding="utf-8")


def _rows() -> list[NeedRow]:
    from ruamel.yaml import YAML

    data: Any = YAML(typ="safe", pure=False).load(_TABLE.read_text(encoding="utf-8"))
    return [NeedRow.model_validate(row) for row in data]
