"""The process that exports one task to one destination with NEL's exporter: `python -m quantgate.launcher.export_child`.

It reads one request as JSON from standard input, and leaves its answer in the file that the request names. What NEL's exporters
(0.2.6) do wrong is gone around here, and only here:

- MLflow: with the light client, which brings no pandas, an export that was made before is not found, and a second run appears.
- `log_metrics` is read from the config and not applied.
- Without artifacts/config.yml, MLflow gets the config under another name (config.yaml) than from Slurm, whose executor writes it
  first; so does this, without the secrets that stand in it.
- `nel export` ends with exit code 0 when the export failed. Here the answer says how it went.
- A failed upload of an artifact to W&B is logged and counted as a success, and without any metric W&B's exporter skips the job.
- The files are uploaded with the secrets that stand in them (`export_files`).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from .. import redact
from . import execdb_repair, export_files, stamp

MOST_TAG = 5_000
"""NEL 0.2.6 cuts a tag at so many characters."""


def _answer(path: str, value: dict[str, Any]) -> None:
    temporary = Path(f"{path}.part")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    temporary.replace(path)


def _without_secrets(exporter: Any) -> None:
    """Let the exporter see config and files as they may be shown: they become parameters and files on the destination."""
    found, prepare = exporter._get_jobs_data, exporter.prepare_data_for_export

    def shown(ids: list[str]) -> Any:
        jobs, failed = found(ids)
        for job in jobs:
            redact.register_literals(job.config)
            job.config = redact.redact_config(job.config)
        return jobs, failed

    def staged(job: Any) -> Any:
        data = prepare(job)
        if data is not None:
            data.launcher_command = data.launcher_command and redact.redact(str(data.launcher_command))
            place = Path(tempfile.mkdtemp(dir="."))
            data.artifacts_dir = export_files.stage(data.artifacts_dir, place / "artifacts")
            data.logs_dir = data.logs_dir and export_files.stage(data.logs_dir, place / "logs")
        return data

    exporter._get_jobs_data, exporter.prepare_data_for_export = shown, staged


def _with_config_file(exporter: Any, job_id: str) -> None:
    """Write artifacts/config.yml, as NEL's Slurm executor does before its exports."""
    import yaml

    jobs, _ = exporter._get_jobs_data([job_id])
    for job in jobs:
        target = Path(job.data["output_dir"]) / "artifacts" / "config.yml"
        if target.parent.is_dir() and not target.exists():
            target.write_text(yaml.safe_dump(job.config, sort_keys=False), encoding="utf-8")


def _with_stamp(settings: dict[str, Any], destination: str, job_id: str) -> dict[str, Any]:
    """The settings with what quantgate launched, so that a subset in a tracking server does not look like the whole."""
    from nemo_evaluator_launcher.common.execdb import ExecutionDB

    job = ExecutionDB().get_job(job_id)
    laid = stamp.read(Path(str(job.data.get("output_dir") or "")).parent) if job is not None else None
    if laid is None:
        return settings
    if destination == "mlflow":
        return {**settings, "tags": {**(settings.get("tags") or {}), stamp.TAG: laid.as_text(MOST_TAG)}}
    if destination == "wandb":
        return {**settings, "extra_metadata": {**(settings.get("extra_metadata") or {}), stamp.TAG: laid.as_json()}}
    return settings


def _apply_log_metrics(chosen: list[str]) -> None:
    from nemo_evaluator_launcher.exporters import base

    if chosen:
        every = base.extract_accuracy_metrics
        base.extract_accuracy_metrics = lambda artifacts: every(artifacts, [name.lower() for name in chosen])


def _find_without_pandas(exporter: Any) -> None:
    exporter._get_existing_run_id = _existing_run


def _existing_run(job_id: str, experiment_name: str) -> str | None:
    """MLflow's id of the newest run that this job was exported to; None for none."""
    # NEL's own import of it: only tracking/ imports mlflow.
    from nemo_evaluator_launcher.exporters import mlflow as exporter

    client = exporter.mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return None
    found = client.search_runs([experiment.experiment_id], f"tags.job_id = '{job_id}'", max_results=1)
    return str(found[0].info.run_id) if found else None


def _count_lost_files(exporter: Any, lost: list[str]) -> None:
    log_artifacts = exporter._log_artifacts

    def counted(data: Any, artifact: Any) -> Any:
        logged = log_artifacts(data, artifact)
        if not logged:
            lost.append(data.job_id)
        return logged

    exporter._log_artifacts = counted


def _export(request: dict[str, Any]) -> dict[str, Any]:
    # A broken line anywhere in NEL's record would end the export.
    execdb_repair.use(request["job_id"].partition(".")[0])
    from nemo_evaluator_launcher.exporters import create_exporter

    destination, job_id = request["destination"], request["job_id"]
    exporter = create_exporter(destination, _with_stamp(request["settings"], destination, job_id))
    lost: list[str] = []
    _without_secrets(exporter)
    _with_config_file(exporter, job_id)
    _apply_log_metrics(exporter.config.log_metrics)
    if destination == "mlflow":
        _find_without_pandas(exporter)
    if destination == "wandb":
        _count_lost_files(exporter, lost)
    result = exporter.export([job_id])
    if result.failed_jobs or not (result.successful_jobs or result.skipped_jobs):
        return {"ok": False, "detail": ""}
    if lost:
        return {"ok": False, "detail": "the metrics arrived, and the files did not"}
    run = _existing_run(job_id, exporter.config.experiment_name) if destination == "mlflow" else None
    return {**_skipped(result, destination, exporter.config), "run": f"mlflow:{run}" if run else ""}


def _skipped(result: Any, destination: str, config: Any) -> dict[str, Any]:
    """What a job that the exporter left out means; NEL 0.2.6 gives no reason."""
    if not result.skipped_jobs:
        return {"ok": True, "detail": ""}
    if destination == "mlflow" and config.skip_existing:
        return {"ok": True, "detail": "it was there already, and skip_existing is on"}
    if destination == "local":
        return {"ok": True, "detail": "it was there already"}
    named = f"no metric matches log_metrics {config.log_metrics}" if config.log_metrics else "results.yml has no metric"
    return {"ok": False, "detail": f"nothing was sent: {named}"}


def main() -> None:
    """Serve one request and exit; 0 when an answer was written, whatever it says."""
    request = json.load(sys.stdin)
    os.umask(0o077)
    redact.register(dict(os.environ))
    # Those of the tasks, which this process's environment does not hold: they may stand in what a harness wrote.
    redact.register({value: value for value in request["secrets"]}, whatever_the_name=True)
    try:
        answer = _export(request)
    except Exception as error:  # noqa: BLE001 - whatever an exporter raises is the answer: the export failed
        answer = {"ok": False, "detail": redact.redact(f"{type(error).__name__}: {error}")[:2000]}
    said = "exported" if answer["ok"] else "not exported"
    sys.stdout.write(f"{request['job_id']} to {request['destination']}: {said}. {answer.get('detail', '')}\n")
    _answer(request["answer"], answer)


if __name__ == "__main__":
    main()
