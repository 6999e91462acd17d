"""What the child asks MLflow's model registry, and files of a run that are no evaluation's: a model, a checkpoint.

Where a version's files lie is somebody's data: it is checked as that of a run is, before anything is asked for.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .layout import is_safe

MOST_VERSIONS = 2_000
MOST_TEXT = 5_000
MOST_TAGS = 200
_RUNS = re.compile(r"runs:/([0-9a-f]{32})/(.+)")
_LOGGED = re.compile(r"models:/(m-[0-9a-f]{32})")
MayRead = Callable[[str, str], bool]
"""Whether files may be read at an address, given the server's own."""


class NoSuchVersion(Exception):
    """The registry has the model, and no version that the reference means; the message names those that there are."""


class ForeignStore(Exception):
    """The files lie where a run's may not be read from; the message is the scheme."""


def find(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    """One version of a registered model.

    Args:
        request: `name`, and `selector`: `v3`, `latest` or an alias.

    Raises:
        NoSuchVersion: The model has no version.
    """
    name, selector = request["name"], request["selector"]
    if re.fullmatch(r"v\d{1,9}", selector):
        found = client.get_model_version(name, selector[1:])
    elif selector == "latest":
        # An alias cannot be called latest, and the search is sorted as text: version 10 would come before 9.
        client.get_registered_model(name)
        rows = client.search_model_versions(f"name='{name}'", max_results=MOST_VERSIONS)
        if not rows:
            raise NoSuchVersion("it has no version yet")
        found = max(rows, key=lambda row: int(row.version))
    else:
        found = client.get_model_version_by_alias(name, selector)
    tags = [(str(k)[:200], str(v)[:MOST_TEXT]) for k, v in found.tags.items()][:MOST_TAGS]
    made = [str(getattr(found, key, None) or "")[:MOST_TEXT] for key in ("creation_timestamp", "run_id", "source")]
    answer = {"ok": True, "version": str(found.version), "tags": dict(tags), "run_id": str(found.run_id or "")[:64]}
    return {**answer, "made": "\n".join(made)}


def bring(client: Any, request: dict[str, Any], may_read: MayRead) -> dict[str, Any]:
    """Download a version's files, or an artifact of a run, and say which directory holds them as its only entry.

    Args:
        request: `place`, a directory of ours that is not there yet, and `run_id` with `path`, or `name` with `version`.
        may_read: Decides over the address of the files.

    Raises:
        ForeignStore: They lie where they may not be read.
        OSError: They cannot be written.
    """
    place = Path(request["place"])
    if place.is_dir():
        return {"ok": True, "path": str(place), "fetched": False}
    staging = place.with_name(f"{place.name}.part")
    shutil.rmtree(staging, ignore_errors=True)
    files, whole = staging / "files", staging / "whole"
    for folder in (files, whole):
        folder.mkdir(parents=True, mode=0o700)
    try:
        got = _download(client, request, files, may_read)
        if got.is_symlink() or not got.resolve().is_relative_to(files.resolve()):
            raise ForeignStore("a link")
        got.replace(whole / got.name)
        # Complete or not there: a download that broke off is no checkpoint.
        whole.replace(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return {"ok": True, "path": str(place), "fetched": True}


def _download(client: Any, request: dict[str, Any], staging: Path, may_read: MayRead) -> Path:
    if request.get("run_id"):
        return _of_run(client, request["run_id"], request["path"], request["url"], staging, may_read)
    uri = str(client.get_model_version_download_uri(request["name"], request["version"]))
    if run := _RUNS.fullmatch(uri):
        return _of_run(client, run[1], run[2], request["url"], staging, may_read)
    if logged := _LOGGED.fullmatch(uri):
        uri = str(client.get_logged_model(logged[1]).artifact_location)
    if not may_read(uri, request["url"]):
        raise ForeignStore(uri.partition(":")[0][:40] or "a directory")
    from mlflow.artifacts import download_artifacts

    return Path(download_artifacts(artifact_uri=uri, dst_path=str(staging), tracking_uri=request["url"]))


def _of_run(client: Any, run_id: str, path: str, server: str, staging: Path, may_read: MayRead) -> Path:
    if not is_safe(path):
        raise ForeignStore("a name that is no path")
    uri = str(client.get_run(run_id).info.artifact_uri or "")
    if not may_read(uri, server):
        raise ForeignStore(uri.partition(":")[0][:40] or "a directory")
    return Path(client.download_artifacts(run_id, path, dst_path=str(staging)))
