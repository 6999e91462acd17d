"""The end of a trial: what the world looks like, and everything that was started for it ended, by process id."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from .transcript import lines_of
from .world import MARK, PRIVATE, Built

COMMAND_SECONDS = 60
GRACE_SECONDS = 8
"""How long a process may take to end by itself."""
GOING_ON = {"pending", "running", "resuming"}


def _asked(world: Built, words: list[str]) -> Any:
    """What the real command line prints as JSON; None when it does not."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "quantgate", *words],
            env=world.env,
            cwd=world.work,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None


def state(directory: Path) -> dict[str, Any]:
    """The transcript's last line: the configs that calls were about as they are now, and the ledger's runs."""
    world = Built.load(directory)
    named = {e["config"] for e in lines_of(directory / "transcript.jsonl") if e.get("config")}
    configs = {
        path: Path(path).read_text(encoding="utf-8", errors="replace") for path in sorted(named) if Path(path).is_file()
    }
    runs = _asked(world, ["runs", "--json"]) or []
    kept = ("invocation_id", "kind", "executor", "state", "canary_passed", "config", "tasks")
    return {"kind": "end", "configs": configs, "runs": [{k: r.get(k) for k in kept} for r in runs]}


def kept_state(directory: Path) -> dict[str, Any]:
    """The end of a trial: as it was when its world was stopped, or as it is now."""
    path = directory / PRIVATE / "end.json"
    if path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return kept
    return state(directory)


def entries(directory: Path) -> list[dict[str, Any]]:
    """The transcript of a trial with its end."""
    return [*lines_of(directory / "transcript.jsonl"), kept_state(directory)]


def stop(directory: Path) -> list[int]:
    """Keep the end's state, then end the world; a second call does no harm.

    Returns:
        The processes that were ended.
    """
    world = Built.load(directory)
    ending = kept_state(directory)
    (directory / PRIVATE / "end.json").write_text(json.dumps(ending, ensure_ascii=False), encoding="utf-8")
    for run in ending["runs"]:
        if run["state"] in GOING_ON:
            _asked(world, ["call", "cancel", json.dumps({"invocation_id": run["invocation_id"]})])
    for words in world.end:
        with contextlib.suppress(subprocess.TimeoutExpired, OSError):
            subprocess.run(words, env=world.env, cwd=directory, timeout=COMMAND_SECONDS, check=False)
    return _end(_started(world) + _marked(directory))


def _started(world: Built) -> list[psutil.Process]:
    """The processes that were started for the world and are still the same, with their descendants."""
    found = []
    for pid, started in world.processes:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if abs(process.create_time() - started) < 1:
                found += [process, *process.children(recursive=True)]
    return found


def _marked(directory: Path) -> list[psutil.Process]:
    """The processes whose environment says that they belong to this trial; this one and its parents do not count."""
    own = {p.pid for p in (psutil.Process(), *psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid not in own and process.environ().get(MARK) == str(directory):
                found.append(process)
    return found


def _end(found: list[psutil.Process]) -> list[int]:
    unique = list({p.pid: p for p in found}.values())
    for process in unique:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(unique, timeout=GRACE_SECONDS)
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=GRACE_SECONDS)
    return [p.pid for p in unique]
