"""The tool edit_config: changes to a config, with its comments kept and a diff in the answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..evalconfig.edit import Edited, Request, edit
from .findings import FindingRow, finding_row, mending
from .next_call import call
from .spec import ToolResult

MAX_ROWS = 40
MAX_DIFF = 12_000
"""Characters of the diff in the answer; the file itself has everything."""


class MissingRow(BaseModel):
    """A value that is still to be given."""

    model_config = ConfigDict(extra="forbid")

    path: str
    meaning: str
    who: str = Field(description="user (ask), card, checkpoint, cluster or agent")


class EditedConfig(ToolResult):
    """What changed, what is still open, and what is wrong."""

    path: str
    diff: str
    missing: list[MissingRow]
    findings: list[FindingRow]
    silenced: list[str] = Field(default_factory=list)
    omitted: int = 0


def edit_config(
    config: Annotated[str, Field(description="Path of the launcher config.")],
    model: Annotated[
        str, Field(description="Checkpoint directory, .gguf file, Hugging Face handle, or host:/path on a cluster.")
    ] = "",
    set: Annotated[
        list[str],
        Field(description="path=value; a task by index: evaluation.tasks[0].…=; a flag: deployment.command.--seed=1."),
    ] = [],  # noqa: B006
    unset: Annotated[list[str], Field(description="Paths to remove.")] = [],  # noqa: B006
    add_tasks: Annotated[
        list[str], Field(description="Recipes (mmlu_pro) or ids of the catalogue (harness.task).")
    ] = [],  # noqa: B006
    remove_tasks: Annotated[list[str], Field(description="Task names, or name.index.")] = [],  # noqa: B006
    layout: Annotated[
        str, Field(description="Slurm: single, haproxy:N, ray:N or combined:NxI (N nodes, I instances).")
    ] = "",
    gpus: Annotated[int, Field(description="GPUs of one node; 0: as it is.")] = 0,
    gpu_memory_gb: Annotated[float, Field(description="Memory of one GPU in GB; 0: as it is.")] = 0,
    gpu_arch: Annotated[str, Field(description="Such as H100.")] = "",
) -> EditedConfig:
    """Change a launcher config: model, tasks, single values. Comments and order stay; all changes are written, or none.

    Use it for every change, never edit the file by hand; with `config` alone it lists what is missing and wrong. After a change
    the gates start again at dry_run. Not for a new config: that is build_config. With `deployment: none`, `model` declares the
    checkpoint behind the endpoint.
    Example: edit_config(config="eval.yaml", model="/models/X-NVFP4", add_tasks=["mmlu_pro"],
    set=["evaluation.nemo_evaluator_config.config.params.parallelism=16"])
    """
    done = edit(
        config,
        Request(
            model=model,
            set=tuple(set),
            unset=tuple(unset),
            add_tasks=tuple(add_tasks),
            remove_tasks=tuple(remove_tasks),
            layout=layout,
            gpus=gpus,
            gpu_memory_gb=gpu_memory_gb,
            gpu_arch=gpu_arch,
        ),
    )
    findings = done.report.findings
    cut = max(0, len(done.missing) - MAX_ROWS) + max(0, len(findings) - MAX_ROWS)
    return EditedConfig(
        path=str(done.path),
        diff=done.diff if len(done.diff) <= MAX_DIFF else done.diff[:MAX_DIFF] + "\n… (cut)",
        missing=[MissingRow(path=gap.path, meaning=gap.meaning, who=gap.who) for gap in done.missing[:MAX_ROWS]],
        findings=[finding_row(finding) for finding in findings[:MAX_ROWS]],
        silenced=done.report.silenced,
        omitted=cut,
        warnings=done.notes,
        next_step=_next_step(done),
    )


def _next_step(done: Edited) -> str:
    path = str(done.path)
    asked = [gap for gap in done.missing if gap.who == "user"]
    if done.missing:
        gap = (asked or done.missing)[0]
        how = f"Ask the user for {gap.path}" if asked else f"Find {gap.path}"
        return f"{how} ({gap.meaning}), then {call('edit_config', config=path, set=[f'{gap.path}=<value>'])}."
    errors = [finding for finding in done.report.findings if finding.severity == "error"]
    if errors:
        return mending(errors[0], path)
    return f"{call('check_config', config=path)}, then {call('dry_run', config=path)}: nothing is missing and no rule is broken."
