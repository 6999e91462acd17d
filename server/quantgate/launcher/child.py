"""The child process that talks to NEL: `python -m quantgate.launcher.child`.

It reads one request as JSON from standard input, does it, and writes one answer as JSON to the file named in the request. NEL's
prints, log handlers and singletons stay in here; the parent keeps what was printed as the tail of the output.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .. import faults
from ..errors import QuantgateError
from ..system import processes
from . import composition, execdb, execdb_repair, orphans, stamp

GENERATOR = "generate_invocation_id"
EXECUTORS_WITH_IDS = ("local", "slurm", "lepton")
EXPORT_CLIENTS = ("mlflow", "wandb", "gspread")
CANARY = "canary"


def _answer(path: str, value: dict[str, Any]) -> None:
    temporary = Path(f"{path}.part")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def _use_invocation_id(invocation_id: str) -> None:
    """Make every executor take our id: NEL 0.2.6 makes one inside execute_eval and records it only after the submission."""
    import importlib

    from nemo_evaluator_launcher.common import execdb

    from . import process_executor

    def given() -> str:
        return invocation_id

    executors = [importlib.import_module(f"nemo_evaluator_launcher.executors.{n}.executor") for n in EXECUTORS_WITH_IDS]
    for module in (execdb, process_executor, *executors):
        if hasattr(module, GENERATOR):
            setattr(module, GENERATOR, given)


def _repair_local_dry_run() -> None:
    """NEL 0.2.6's local executor fails on an unbound `export_reexport_cmd` when a config declares no variable at all.

    Its telemetry level is a variable that it declares by itself, so having one set avoids the path.
    """
    os.environ.setdefault("NEMO_EVALUATOR_TELEMETRY_LEVEL", "0")


def _leave_export_clients_out() -> None:
    """NEL 0.2.6 imports what its exporters need with itself: seconds that no launch needs, and mlflow reports its start."""
    for name in EXPORT_CLIENTS:
        # An import of it now fails as if it were not installed.
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def _export_nothing_of_a_canary(config: Any, request: dict[str, Any]) -> None:
    """A handful of samples in a tracking server would be taken for a result: NEL 0.2.6 exports whatever succeeds."""
    from omegaconf import open_dict

    if (request["stamp"] or {}).get("kind") == CANARY:
        with open_dict(config):
            config.execution.pop("auto_export", None)


def _run_eval(request: dict[str, Any], *, dry_run: bool) -> dict[str, Any]:
    if dry_run:
        orphans.end_with(request["parent"])
    _leave_export_clients_out()
    # Importing the process executor registers it.
    from . import catalogue_reading, local_start, process_executor, secret_values, slurm_scripts  # noqa: F401

    _use_invocation_id(request["invocation_id"])
    _repair_local_dry_run()
    catalogue_reading.use()
    local_start.use()
    secret_values.use()
    if dry_run:
        slurm_scripts.keep_below(request["output_dir"])
    from nemo_evaluator_launcher.api.functional import run_eval

    config = composition.compose(request)
    laid = _allow(request, config, dry_run=dry_run)
    if not dry_run and config.execution.get("type") == "slurm":
        from . import slurm_start

        slurm_start.use(Path(request["answer"]).parent, laid)
        slurm_start.prepare(config, request["comment"], request["address"])
    invocation_id = run_eval(config, dry_run=dry_run, tasks=list(request["tasks"]) or None)
    return {"invocation_id": invocation_id}


def _allow(request: dict[str, Any], config: Any, *, dry_run: bool) -> stamp.Stamp | None:
    """What a person allowed this launch, without a canary's exports, and the stamp that is to lie in its directory."""
    from omegaconf import OmegaConf

    from . import commands

    trusted = commands.Trusted(**request["trusted"])
    looked_at = bool(trusted.commands) or not dry_run
    commands.trust_in_this_process(
        OmegaConf.to_container(config, resolve=True) if looked_at else {},  # type: ignore[arg-type]
        trusted,
        launching=not dry_run,
    )
    laid = stamp.from_json(request["stamp"]) if request["stamp"] else None
    if laid is not None:
        stamp.write_before_start(laid)
    # After the yes was compared: it was to the commands of the whole config.
    _export_nothing_of_a_canary(config, request)
    return laid


def _resume(request: dict[str, Any]) -> dict[str, Any]:
    from . import resuming

    resuming.use(Path(request["directory"]), request["again"])
    return _run_eval(request, dry_run=False)


def _do(request: dict[str, Any]) -> dict[str, Any]:
    verbs = {
        "dry_run": lambda: _run_eval(request, dry_run=True),
        "launch": lambda: _run_eval(request, dry_run=False),
        "resume": lambda: _resume(request),
    }
    execdb_repair.use(request["invocation_id"])
    return verbs[request["verb"]]()


def main() -> None:
    """Serve one request and exit; 0 when an answer was written, whatever it says."""
    request = json.load(sys.stdin)
    os.umask(0o077)
    # The parent may be killed: then nobody else ends a NEL that hangs.
    processes.end_after(int(request["seconds"]) + 5)
    try:
        faults.reached("child-started")
        answer = _do(request)
        faults.reached("before-answer")
        _answer(request["answer"], {"ok": True, **answer})
    except QuantgateError as error:
        _answer(request["answer"], _refusal(error))
    except Exception as error:  # noqa: BLE001 - whatever NEL raises becomes one answer; the parent redacts it
        broken = execdb.fault()
        said = {"ok": False, "error": str(error), "class": type(error).__name__}
        _answer(request["answer"], _refusal(broken) if broken else said)


def _refusal(error: QuantgateError) -> dict[str, Any]:
    return {
        "ok": False,
        "error": "",
        "class": type(error).__name__,
        "what": error.what,
        "where": error.where,
        "fix": error.fix,
    }


if __name__ == "__main__":
    main()
