"""The tool compile_config: Nemotron's YAML and env.toml become a launcher config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ..evalconfig import lint
from ..nemotron import commands, compiling, provenance, squashing
from ..nemotron.compiling import Compiled
from ..nemotron.squash import SquashPlan
from ..redact import redact
from .next_call import call
from .spec import ToolResult

MAX_CHANGES = 80
CANARY_SAMPLES = 10
"""What canary takes of itself; a config that is limited to fewer has no more."""
MAX_TEXT = 400
SQUASH_SECONDS = 40.0
"""Several clients end a call after 60; an import goes on."""


class ChangeRow(BaseModel):
    """One change of the config."""

    model_config = ConfigDict(extra="forbid")

    what: str
    why: str


class CommandLines(BaseModel):
    """How to look at the run once it has an id."""

    model_config = ConfigDict(extra="forbid")

    status: str
    logs: str


class CompiledConfig(ToolResult):
    """The compiled config and how it came about."""

    launcher_config: str
    job_config: str
    task_filters: list[str] = Field(description="`tasks` of canary and run.")
    max_samples: int = Field(description="Of run.")
    changes: list[ChangeRow]
    omitted: int = 0
    commands: CommandLines


def compile_config(
    config: Annotated[str, Field(description="Nemotron config: one of the recipe's names, or a path.")] = "",
    recipe: Annotated[str, Field(description="model_eval or nano3.")] = "",
    profile: Annotated[str, Field(description="A profile of env.toml; empty: none.")] = "",
    overrides: Annotated[list[str], Field(description="a.b=c; the last one wins.")] = [],  # noqa: B006
    tasks: Annotated[list[str], Field(description="Only these tasks; empty: task_filters, else all.")] = [],  # noqa: B006
    force_squash: Annotated[
        bool,
        Field(description="Make the images' squash files on the profile's cluster now, also those that are there."),
    ] = False,
    output: Annotated[str, Field(description="File of the launcher config; empty: below .nemotron/jobs.")] = "",
) -> CompiledConfig:
    """Compile a Nemotron evaluation config (YAML, env.toml profile, overrides) for the installed launcher, and save both. Launches
    nothing; `changes` says what was changed and why.

    Use it when the user brings Nemotron's YAML or names its recipe. Not for a config that NEL runs already: that is check_config.
    Not for a new config: that is build_config.
    Example: compile_config(recipe="model_eval", config="tiny_chat", overrides=["output_dir=./output/eval-tiny-chat"])
    """
    compiled = compiling.compile_request(
        compiling.Request(
            config=config,
            recipe=recipe,
            profile=profile,
            overrides=tuple(overrides),
            tasks=tuple(tasks),
            force_squash=force_squash,
            launching=force_squash,
        )
    )
    saved = provenance.save(compiled, output)
    execution = compiled.launcher_config.get("execution")
    lines = commands.commands(str(execution.get("type") or "local") if isinstance(execution, dict) else "local")
    errors, warnings = _findings(str(saved.launcher_config))
    if force_squash:
        warnings += _squashed(str(saved.launcher_config), compiled.squashed)
    return CompiledConfig(
        launcher_config=str(saved.launcher_config),
        job_config=str(saved.job_config),
        task_filters=list(compiled.task_filters),
        max_samples=compiled.sample_limit,
        changes=[ChangeRow(what=_short(c.what), why=_short(c.why)) for c in compiled.changes[:MAX_CHANGES]],
        omitted=max(0, len(compiled.changes) - MAX_CHANGES),
        commands=CommandLines(status=lines.status, logs=lines.logs),
        warnings=warnings,
        next_step=_next_step(str(saved.launcher_config), errors, compiled),
    )


def _squashed(path: str, plan: SquashPlan) -> list[str]:
    """Import the images of a plan; what the caller must know of it."""
    if not plan.images:
        return [_short(f"no image was imported: {plan.reason}")]
    if squashing.hindrances(path, plan):
        return ["no image was imported: mend the config's errors first, and compile it again"]
    done = squashing.carry_out(plan, seconds=SQUASH_SECONDS, leave=True)
    return [
        _short(
            f"the import of {job.image} goes on as job {job.job_id} on {plan.host}: {job.target} must be there before a launch; "
            "do not compile with force_squash again, which would begin it anew"
        )
        for job in done.going
    ]


def _short(text: str) -> str:
    return redact(" ".join(text.split()))[:MAX_TEXT]


def _findings(path: str) -> tuple[int, list[str]]:
    """How many errors check_config would find, and the first of them as a warning."""
    errors = [f for f in lint.check(Path(path)).findings if f.severity == "error"]
    first = [f"check_config finds {f.rule} at {f.path or f'line {f.line}'}: {f.message}" for f in errors[:3]]
    return len(errors), [_short(text) for text in first]


def _next_step(path: str, errors: int, compiled: Compiled) -> str:
    if errors:
        return (
            f"{call('check_config', config=path)}: {errors} error{'s' if errors > 1 else ''} to mend before the gates."
        )
    first = call("dry_run", config=path)
    if compiled.dry_run:
        return (
            f"{first}; then report: the config itself asks for no more than that. To launch, compile it again with "
            "overrides=['dry_run=false']."
        )
    tasks = {"tasks": list(compiled.task_filters)} if compiled.task_filters else {}
    limit = compiled.sample_limit
    few = {"samples": limit} if 0 < limit < CANARY_SAMPLES else {}
    canary = call("canary", config=path, **tasks, **few)
    full = call("run", config=path, **tasks, **({"max_samples": limit} if limit else {}))
    return f"{first}: the first gate; then {canary} and {full}."
