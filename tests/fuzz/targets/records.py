"""What programs noted down: NEL's record of jobs, the ledger, caches of the adapter, and the small records beside a run."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from ...gates import made_remote
from ...runs.building import NAME, REAL, TASK
from .. import bundle
from ..refusing import refusing
from ..watching import foreseen
from .target import Target, at_home

ID = "5f3c9a1e7b2d4860"
EXEC, RUN = "exec.v1.jsonl", "run"


def _call(data: bytes, room: Path) -> None:
    run = room / NAME
    (run / TASK / "logs").mkdir(parents=True)
    (run / TASK / "artifacts").mkdir()
    files = bundle.laid_out(data, room)
    for name, path in files.items():
        if name.startswith(f"{RUN}/"):
            place = room / NAME / name.removeprefix(f"{RUN}/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_dir():
                path.replace(place)
    os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"] = str(room / EXEC)
    os.environ["QUANTGATE_HOME"] = str(room / "home")
    # The host of a run on a cluster is asked of ssh, and then called.
    with refusing(room):
        _read(room, run)


def _read(room: Path, run: Path) -> None:
    from quantgate import origins
    from quantgate.gates import ledger
    from quantgate.launcher import execdb, runner_record, stamp
    from quantgate.runs import answer_store
    from quantgate.tools.status import status

    foreseen(lambda: (execdb.invocations(), execdb.jobs(ID), execdb.jobs("")))
    foreseen(lambda: execdb.config_of(ID))
    foreseen(lambda: list(execdb.records(ID)))
    foreseen(lambda: (ledger.attempts(), ledger.gate("f" * 64, "canary"), ledger.resumes(ID), ledger.contents_of("/x")))
    foreseen(lambda: stamp.read(run))
    found = runner_record.read_runner(run / "runner.json")
    foreseen(lambda: runner_record.alive(found) if found else None)
    artifacts = run / TASK / "artifacts"
    foreseen(lambda: (answer_store.read_answers(artifacts), answer_store.cached_responses(artifacts)))
    config = room / "eval.yaml"
    note, place = room / "notes" / "note.json", origins._note(config)
    if note.exists() or note.is_symlink():
        place.parent.mkdir(parents=True, exist_ok=True)
        note.replace(place)
    foreseen(lambda: origins.source_of(config))
    foreseen(lambda: status([str(run)]))
    foreseen(lambda: status([]))


def _seeds() -> dict[str, bytes]:
    from quantgate.gates import ledger

    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name, at_home(Path(name)):
        made_remote.attempt(invocation_id=ID, created=1.0, host="h")
        made_remote.record()
        lines = Path(os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"]).read_bytes()
        with closing(sqlite3.connect(ledger.path())) as opened:
            opened.execute("PRAGMA journal_mode=DELETE")
        found["exec"] = bundle.packed({EXEC: lines + lines.replace(b"0123456789abcdef", ID.encode())})
        found["ledger"] = bundle.packed({f"home/{ledger.path().name}": ledger.path().read_bytes()})
        other = Path(name) / "other.db"
        with closing(sqlite3.connect(other)) as opened:
            opened.execute("CREATE TABLE moz_places (id INTEGER, url TEXT)")
            opened.commit()
        found["other-app"] = bundle.packed({f"home/{ledger.path().name}": other.read_bytes()})
    runner = {"pid": 2**22 + 1, "create_time": 1.0, "boot_id": "x", "host": "", "start_ticks": 1, "tasks": [TASK]}
    told = {
        "format": 1,
        "kind": "canary",
        "invocation_id": ID,
        "fingerprint": "f" * 64,
        "config": "/x",
        "tasks": [],
        "sample_limit": 10,
    }
    found["beside"] = bundle.packed(
        {
            f"{RUN}/runner.json": json.dumps(runner).encode(),
            f"{RUN}/{TASK}/runner.json": json.dumps(runner).encode(),
            f"{RUN}/quantgate_run.json": json.dumps(told).encode(),
            f"{RUN}/{TASK}/artifacts/progress": b"7",
            f"{RUN}/{TASK}/logs/stage.exit": b"2026-11-21T09:55:00Z 0\n",
            f"{RUN}/{TASK}/logs/stage.running": b"2026-11-21T09:54:53Z\n",
            f"{RUN}/{TASK}/killed_jobs.txt": b"5f3c9a1e7b2d4860.0\n",
            "notes/note.json": b'{"config": "/x", "source": "/y"}',
        }
    )
    cache = (REAL / TASK / "artifacts" / "response_stats_cache" / "cache.db").read_bytes()
    found["cache"] = bundle.packed({f"{RUN}/{TASK}/artifacts/response_stats_cache/cache.db": cache})
    return found


def _prepare() -> None:
    for data in list(_seeds().values())[:2]:
        with tempfile.TemporaryDirectory() as folder:
            _call(data, Path(folder))


TARGET = Target("records", _call, _seeds, seconds=4, prepare=_prepare)
