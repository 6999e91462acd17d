"""recipes/env.example, made from what the recipes say they need, so that it cannot go stale unseen."""

from __future__ import annotations

from .. import shipped
from .recipes import load_recipes

_HEADER = """\
# Variables that the recipes need. Copy this file to .env beside your config (or into the workspace) and fill in the
# values: quantgate finds it there and passes the variables on. Never commit the copy.
# Made from the recipes by quantgate.benchmarks.env_example; do not edit.
"""


def env_example() -> str:
    """The text of recipes/env.example: every variable once, with its reasons and the recipes that need it."""
    reasons: dict[str, dict[str, list[str]]] = {}
    examples: dict[str, str] = {}
    for recipe in load_recipes().values():
        for need in recipe.needs_explained:
            reasons.setdefault(need.name, {}).setdefault(need.why, []).append(recipe.name)
            examples[need.name] = examples.get(need.name) or need.example
    blocks = []
    for name in sorted(reasons):
        lines = [f"# {', '.join(recipes)}: {why}" for why, recipes in reasons[name].items()]
        blocks.append("\n".join([*lines, f"{name}={examples[name]}"]))
    return "\n\n".join([_HEADER.rstrip("\n"), *blocks]) + "\n"


def write_env_example() -> None:
    """Write recipes/env.example of this checkout anew."""
    (shipped.recipes_dir() / "env.example").write_text(env_example(), encoding="utf-8")
