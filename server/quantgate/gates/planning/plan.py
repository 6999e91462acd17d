"""A config as the gates see it: composed, fingerprinted, with the environment that its launch would get."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import redact
from ...benchmarks import catalogue, limits, metrics, needs, recipes
from ...benchmarks.repeats import repeats_of
from ...checkpoint import identity
from ...errors import ConfigError, QuantgateError, Refused, UnknownName
from ...evalconfig import compose, fingerprint, paths, serving_sizes, variables
from ...evalconfig.document import ConfigDocument, located
from ...launcher import harness_env, harnesses, package
from . import allocation, dry_runs

PROCESS, CONTAINERS = LOCAL = ("process", "local")
"""Executors whose runs are processes and files of this machine."""
SLURM = "slurm"
LAUNCHED_HERE = (*LOCAL, SLURM)
"""Executors whose runs this version launches and watches."""


PLAIN, UNLISTED = "plain", "unlisted"
JUDGE = "judge"


@dataclass(frozen=True)
class PlannedTask:
    """One task of a config with what is known about its size.

    Attributes:
        directory: The name of its task directory ("ifbench.ifbench.0").
        name: As in the config.
        harness: NEL's name; empty for a task that is not in the catalogue.
        container: The image that NEL would run.
        samples: Questions in the full set; None when not known before the run.
        repeats: Answers per question.
        classes: What can go wrong in a way of its own: "judge", "user simulator", "code sandbox", "image input"; "plain"
            without any of them, "unlisted" when nothing is known of the task.
        watch: What to watch in the first minutes of the full run, for a task that cannot be limited; empty for others.
        parts: To how many parts of the set the harness applies a limit, each on its own.
    """

    directory: str
    name: str
    harness: str
    container: str
    samples: int | None
    repeats: int
    classes: tuple[str, ...] = (PLAIN,)
    watch: str = ""
    parts: int = 1

    def requests(self, limit: int) -> int | None:
        """Requests that this task will make at most, for a limit of samples (0: none)."""
        if self.samples is None:
            return limit * self.parts * self.repeats if limit else None
        return min(self.samples, limit * self.parts or self.samples) * self.repeats


@dataclass(frozen=True)
class Plan:
    """What a gate judges.

    Attributes:
        path: The config's file.
        composed: The config as NEL would compose it.
        fingerprint: Of what would run.
        checkpoint: The checkpoint that is deployed on this machine, else the declared one; empty when there is neither.
        digest: SHA-256 of the file; what is launched is compared by `composed.digest`, which the included files count in.
        content: What the fingerprint is made of (`evalconfig.fingerprint.Mark`).
    """

    path: Path
    composed: compose.Composed
    fingerprint: str
    checkpoint: str
    digest: str
    tasks: tuple[PlannedTask, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    content: Mapping[str, str] = field(default_factory=dict)

    @property
    def unseen_checkpoint(self) -> str:
        """The path of a deployed checkpoint that the fingerprint does not cover, because it is on a cluster; else empty."""
        path = str(paths.dig(self.config, "deployment", "checkpoint_path") or "")
        covered = self.composed.executor in LOCAL or self.composed.deployment == "none"
        return "" if covered or self.checkpoint.endswith(f":{path}") else path

    def gpus(self) -> int | None:
        """GPUs that the run itself holds: 0 for an endpoint of somebody else, None when the config does not tell.

        On a cluster, what each of its jobs asks for, whether it uses them or not.
        """
        if self.composed.executor == SLURM:
            return allocation.gpus(self.config)
        if self.composed.deployment == "none":
            return 0
        from ...evalconfig import served_program  # with the lint's table of programs: not at the server's start

        document = ConfigDocument.load(self.path)
        if not serving_sizes.framework(document) or served_program.starts_unknown_program(document):
            return None
        return serving_sizes.read(document).gpus * self._instances()

    def slots(self) -> int | None:
        """Requests that the run's own servers take at once (`--max-num-seqs` of each replica); None when not known."""
        if self.composed.deployment == "none":
            return None
        from ...evalconfig import served_program

        document = ConfigDocument.load(self.path)
        if not serving_sizes.framework(document) or served_program.starts_unknown_program(document):
            return None
        given = serving_sizes.get_flag(document, "--max-num-seqs") or ""
        if not given.isdecimal() or len(given) > 6:
            return None
        return int(given) * serving_sizes.read(document).data * self._instances()

    def _instances(self) -> int:
        instances = paths.dig(self.config, "execution", "num_instances")
        return instances if isinstance(instances, int) and instances > 0 else 1

    def environment(self) -> dict[str, str]:
        """The environment of the child that launches it; the config's values, its own and others, are redacted from now on."""
        # The one that it was composed in: a .env file may be another by now.
        environment = dict(self.composed.environment)
        dry_runs.register(self.config)
        redact.register_url(str(paths.dig(self.config, "target", "api_endpoint", "url") or ""))
        taken = variables.taken(self.config)
        redact.register({n: environment[n] for n in taken if n in environment}, whatever_the_name=True)
        return environment

    def chosen(self, tasks: list[str]) -> tuple[PlannedTask, ...]:
        """The tasks that a list of names or directories keeps; all for an empty list.

        Raises:
            Refused: A name that the config does not have.
        """
        if not tasks:
            return self.tasks
        known = {t.directory for t in self.tasks} | {t.name for t in self.tasks}
        for name in tasks:
            if name not in known:
                raise Refused(
                    f"The config has no task {name!r}",
                    where=str(self.path),
                    fix="one of: " + ", ".join(t.name for t in self.tasks),
                )
        return tuple(t for t in self.tasks if t.name in tasks or t.directory in tasks)

    def launched(self, tasks: list[str]) -> dict[str, PlannedTask]:
        """The tasks that `chosen` keeps, by their directories in that launch: NEL numbers the tasks of a filtered launch anew.

        Raises:
            Refused: A name that the config does not have.
        """
        return {f"{task.name}.{index}": task for index, task in enumerate(self.chosen(tasks))}

    def named(self, chosen: Sequence[PlannedTask]) -> list[str]:
        """The one spelling of a choice of tasks: in the config's order, by directory where the name means others too.

        Empty for all tasks. The inverse of `chosen`.
        """
        if set(chosen) == set(self.tasks):
            return []
        left_out = {t.name for t in self.tasks if t not in chosen}
        names = (t.directory if t.name in left_out else t.name for t in self.tasks if t in chosen)
        return list(dict.fromkeys(names))


def read(config: str) -> Plan:
    """Compose and fingerprint a config.

    Raises:
        ConfigError: It cannot be read or composed.
        CheckpointError: It names a checkpoint on this machine that cannot be read.
    """
    path = located(config)
    digest = file_digest(path)
    composed = compose.compose(path)
    _require_output_dir(composed, path)
    checkpoint = _checkpoint(composed)
    tasks = tuple(_planned(task) for task in composed.tasks)
    mark = fingerprint.mark(
        composed.config,
        launcher_version=package.launcher_version(),
        checkpoint=identity.identify(Path(checkpoint)) if checkpoint else {},
        harnesses=_harness_environments(tasks) if composed.executor == PROCESS else (),
    )
    return Plan(
        path=path.resolve(),
        composed=composed,
        fingerprint=mark.fingerprint,
        checkpoint=checkpoint,
        digest=digest,
        tasks=tasks,
        config=composed.config,
        content=mark.content,
    )


def as_launched(config: str, fingerprint: str) -> Plan | None:
    """A config that still has this fingerprint; None when it is not there any more, or is another by now."""
    with contextlib.suppress(QuantgateError):
        planned = read(config)
        return planned if planned.fingerprint == fingerprint else None
    return None


def file_digest(path: Path) -> str:
    """SHA-256 of a config's file: what was judged must be what is launched.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"Cannot read the config: {error.strerror}", where=str(path), fix="give an existing file"
        ) from None


def _require_output_dir(composed: compose.Composed, path: Path) -> None:
    given = paths.dig(composed.config, "execution", "output_dir")
    if not isinstance(given, str) or not given.strip() or given == "???":
        raise ConfigError(
            "The config has no output directory",
            where=f"{path}: execution.output_dir",
            fix="edit_config(set=['execution.output_dir=/absolute/path'])",
        )


def _harness_environments(tasks: tuple[PlannedTask, ...]) -> tuple[str, ...]:
    wheels = [harnesses.wheel_for(task.harness) for task in tasks]
    return tuple({harness_env.key(wheel) for wheel in wheels if wheel is not None})


def _checkpoint(composed: compose.Composed) -> str:
    declared = paths.dig(composed.config, "quantgate", "checkpoint")
    deployed = paths.dig(composed.config, "deployment", "checkpoint_path")
    # A cluster's path means nothing on this machine.
    if composed.executor not in LOCAL or deployed == compose.MISSING:
        deployed = None
    # What is served makes the scores, whatever is declared beside it.
    first, second = (declared, deployed) if composed.deployment == "none" else (deployed, declared)
    return str(first or second or "")


def _planned(task: compose.ConfiguredTask) -> PlannedTask:
    known = _catalogue_task(task)
    found = recipes.variant_of_task(known.id) if known else None
    repeats = repeats_of(task.params, known.params if known else None)
    metric = metrics.metric_of(known, task.params, repeats) if known and found is None else None
    samples = found[1].samples if found else metric.samples if metric else None
    return PlannedTask(
        directory=task.directory,
        name=task.name,
        harness=known.harness if known else "",
        container=str(task.raw.get("container") or (known.container if known else "")),
        samples=samples,
        repeats=repeats,
        parts=metric.parts if metric else 1,
        classes=_classes(known, found[0] if found else None),
        watch=limits.watch_instead(task.name, known),
    )


def _classes(task: catalogue.CatalogueTask | None, recipe: recipes.Recipe | None) -> tuple[str, ...]:
    if task is None:
        return (UNLISTED,)
    # A tokenizer is read on this side: without it the task fails at once, whatever the others do.
    return tuple(need for need in needs.needs_of(task, recipe) if need != needs.TOKENIZER) or (PLAIN,)


def _catalogue_task(task: compose.ConfiguredTask) -> catalogue.CatalogueTask | None:
    if task.raw.get("container"):
        # A full id with a newer image is still that benchmark; a bare name with an image of its own may be anything.
        return catalogue.load_catalogue().tasks.get(task.name)
    try:
        return catalogue.load_catalogue().resolve(task.name)
    except UnknownName:
        from ...evalconfig.lint.tasks import may_be_unlisted  # with the lint's tables: not at the server's start

        if may_be_unlisted(task.name):
            return None  # NEL asks its harness's image for it, once a person trusts it
        raise
