"""Asking the tracking server, each time in a child process with a time limit."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import children, redact, scratch
from ..errors import BadInput, StorageError, TrackingError, TrackingUnreachable, UnknownName
from . import settings
from .layout import Wanted

FETCH_SECONDS = 600.0
SEARCH_SECONDS = 90.0
INSTALL = "pip install 'quantgate[mlflow]' into the environment of the quantgate server, and start it again"
_UNKNOWN = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND"})
_REFUSED = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"})
_REFUSED_CODE = re.compile(r"error code 40[13]\b")
_NO_ANSWER = ("failed with exception", "timed out", "Max retries exceeded", "Connection", "too many 5", "error code 5")


@dataclass(frozen=True)
class ExportedRun:
    """One run of a tracking server, its files copied to this machine.

    Attributes:
        run_id: MLflow's id of it.
        server: The server's address, fit to be shown.
        directory: The invocation's directory of the copy.
        task: The name of the task's directory in it.
        experiment: Its experiment's name; empty when it may not be read.
        name: MLflow's name of the run.
        status: MLflow's status. It tells of the export, not of the evaluation: FINISHED once everything was uploaded.
        ended: When the export ended, in seconds since the epoch; 0 when it did not.
        deleted: It lies in the server's bin.
        tags: As the server has them, cut.
        params: As the server has them, cut.
        files: What of it is here, as `artifacts/…` and `logs/…`.
        fetched: Files that were downloaded now.
        notes: What was not read, and why.
    """

    run_id: str
    server: str
    directory: Path
    task: str
    experiment: str
    name: str
    status: str
    ended: float
    deleted: bool
    tags: dict[str, str]
    params: dict[str, str]
    files: tuple[str, ...]
    fetched: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """A run that was exported from an invocation: MLflow's id, the task, and the end of the export in seconds since the epoch."""

    run_id: str
    task: str
    ended: float


def fetch(run_id: str, wanted: Sequence[Wanted], place: Path) -> ExportedRun:
    """Copy the files of an exported run that are read, laid out as the launcher lays out a run.

    Args:
        run_id: 32 hexadecimal digits.
        wanted: Which files.
        place: A directory of ours; what it holds of an earlier call for the same state of the run is not downloaded again. Files
            that are here already are never replaced: another state has another directory.

    Raises:
        BadInput: No tracking server is configured, or the package mlflow is missing.
        UnknownName: The server has no such run.
        TrackingUnreachable: It does not answer, or broke off in the middle.
        TrackingError: It does not let us in, or the files lie where only another machine can read them.
        StorageError: The copies cannot be written.
    """
    server = settings.configured()
    answer = ask(
        server,
        {
            "verb": "fetch",
            "run_id": run_id,
            "place": str(place),
            "wanted": [[w.place, w.name, w.most] for w in wanted],
            "most": max((w.most for w in wanted), default=1 << 20),
        },
        FETCH_SECONDS,
    )
    return ExportedRun(
        run_id=run_id,
        server=server.shown,
        directory=Path(answer["directory"]),
        task=answer["task"],
        experiment=answer["experiment"],
        name=answer["name"],
        status=answer["status"],
        ended=answer["ended"] / 1000,
        deleted=answer["deleted"],
        tags=answer["tags"],
        params=answer["params"],
        files=tuple(answer["files"]),
        fetched=answer["fetched"],
        notes=tuple(answer["notes"]),
    )


def exported_from(invocation_id: str) -> list[Found]:
    """The runs that were exported from an invocation of NEL, the newest first; at most 20.

    Args:
        invocation_id: Hexadecimal digits only: it becomes part of a search.

    Raises:
        BadInput: No tracking server is configured, or the package mlflow is missing.
        TrackingUnreachable: It does not answer.
        TrackingError: It does not let us in.
    """
    server = settings.configured()
    answer = ask(server, {"verb": "search", "invocation_id": invocation_id, "most": 1 << 20}, SEARCH_SECONDS)
    return [Found(row["run_id"], row["task"], row["ended"] / 1000) for row in answer["runs"]]


def ask(server: settings.TrackingServer, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The child's answer to one request.

    Args:
        server: Which server it asks.
        request: `verb` and what that wants; `most` is the largest file in bytes that the child may write.
        seconds: Time limit of the child.

    Raises:
        As `fetch`.
    """
    with scratch.private_directory() as folder:
        answer_file = folder / "answer.json"
        finished = children.run(
            [sys.executable, "-P", "-m", "quantgate.tracking.child"],
            stdin=json.dumps({**request, "url": server.url, "answer": str(answer_file)}).encode(),
            env=server.environment(),
            seconds=seconds,
            cwd=folder,
        )
        if finished.timed_out:
            raise TrackingUnreachable(
                f"The tracking server {server.shown} gave no answer within {seconds:.0f} s",
                fix="call this again: what was downloaded is not downloaded twice",
            )
        if not answer_file.is_file():
            said = redact.redact(finished.output.strip()[-300:])
            raise TrackingError(
                f"The process that talks to MLflow ended with status {finished.returncode}", fix=f"it said: {said}"
            )
        answer: dict[str, Any] = json.loads(answer_file.read_text(encoding="utf-8"))
    if not answer["ok"]:
        raise _error(server, request, str(answer["problem"]), str(answer["said"]))
    return answer


def _error(server: settings.TrackingServer, request: dict[str, Any], problem: str, said: str) -> Exception:
    text = " ".join(redact.redact(said).split())[:300]
    if problem == "package":
        return BadInput(f"Reading from MLflow needs a package that is not installed: {text}", fix=INSTALL)
    if problem == "store":
        return TrackingError(
            f"The files of this run lie where only its own server may read them ({text})",
            where=f"{request.get('run_id') or request.get('name')} on {server.shown}",
            fix="let the server hand them out (mlflow server --serve-artifacts), or give the run's own directory",
        )
    if problem == "disk":
        return StorageError(
            f"The copies cannot be written: {text}", fix="set QUANTGATE_CACHE to a directory with space"
        )
    # The registry calls an alias that is not there an invalid value.
    absent = problem in _UNKNOWN or (problem == "INVALID_PARAMETER_VALUE" and "not found" in said)
    if problem == "version" or (absent and "name" in request):
        wanted = f"{request['name']}:{request.get('selector', request.get('version'))}"
        return UnknownName(
            "model of the registry", wanted, where=f"{server.shown}: {text}", fix="look in MLflow's model registry"
        )
    if problem in _UNKNOWN and "run_id" in request:
        return UnknownName(
            "MLflow run", request["run_id"], where=server.shown, fix="take the run id from the run's page in MLflow"
        )
    if problem in _REFUSED or _REFUSED_CODE.search(said):
        return TrackingError(
            f"The tracking server {server.shown} does not let us in",
            fix="a person sets MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the server's "
            "environment",
        )
    if problem == "broken off":
        return TrackingUnreachable(
            f"The tracking server {server.shown} did not give all files of the run: {text}",
            fix="call this again: what arrived is not downloaded twice",
        )
    if any(sign in said for sign in _NO_ANSWER):
        return TrackingUnreachable(
            f"The tracking server {server.shown} does not answer: nothing is known of this run",
            fix="try again later, or check MLFLOW_TRACKING_URI and the network",
        )
    return TrackingError(f"The tracking server {server.shown} refused: {text}", fix="check the run in MLflow")
