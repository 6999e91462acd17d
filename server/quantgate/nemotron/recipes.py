"""The recipes of `quantgate eval`: folders with configs and a contract, read, listed and described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from .. import shipped
from ..errors import BadInput, UnknownName

CONTRACT = "contract.yaml"
DEFAULT = "model_eval"
"""The recipe that is meant when none is named."""
_MAX_BYTES = 256 << 10


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfigRow(_Row):
    """A config of a recipe, and when to take it."""

    name: str
    when: str


class Artifact(_Row):
    """What a recipe takes or gives."""

    type: str
    description: str
    required: bool = False


class Parameter(_Row):
    """A key that callers set, and its default as text (empty for none)."""

    name: str
    description: str
    default: str = ""


class Strategy(_Row):
    """What to do in which case."""

    when: str
    then: str


class NamedError(_Row):
    """A failure with a name, the rules of check_config that find it, and what to do."""

    name: str
    rules: tuple[str, ...]
    recovery: str


class Contract(_Row):
    """The contract of a recipe, as contract.yaml has it."""

    id: str
    name: str
    title: str
    default_config: str
    configs: tuple[ConfigRow, ...]
    consumes: tuple[Artifact, ...]
    produces: tuple[Artifact, ...]
    parameters: tuple[Parameter, ...]
    strategies: tuple[Strategy, ...]
    errors: tuple[NamedError, ...]


def directory() -> Path:
    """The folder of all recipes."""
    return shipped.recipes_dir() / "nemotron"


def names() -> list[str]:
    """The recipes that there are, sorted."""
    return sorted(path.parent.name for path in directory().glob(f"*/{CONTRACT}"))


def folder(name: str) -> Path:
    """The folder of one recipe.

    Args:
        name: Its name, or the id of its contract (`eval/model_eval`); empty for the default.

    Raises:
        UnknownName: There is no such recipe.
    """
    wanted = name.strip() or DEFAULT
    for known in names():
        if wanted == known or ("/" in wanted and contract(known).id == wanted):
            return directory() / known
    raise UnknownName("recipe", wanted[:80], names(), fix=f"one of: {', '.join(names())}")


def contract(name: str) -> Contract:
    """The contract of a recipe by its folder's name.

    Raises:
        BadInput: The file is broken, or names a config that is not there.
    """
    path = directory() / name / CONTRACT
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise BadInput("The contract is over 256 KiB", where=str(path), fix="shorten it")
        row = Contract.model_validate(_yaml(raw, path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"The contract is wrong at {field!r}: {first['msg']}", where=str(path), fix="correct the field"
        ) from None
    except OSError as error:
        raise BadInput(
            f"The contract cannot be read: {error.strerror}", where=str(path), fix="install quantgate again"
        ) from None
    listed = {config.name for config in row.configs}
    missing = [
        config for config in (*sorted(listed), row.default_config) if not (path.parent / f"{config}.yaml").is_file()
    ]
    if missing or row.default_config not in listed or row.name != name:
        raise BadInput(
            f"The contract does not fit its folder: {', '.join(missing) or row.default_config or row.name}",
            where=str(path),
            fix="name the configs that lie beside it, and give it the folder's name",
        )
    return row


def _yaml(raw: bytes, path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(raw.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"The contract is no YAML: {str(error)[:120]}", where=str(path), fix="correct it") from None


def listing() -> str:
    """All recipes with their configs, as text for a terminal."""
    lines = []
    for name in names():
        row = contract(name)
        lines.append(f"{row.name}  {row.title}")
        lines += [
            f"    -c {config.name}{' (default)' if config.name == row.default_config else ''}: {config.when}"
            for config in row.configs
        ]
    return "\n".join(lines)


def description(name: str) -> str:
    """One recipe's contract, as text for a terminal.

    Raises:
        UnknownName: There is no such recipe.
        BadInput: Its contract is broken.
    """
    row = contract(folder(name).name)
    parts = [f"{row.name} ({row.id})\n{row.title}"]
    parts.append(_section("configs", [f"{c.name}: {c.when}" for c in row.configs]))
    parts.append(_section("consumes", [_artifact(a) for a in row.consumes]))
    parts.append(_section("produces", [f"{a.type}: {a.description}" for a in row.produces]))
    rows = [f"{p.name}{f' = {p.default}' if p.default else ''}: {p.description}" for p in row.parameters]
    parts.append(_section("parameters", rows))
    parts.append(_section("strategies", [f"When: {s.when}\n    Then: {s.then}" for s in row.strategies]))
    errors = [f"{e.name} ({', '.join(e.rules)}): {' '.join(e.recovery.split())}" for e in row.errors]
    parts.append(_section("named errors, with the rules of check_config that find them", errors))
    return "\n\n".join(parts)


def _artifact(row: Artifact) -> str:
    return f"{row.type}{'' if row.required else ' (optional)'}: {row.description}"


def _section(title: str, rows: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"  - {row}" for row in rows)])
