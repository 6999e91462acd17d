"""The keys that NEL knows: those of its packaged defaults, and a table of the others it reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..launcher import package

_TABLE = Path(__file__).with_name("known_keys.yaml")


class KnownKeys(BaseModel):
    """known_keys.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sections: list[str]
    quantgate: list[str]
    misplaced: dict[str, str]
    execution: dict[str, list[str]]
    deployment: dict[str, list[str]]
    params: list[str]
    whole_numbers: dict[str, list[str]]
    numbers: dict[str, list[str]]
    closed: dict[str, list[str]]
    elsewhere: list[str]


@cache
def known() -> KnownKeys:
    """The table, read once."""
    from ruamel.yaml import YAML

    return KnownKeys.model_validate(YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8")))


@cache
def execution_keys(executor: str) -> frozenset[str]:
    """Keys that mean something under `execution` for an executor ("process" shares the local defaults)."""
    table = known().execution
    group = {"slurm": "slurm/default", "lepton": "lepton/default"}.get(executor, "local")
    return frozenset([*table["any"], *table.get(executor, []), *_packaged(f"execution/{group}")])


@cache
def deployment_keys(group: str) -> frozenset[str]:
    """Keys that mean something under `deployment` for a packaged group ("vllm", "vllm_ray", ...)."""
    own = _packaged(f"deployment/{group}")
    base = _packaged("deployment/vllm") if group == "vllm_ray" else frozenset()
    return frozenset([*known().deployment["any"], *own, *base])


def _packaged(name: str) -> frozenset[str]:
    from ruamel.yaml import YAML

    path = package.resource("configs") / f"{name}.yaml"
    if not path.is_file():
        return frozenset()
    content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    return frozenset(str(key) for key in content) - {"defaults"}
