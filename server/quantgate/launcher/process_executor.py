"""The executor `process`: NEL's own evaluation command, run in the harness's environment instead of its container.

Imported only in the child process that talks to NEL (`child.py`): importing it registers the executor. Plain `nel` does not know
it. Directory layout, logs, stage files and states are those of NEL 0.2.6's local executor.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemo_evaluator_launcher.common import helpers
from nemo_evaluator_launcher.common.env_vars import EnvVarRuntime, collect_eval_env_vars, resolve_env_var
from nemo_evaluator_launcher.common.execdb import ExecutionDB, JobData, generate_invocation_id, generate_job_id
from nemo_evaluator_launcher.common.mapping import get_task_definition_for_job, load_tasks_mapping
from nemo_evaluator_launcher.executors.base import BaseExecutor, ExecutionStatus
from nemo_evaluator_launcher.executors.registry import register_executor
from omegaconf import DictConfig, OmegaConf

from .. import credentials, faults
from ..errors import BadInput
from ..system import processes
from . import export_planning, launch_lock, off_container, process_plan, process_runner, script_runner
from .harnesses import require_wheel
from .runner_record import RUNNER_FILE
from .shell import is_shell_safe


@dataclass(frozen=True)
class Prepared:
    """One task, ready to be written out."""

    planned: process_plan.PlannedTask
    command: str
    comment: str
    variables: dict[str, str]
    unsafe: bool
    unlisted: bool

    def script(self) -> str:
        """The text of its command.sh."""
        head = f"# {self.planned.name}: what NEL would run in the container of {self.planned.harness}"
        return f"#!/usr/bin/env bash\n{head}\n\n{self.comment}\n\n{self.command}\n"


@register_executor("process")
class ProcessExecutor(BaseExecutor):  # type: ignore[misc]
    """Evaluates an endpoint with harnesses installed from wheels."""

    @classmethod
    def execute_eval(cls, cfg: DictConfig, dry_run: bool = False) -> str:
        """Write the invocation's directory and, unless it is a dry run, start its runner.

        Returns:
            The invocation id.

        Raises:
            BadInput: The config asks for something that only containers or clusters give.
            HarnessError: A task's harness has no wheel.
        """
        refuse_what_is_not_ours(cfg)
        invocation_id = str(generate_invocation_id())
        stamp = helpers.get_timestamp_string(include_microseconds=False)
        directory = _shell_safe(Path(str(cfg.execution.output_dir)).absolute()) / f"{stamp}-{invocation_id}"
        mapping = load_tasks_mapping()
        tasks = [prepare(cfg, task, index, directory, mapping) for index, task in enumerate(cfg.evaluation.tasks)]
        helpers.check_unlisted_tasks_safeguard([t.planned.name for t in tasks if t.unlisted], dry_run=dry_run)
        refuse_untrusted(tasks, dry_run)
        exports, variables = export_planning.planned(cfg)
        for task in tasks:
            _write(task)
        if exports.destinations:
            export_planning.write(cfg, directory)
        process_plan.write_plan(directory, invocation_id, [t.planned for t in tasks], exports)
        if dry_run:
            for task in tasks:
                # The command itself is base64; the comment is the same, readable.
                sys.stdout.write(
                    f"{task.comment}\n\n# {task.planned.name}: nemo-evaluator run_eval --run_config config_ef.yaml\n"
                )
            return invocation_id
        faults.reached("directory-written")
        _record_jobs(cfg, invocation_id, tasks)
        faults.reached("jobs-recorded")
        start(directory, tasks, variables)
        return invocation_id

    @staticmethod
    def get_status(id: str) -> list[ExecutionStatus]:
        """NEL's name for it; plain nel does not know this executor, and `runs/` looks at the files."""
        raise NotImplementedError("quantgate looks at process runs itself")

    @staticmethod
    def kill_job(job_id: str) -> None:
        """NEL's name for it; `process_control` ends a run."""
        raise NotImplementedError("quantgate ends process runs itself")


def refuse_what_is_not_ours(cfg: DictConfig) -> None:
    """Refuse a config that asks for something that only containers or clusters give.

    Raises:
        BadInput: With the place in the config.
    """
    if cfg.deployment.type != "none":
        raise BadInput(
            f"The process executor evaluates an endpoint that is already up, not deployment {cfg.deployment.type!r}",
            where="deployment",
            fix="use deployment none with target.api_endpoint, or execution.type local (containers)",
        )
    for name, auxiliary in (cfg.get("auxiliary_deployments") or {}).items():
        if not isinstance(auxiliary, DictConfig) or auxiliary.get("type", "none") != "none":
            raise BadInput(
                "The process executor deploys nothing",
                where=f"auxiliary_deployments.{name}",
                fix="serve that model yourself and give its url, or use execution.type local (containers)",
            )


def _shell_safe(path: Path) -> Path:
    """NEL and the harnesses put this path unquoted into shell commands (NEL 0.2.6, ifbench 26.3)."""
    if not is_shell_safe(str(path)):
        raise BadInput(
            "The output directory's path has characters that a shell would take apart",
            where=f"execution.output_dir ({str(path)!r})",
            fix="use a path of letters, digits and _ - . / only",
        )
    return path


def prepare(cfg: DictConfig, task: DictConfig, index: int, directory: Path, mapping: dict[Any, Any]) -> Prepared:
    """One task's command and variables; nothing is written.

    Raises:
        BadInput: Its commands or variables are not for this machine.
        HarnessError: Its harness has no wheel.
    """
    definition = get_task_definition_for_job(
        task_query=task.name,
        base_mapping=mapping,
        container=task.get("container"),
        endpoint_type=task.get("endpoint_type"),
    )
    require_wheel(definition["harness"], definition["container"])
    task_directory = directory / str(helpers.get_unique_task_name(task.name, index))
    artifacts = task_directory / "artifacts"
    off_container.refuse_commands(cfg, task)
    # NEL 0.2.6 writes the container's /results into the command; nothing may reach that directory on the host.
    helpers.CONTAINER_RESULTS_DIR = str(artifacts)
    try:
        struct = helpers.get_eval_factory_command(
            off_container.moved(cfg, artifacts), off_container.moved(task, artifacts), definition
        )
    finally:
        helpers.CONTAINER_RESULTS_DIR = off_container.CONTAINER_RESULTS
    declared = collect_eval_env_vars(cfg, task, helpers.get_api_key_name(cfg))
    for name in declared:
        if credentials.steers_programs(name) and os.environ.get("NEMO_EVALUATOR_TRUST_PRE_CMD") != "1":
            raise BadInput(
                f"A process run does not take the variable {name} from a config: it steers which programs run",
                where=f"{task.name}: env_vars",
                fix="leave it out, or a person starts the server with NEMO_EVALUATOR_TRUST_PRE_CMD=1",
            )
    variables = {name: _value(name, declaration) for name, declaration in declared.items()}
    if "dataset_dir" in task:
        variables["NEMO_EVALUATOR_DATASET_DIR"] = str(task["dataset_dir"])
    return Prepared(
        planned=process_plan.PlannedTask(
            task.name, index, definition["harness"], str(task_directory), sorted(variables)
        ),
        command=struct.cmd,
        comment=struct.debug,
        variables=variables,
        unsafe=bool(struct.is_potentially_unsafe),
        unlisted=bool(definition.get("is_unlisted")),
    )


def _value(name: str, declaration: Any) -> str:
    if isinstance(declaration, EnvVarRuntime):
        return os.environ.get(declaration.runtime_var_name, "")
    return str(resolve_env_var(name, declaration)[1])


def refuse_untrusted(tasks: list[Prepared], dry_run: bool) -> None:
    """Refuse commands of the config's own that nobody trusted; a dry run runs nothing.

    Raises:
        BadInput: A task has such a command.
    """
    if not dry_run and any(t.unsafe for t in tasks) and os.environ.get("NEMO_EVALUATOR_TRUST_PRE_CMD") != "1":
        raise BadInput(
            "The config runs commands of its own (pre_cmd or post_cmd)",
            where="evaluation",
            fix="a person reviews them and starts the server with NEMO_EVALUATOR_TRUST_PRE_CMD=1",
        )


def _write(task: Prepared) -> None:
    directory = Path(task.planned.directory)
    for folder in (directory / "logs", directory / "artifacts"):
        folder.mkdir(parents=True, exist_ok=True)
    (directory / "command.sh").write_text(task.script(), encoding="utf-8")
    runner = f'exec {shlex.quote(sys.executable)} -P -m quantgate.launcher.process_runner "$(cd "$(dirname "$0")/.." && pwd)"\n'
    (directory / "run.sh").write_text(
        "#!/usr/bin/env bash\n# Runs every task of this invocation again.\n" + runner, encoding="utf-8"
    )


def _record_jobs(cfg: DictConfig, invocation_id: str, tasks: list[Prepared]) -> None:
    database = ExecutionDB()
    for task in tasks:
        database.write_job(
            JobData(
                invocation_id=invocation_id,
                job_id=str(generate_job_id(invocation_id, task.planned.index)),
                timestamp=time.time(),
                executor="process",
                data={"output_dir": task.planned.directory, "harness": task.planned.harness},
                config=OmegaConf.to_object(cfg),
            )
        )


def start(directory: Path, tasks: list[Prepared], exports: Mapping[str, str], *, again: bool = False) -> None:
    """Start the runner of an invocation, which outlives this process.

    Args:
        directory: The invocation's directory.
        tasks: The tasks whose variables it gets.
        exports: The variables of its exports.
        again: It runs these tasks only: a resume.

    Raises:
        RuntimeError: It ended at once.
    """
    names = [Path(t.planned.directory).name for t in tasks] if again else []
    # What a person trusted this launch with is not for what it starts.
    environment = {n: v for n, v in os.environ.items() if n not in credentials.TRUST_SWITCHES}
    for task in tasks:
        prefix = process_runner.TASK_VARIABLE.format(index=task.planned.index)
        environment.update({prefix + name: value for name, value in task.variables.items()})
    environment.update({process_runner.EXPORT_VARIABLE + name: value for name, value in exports.items()})
    with (directory / "runner.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "quantgate.launcher.process_runner", str(directory), *names],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **processes.inheriting(launch_lock.inherited()),
            **processes.own_group(),
        )
    faults.reached("runner-started")
    script_runner.await_record(directory / RUNNER_FILE, process)
    if process.poll() not in (None, 0):
        raise RuntimeError(
            f"the runner ended at once with exit code {process.returncode}; see {directory / 'runner.log'}"
        )
