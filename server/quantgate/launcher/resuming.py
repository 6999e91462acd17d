"""What the executors do with a config when a run is resumed: they take some of its tasks up again instead of launching it.

Imported only in the child process that talks to NEL, and only for a resume: afterwards no executor of this process launches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nemo_evaluator_launcher.executors.local.executor import LocalExecutor
from omegaconf import DictConfig

from . import container_resume, process_resume
from .process_executor import ProcessExecutor

EXECUTE = "execute_eval"
"""What NEL's run_eval calls of an executor."""


def use(directory: Path, tasks: Sequence[str]) -> None:
    """Make NEL's `run_eval` resume.

    Args:
        directory: The invocation's directory.
        tasks: Names of the task directories to run again.
    """
    prepare = LocalExecutor.execute_eval

    def containers(cfg: DictConfig) -> None:
        container_resume.take_up(cfg, directory, tasks, prepare)

    def processes(cfg: DictConfig) -> None:
        process_resume.take_up(cfg, directory, tasks)

    for executor, take_up in ((ProcessExecutor, processes), (LocalExecutor, containers)):
        setattr(executor, EXECUTE, staticmethod(_instead(take_up, directory)))


def _instead(take_up: Callable[[DictConfig], None], directory: Path) -> Callable[..., str]:
    def execute_eval(cfg: DictConfig, dry_run: bool = False) -> str:  # noqa: ARG001 - the shape of NEL's method
        take_up(cfg)
        return directory.name.rpartition("-")[2]

    return execute_eval
