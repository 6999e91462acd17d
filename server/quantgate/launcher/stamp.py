"""`quantgate_run.json`: what a run is, laid into its directory before anything of it starts, so that a copy still tells.

It says less than the ledger and is never taken for more than a claim: a reader may become more careful by it (a subset, skipped
gates), never less.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .. import __version__, redact
from ..system import files
from . import package

FILE = "quantgate_run.json"
TAG = "quantgate.run"
"""Under this name the same text goes along with an export."""
FORMAT = 1
MAX_BYTES = 256 << 10
MAX_TEXT = 2000
MAX_TASKS = 1000
MOST_NAMED = 50
"""Tasks that a text of limited length names, where it has not room for all."""
MOST_ID = 64
"""Characters of a fingerprint or a digest: these stay whole."""
KINDS = ("canary", "full", "subset")


@dataclass(frozen=True)
class Stamp:
    """What was launched.

    Attributes:
        kind: "canary", "full" or "subset".
        sample_limit: Samples per task; 0 for all.
        tasks: Names of the tasks that were launched.
        tasks_in_config: How many tasks the config has.
        fingerprint: Of what was launched.
        config_digest: SHA-256 of the config's file.
        skip_reason: Why a person let it start without its gates; empty when they were passed.
        quantgate: Version of quantgate.
        nel: Version of NEL.
        created: UTC, ISO 8601.
    """

    invocation_id: str
    kind: str
    sample_limit: int
    tasks: tuple[str, ...]
    tasks_in_config: int
    fingerprint: str
    config_digest: str
    skip_reason: str = ""
    quantgate: str = ""
    nel: str = ""
    created: str = ""

    def dated(self) -> Stamp:
        """The stamp with the versions and the time of now."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return replace(self, quantgate=__version__, nel=package.launcher_version(), created=now)

    def as_json(self) -> dict[str, Any]:
        """As a plain mapping, secrets masked."""
        values: dict[str, Any] = redact.redact_value({**asdict(self), "tasks": list(self.tasks)})
        return {"format": FORMAT, **values}

    def as_text(self, most: int) -> str:
        """As JSON of at most so many characters: names of tasks go first, then the ends of its texts, never the whole.

        Args:
            most: Characters; at least 1,000.
        """
        values, cut = self.as_json(), MAX_TEXT
        while len(text := json.dumps(values, ensure_ascii=False)) > most and (values["tasks"] or cut):
            if len(values["tasks"]) > MOST_NAMED:
                values["tasks"] = values["tasks"][:MOST_NAMED]
                continue
            cut //= 2
            values["tasks"] = values["tasks"][: len(values["tasks"]) // 2 + 1] if cut else []
            values |= {name: value[: max(cut, MOST_ID)] for name, value in values.items() if isinstance(value, str)}
        return text


def from_json(values: Mapping[str, Any]) -> Stamp | None:
    """The stamp of a mapping that anybody may have written; None when it is none.

    Unknown keys are passed over, texts are cut, and numbers that cannot be are 0.
    """
    if not isinstance(values.get("invocation_id"), str) or values.get("kind") not in KINDS:
        return None
    tasks = values.get("tasks")
    names = [_text(t) for t in tasks if isinstance(t, str)] if isinstance(tasks, list) else []
    return Stamp(
        invocation_id=_text(values["invocation_id"])[:64],
        kind=str(values["kind"]),
        sample_limit=_count(values.get("sample_limit")),
        tasks=tuple(names[:MAX_TASKS]),
        tasks_in_config=_count(values.get("tasks_in_config")),
        **{
            name: _text(values.get(name))
            for name in ("fingerprint", "config_digest", "skip_reason", "quantgate", "nel", "created")
        },
    )


def _text(value: Any) -> str:
    return value[:MAX_TEXT] if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else 0


def write(directory: Path, stamp: Stamp) -> Path:
    """Lay the stamp into an invocation's directory: whole or not at all, mode 0600.

    Raises:
        OSError: The directory cannot be written.
    """
    target = directory / FILE
    handle, temporary = tempfile.mkstemp(prefix=f".{FILE}.", dir=directory)  # 0600 from the start
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(stamp.as_json(), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    return target


def read(directory: Path) -> Stamp | None:
    """The stamp of an invocation's directory; None when there is none that can be read.

    A link, a pipe or a file above `MAX_BYTES` is no stamp.
    """
    try:
        handle = files.open_to_read(directory / FILE, links=False)
        with os.fdopen(handle, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
        values = json.loads(raw) if len(raw) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return from_json(values) if isinstance(values, dict) else None


def write_before_start(stamp: Stamp) -> None:
    """Make NEL lay the stamp into the run's directory before it starts anything. For the launch's own child.

    NEL 0.2.6 and the process executor record their jobs right before they start them, and the record names the directory:
    a kill at any moment leaves either no job or a stamped one.
    """
    from nemo_evaluator_launcher.common.execdb import ExecutionDB

    record = ExecutionDB.write_job

    def stamped(self: Any, job: Any) -> Any:
        place = Path(str(job.data.get("output_dir") or "")).parent
        # A cluster's directory is not on this machine.
        if place.name.endswith(stamp.invocation_id) and place.is_dir() and not (place / FILE).exists():
            write(place, stamp)
        return record(self, job)

    ExecutionDB.write_job = stamped
