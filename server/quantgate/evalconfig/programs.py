"""Which programs serve models, and which fields of a deployment NEL's packaged commands turn into flags (programs.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_TABLE = Path(__file__).with_name("programs.yaml")


class _Program(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    framework: str
    source: str
    port: int
    port_source: str


class Fields(BaseModel):
    """Fields beside the command that NEL's packaged commands turn into flags."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    flags: dict[str, str]
    other: tuple[str, ...]


class Programs(BaseModel):
    """programs.yaml: programs that serve, and the fields that become flags."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    programs: dict[str, _Program]
    fields: Fields


@cache
def table() -> Programs:
    """programs.yaml, read once."""
    import yaml

    return Programs.model_validate(yaml.safe_load(_TABLE.read_text(encoding="utf-8")))
