"""The keys that NEL knows: those of its packaged defaults, and a table of the others it reads."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from . import packaged

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
    adapter: list[str]
    adapter_modern: list[str]
    auxiliary: list[str]
    sbatch: list[str]


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


@cache
def other_places(key: str) -> str:
    """Where a key is at home, as a dotted place; empty when nowhere, or at several places that differ."""
    table = known()
    if key in ("name", "type", "config", "env_vars", "output_dir", "pre_cmd", "command", "image", "port", "url"):
        return ""
    if key in table.params:
        return "evaluation.nemo_evaluator_config.config.params"
    if key in (*table.adapter, *table.adapter_modern):
        return "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config"
    if key in execution_keys("slurm") | execution_keys("local"):
        return "execution"
    if any(key in deployment_keys(group) for group in ("vllm", "sglang", "trtllm")):
        return "deployment"
    if key.replace("_", "-") in table.sbatch:
        return "execution.sbatch_extra_flags"
    homes = [place for place, names in table.closed.items() if key in names and ".*" not in place]
    return homes[0] if len(homes) == 1 else ""


def _packaged(name: str) -> frozenset[str]:
    return frozenset(packaged.content(name)) - {"defaults"}
