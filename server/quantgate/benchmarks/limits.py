"""Which tasks cannot be limited to a few samples, and what to watch instead of a canary (limits.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .catalogue import CatalogueTask

_TABLE = Path(__file__).resolve().parent / "limits.yaml"
_IN_COMMAND = "config.params.limit_samples"
_ANY_HARNESS = "the client log must show answers, and no HTTP errors, within the first minutes"


class UnlimitedRow(BaseModel):
    """A harness that ignores limit_samples, what to watch, and where that is known from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    harness: str
    watch: str
    source: str


@cache
def unlimited_rows() -> dict[str, UnlimitedRow]:
    """limits.yaml by harness, read once."""
    from ruamel.yaml import YAML

    data = YAML(typ="safe", pure=False).load(_TABLE.read_text(encoding="utf-8"))
    rows = [UnlimitedRow.model_validate(row) for row in data["unlimited"]]
    return {row.harness: row for row in rows}


def watch_instead(name: str, task: CatalogueTask | None) -> str:
    """What to watch in the first minutes of a task's full run, because limit_samples does nothing for it.

    Args:
        name: The task's name in the config; of a task outside the catalogue the part before the dot is its harness.
        task: From the catalogue; None for a task that is not in it.

    Returns:
        Empty for a task that can be limited.
    """
    row = unlimited_rows().get(task.harness if task else name.partition(".")[0])
    if row is not None:
        return row.watch
    return _ANY_HARNESS if task is not None and _IN_COMMAND not in task.command else ""
