"""Versions of registered models and artifacts of runs, asked for in a child process with a time limit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import client, settings

FIND_SECONDS = 90.0
BRING_SECONDS = 6 * 3600.0
"""For a checkpoint; a smaller limit would give up a download that goes on."""
MOST_BYTES = 1 << 40


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model: its name, its number as text, its tags, and the run that made it (may be empty).

    `made` says when and of what it was made: a model that was deleted and registered again has the same numbers.
    """

    name: str
    version: str
    tags: Mapping[str, str]
    run_id: str
    made: str = ""


def find(name: str, selector: str) -> ModelVersion:
    """A version of a registered model.

    Args:
        name: Of letters, digits, `_`, `.` and `-` only: it becomes part of a search.
        selector: `v3`, `latest` (the highest number) or an alias.

    Raises:
        BadInput: No tracking server is configured, or the package mlflow is missing.
        UnknownName: There is no such model, version or alias.
        TrackingUnreachable: The server does not answer.
        TrackingError: It does not let us in.
    """
    server = settings.configured()
    request = {"verb": "find", "name": name, "selector": selector, "most": 1 << 20}
    answer = client.ask(server, request, FIND_SECONDS)
    return ModelVersion(name, answer["version"], answer["tags"], answer["run_id"], answer["made"])


def bring_version(version: ModelVersion, place: Path) -> Path:
    """Download the files of a version, unless they are here.

    Args:
        version: As `find` gave it.
        place: A directory of ours; the version gets one of its own in it.

    Raises:
        As `find`, and StorageError: the files cannot be written.
    """
    named = f"{version.name}-v{version.version}\n{version.made}"
    return _bring({"name": version.name, "version": version.version}, named, place)


def bring_artifact(run_id: str, path: str, place: Path) -> Path:
    """Download an artifact of a run, a file or a folder, unless it is here; as `bring_version`."""
    return _bring({"run_id": run_id, "path": path}, f"{run_id}-{path}", place)


def _bring(what: Mapping[str, str], named: str, place: Path) -> Path:
    server = settings.configured()
    # Two servers may both have a version 1 of a model.
    own = place / hashlib.sha256(f"{server.shown}\n{named}".encode()).hexdigest()[:16]
    request = {"verb": "bring", **what, "place": str(own), "most": MOST_BYTES}
    got = Path(client.ask(server, request, BRING_SECONDS)["path"])
    return next(got.iterdir())
