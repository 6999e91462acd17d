"""The child process that talks to MLflow: `python -m quantgate.tracking.child`, one request as JSON on standard input.

mlflow's prints, its memory and its waiting stay in here. What it says of a run is somebody's data: where its files lie is checked
before they are asked for (`copying` checks names and sizes).
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from ..system import files
from . import copying, registry
from .layout import Wanted, invocation_directory, task_directory

MOST_NOTES = 20
MOST_TEXT = 5_000
MOST_RUNS = 20
MOST_EXPERIMENTS = 500
BUCKETS = frozenset({"s3", "gs"})
"""Stores whose host is that of the environment, whatever a run says: the address holds a bucket's name only."""
AZURE = frozenset({"wasbs", "abfss", "abfs"})
"""Stores whose address holds a host, which gets the credentials of the environment."""
_AZURE_PLACE = re.compile(
    r"(?:[a-z0-9$_-]{1,63}@)?[a-z0-9-]{1,63}\.(?:blob|dfs)\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)",
    re.IGNORECASE,
)


def _answer(path: str, value: dict[str, Any]) -> None:
    temporary = Path(f"{path}.part")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def _fetch(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    run = client.get_run(request["run_id"])
    uri = str(run.info.artifact_uri or "")
    if not _may_read(uri, request["url"]):
        return {"ok": False, "problem": "store", "said": uri.partition(":")[0][:40] or "a directory"}
    tags = {str(k): str(v)[:MOST_TEXT] for k, v in run.data.tags.items()}
    params = {str(k): str(v)[:MOST_TEXT] for k, v in run.data.params.items()}
    notes: list[str] = []
    wanted = [Wanted(*row) for row in request["wanted"]]
    files = list(copying.chosen(client, run, copying.root(tags), wanted, notes))
    named = Path(invocation_directory(request["run_id"], tags, params), task_directory(tags))
    task = Path(request["place"]) / copying.version(run, files, str(named)) / named
    for folder in copying.PLACES:
        (task / folder).mkdir(parents=True, exist_ok=True)
    fetched = copying.bring(client, run.info.run_id, files, task, notes)
    after = client.get_run(request["run_id"])
    if (after.info.status, after.info.end_time) != (run.info.status, run.info.end_time):
        raise copying.BrokenOff("it was exported again meanwhile")
    return {
        "ok": True,
        "directory": str(task.parent),
        "task": task.name,
        "experiment": _experiment(client, run.info.experiment_id),
        "name": str(run.info.run_name or "")[:300],
        "status": str(run.info.status),
        "ended": run.info.end_time or 0,
        "deleted": str(run.info.lifecycle_stage) == "deleted",
        "tags": tags,
        "params": params,
        "files": sorted(f"{f.place}/{f.rest}" for f in files if (task / f.place / f.rest).is_file()),
        "fetched": fetched,
        "notes": notes[:MOST_NOTES],
    }


def _may_read(uri: str, server: str) -> bool:
    """Whether the place of a run's files may be read: a run can name any, also this machine's own disk or another host.

    Args:
        uri: As the run has it.
        server: The tracking server's address. Its files come from its own scheme and host: credentials do not go over plain HTTP
            because a run says so.
    """
    try:
        parts, own = urllib.parse.urlsplit(uri), urllib.parse.urlsplit(server)
    except ValueError:
        return False
    host, own_host = (p.netloc.rpartition("@")[2].lower() for p in (parts, own))
    if parts.scheme == "mlflow-artifacts":
        return host in ("", own_host)
    if parts.scheme in AZURE:
        return bool(_AZURE_PLACE.fullmatch(parts.netloc))
    return parts.scheme in BUCKETS or (parts.scheme, host) == (own.scheme, own_host)


def _experiment(client: Any, experiment_id: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.get_experiment(experiment_id).name)[:300]
    except MlflowException:
        return ""


def _search(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The runs that were exported from an invocation, the newest first."""
    experiments = [e.experiment_id for e in client.search_experiments(max_results=MOST_EXPERIMENTS)]
    text = f"tags.invocation_id = '{request['invocation_id']}'"
    found = client.search_runs(experiments, text, max_results=MOST_RUNS) if experiments else []
    rows = [
        {
            "run_id": str(r.info.run_id),
            "task": str(r.data.tags.get("benchmark", ""))[:100],
            "ended": r.info.end_time or 0,
        }
        for r in found
    ]
    return {"ok": True, "runs": rows}


def _answer_to(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    verb = request["verb"]
    if verb == "find":
        return registry.find(client, request)
    if verb == "bring":
        return registry.bring(client, request, _may_read)
    return _fetch(client, request) if verb == "fetch" else _search(client, request)


def _do(request: dict[str, Any]) -> dict[str, Any]:
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        return {"ok": False, "problem": "package", "said": str(error.name or "mlflow")}
    client = MlflowClient(request["url"])
    try:
        return _answer_to(client, request)
    except registry.NoSuchVersion as error:
        return {"ok": False, "problem": "version", "said": str(error)[:MOST_TEXT]}
    except registry.ForeignStore as error:
        return {"ok": False, "problem": "store", "said": str(error)[:MOST_TEXT]}
    except copying.BrokenOff as error:
        return {"ok": False, "problem": "broken off", "said": str(error)[:MOST_TEXT]}
    except MlflowException as error:
        return {"ok": False, "problem": str(error.error_code), "said": str(error)[:MOST_TEXT]}
    except ImportError as error:
        return {"ok": False, "problem": "package", "said": str(error.name or error)[:200]}
    except OSError as error:
        # Also what `requests` raises: a connection that breaks off in the middle of a file.
        problem = "disk" if error.errno and error.filename else "INTERNAL_ERROR"
        return {"ok": False, "problem": problem, "said": str(error)[:MOST_TEXT]}


def main() -> None:
    """Serve one request and exit."""
    request = json.load(sys.stdin)
    os.umask(0o077)
    # A server that lists a small file and sends a large one fills no disk.
    files.limit_written(request["most"])
    _answer(request["answer"], _do(request))


if __name__ == "__main__":
    main()
