"""What a rule is, what it sees, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from ...benchmarks import catalogue
from ...errors import BadInput
from .. import missing, paths
from ..compose import MISSING, Composed, ConfiguredTask, merged
from ..document import ConfigDocument
from ..paths import Segment
from .report import Severity
from .served_model import ServedModel, served_model

if TYPE_CHECKING:
    from ...cluster.preflight import PathSeen, Sight

Need = Literal["checkpoint", "cluster"]
"""What a rule must see beside the file and the environment to be decided in full."""


EVALUATOR = "nemo_evaluator_config"


@dataclass(frozen=True)
class Subject:
    """A config as the rules see it: the file as written, what NEL would make of it, and what was seen of its cluster.

    Attributes:
        sight: From the preflight; None when the cluster was not looked at.
    """

    document: ConfigDocument
    composed: Composed
    sight: Sight | None = None

    @property
    def there(self) -> Sight:
        """What was seen of the cluster, where it was looked at."""
        assert self.sight is not None
        return self.sight

    def seen(self, path: str) -> PathSeen | None:
        """What a path is on the cluster; None when nobody looked."""
        return self.sight.paths.get(path) if self.sight and path else None

    def text(self, *segments: Segment) -> str:
        """A text of the composed config without spaces around it; empty when it is none, or not given yet."""
        value = self.at(*segments)
        return value.strip() if isinstance(value, str) and MISSING not in value else ""

    @property
    def config(self) -> dict[str, Any]:
        """The composed config."""
        return self.composed.config

    @property
    def written(self) -> dict[str, Any]:
        """The file's own content, without NEL's defaults."""
        return self.document.plain

    @property
    def tasks(self) -> tuple[ConfiguredTask, ...]:
        """The configured tasks."""
        return self.composed.tasks

    def at(self, *segments: Segment) -> Any:
        """A value of the composed config, or None."""
        return paths.dig(self.config, *segments)

    @cached_property
    def catalogue_tasks(self) -> dict[int, catalogue.CatalogueTask]:
        """By index, the catalogue's entry of each task that has one, also where the task names another container."""
        found = {}
        for task in self.tasks:
            try:
                found[task.index] = catalogue.load_catalogue().resolve(task.name)
            except BadInput:
                continue
        return found

    @cached_property
    def gaps(self) -> list[missing.Missing]:
        """What is still to be given: each gap once, where it is written."""
        return missing.own_gaps(self.composed, self.written)

    @cached_property
    def unfinished(self) -> bool:
        """Whether the config still has gaps (`???`): what a template only leaves out is not yet an error."""
        return any(
            value == MISSING and paths.join(at) not in self.composed.derived_missing
            for at, value in paths.walk(self.config)
        )

    @property
    def soft(self) -> Severity | None:
        """The severity of what a template only leaves out: a warning while the config has gaps, else the rule's own."""
        return "warning" if self.unfinished else None

    @cached_property
    def evaluators(self) -> dict[int, dict[str, Any]]:
        """By task, its `nemo_evaluator_config` over the evaluation's own, merged as NEL does."""
        shared = as_mapping(self.at("evaluation", EVALUATOR))
        return {task.index: merged(shared, as_mapping(task.raw.get(EVALUATOR))) for task in self.tasks}

    def given(self, task: ConfiguredTask, *tail: Segment) -> tuple[str, Any]:
        """What the config says for a task under `nemo_evaluator_config`, and the path that says it.

        The task's own value wins over the evaluation's; ("", None) when neither gives one.
        """
        for place in (("evaluation", "tasks", task.index), ("evaluation",)):
            value = self.at(*place, EVALUATOR, *tail)
            if value is not None and value != MISSING:
                return paths.join((*place, EVALUATOR, *tail)), value
        return "", None

    def param(self, task: ConfiguredTask, *keys: str) -> Any:
        """A task's parameter as the container will have it: the config's, else the catalogue's default."""
        _, value = self.given(task, "config", "params", *keys)
        if value is not None:
            return value
        entry = self.catalogue_tasks.get(task.index)
        return paths.dig(entry.params, *keys) if entry else None

    def harness(self, task: ConfiguredTask) -> str:
        """The harness of a task: the catalogue's, else what its name says; empty when it says none."""
        entry = self.catalogue_tasks.get(task.index)
        return entry.harness if entry else task.name.partition(".")[0] if "." in task.name else ""

    def each_task(self, place: str) -> list[tuple[Segment, ...]]:
        """A place as one for each task: `evaluation.tasks.*.name`; without `.*` the place alone."""
        head, star, tail = place.partition(".*")
        if not star:
            return [tuple(place.split("."))]
        rest = tuple(tail.strip(".").split(".")) if tail else ()
        return [(*head.split("."), task.index, *rest) for task in self.tasks]

    @cached_property
    def model(self) -> ServedModel | None:
        """The model that the config names, read once; None when it names none."""
        return served_model(self.config, elsewhere=self.composed.executor == "slurm")


@dataclass(frozen=True)
class Hit:
    """One place that breaks a rule; empty fields are taken from the rule.

    One place is reported once, by the first rule that speaks of it, unless a `cause` sets its hits apart. The places in
    `explains` are consequences of this hit: later hits there, and below, are left out. `named` is the name that Nemotron's
    evaluation step has for the failure; the message carries it.
    """

    path: str
    message: str
    fix: str = ""
    severity: Severity | None = None
    cause: str = ""
    explains: tuple[str, ...] = ()
    named: str = ""


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        id: Stable; what a user silences.
        title: The condition in a few words.
        fix: The general remedy.
        source: Where it is known from.
        check: Finds the places.
        needs: What it must see beside the file and the environment; without it, it is reported as skipped.
        decided: Whether a config says enough by itself, so that what it `needs` is not missed.
        of_text: It reads the file as written, and is applied to one that does not compose, too.
    """

    id: str
    severity: Severity
    title: str
    fix: str
    source: str
    check: Callable[[Subject], Iterable[Hit]]
    needs: tuple[Need, ...] = ()
    of_text: bool = False
    decided: Callable[[Subject], bool] | None = None


def as_mapping(value: Any) -> dict[str, Any]:
    """The value when it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def params_places(subject: Subject, *tail: Segment) -> list[tuple[str, Any]]:
    """Each place where `nemo_evaluator_config...` holds a value at `tail`: the evaluation's own, then each task's."""
    places: list[tuple[Segment, ...]] = [("evaluation",)]
    places += [("evaluation", "tasks", task.index) for task in subject.tasks]
    found = []
    for place in places:
        segments = (*place, EVALUATOR, *tail)
        value = subject.at(*segments)
        if value is not None:
            found.append((paths.join(segments), value))
    return found
