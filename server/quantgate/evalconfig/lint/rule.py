"""What a rule is, what it sees, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ...benchmarks import catalogue
from ...errors import BadInput
from .. import paths
from ..compose import Composed, ConfiguredTask
from ..document import ConfigDocument
from ..paths import Segment

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Subject:
    """A config as the rules see it: the file as written, and what NEL would make of it."""

    document: ConfigDocument
    composed: Composed

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
        """By index, the catalogue's entry of each task that has one and brings no container of its own."""
        found = {}
        for task in self.tasks:
            try:
                found[task.index] = catalogue.load_catalogue().resolve(task.name)
            except BadInput:
                continue
        return found


@dataclass(frozen=True)
class Hit:
    """One place that breaks a rule; empty fields are taken from the rule."""

    path: str
    message: str
    fix: str = ""
    severity: Severity | None = None


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        id: Stable; what a user silences.
        title: The condition in a few words.
        fix: The general remedy.
        source: Where it is known from.
        check: Finds the places.
    """

    id: str
    severity: Severity
    title: str
    fix: str
    source: str
    check: Callable[[Subject], Iterable[Hit]]


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place of the user's file."""

    rule: str
    severity: Severity
    path: str
    message: str
    fix: str
    line: int


@dataclass(frozen=True)
class Report:
    """What linting a config said.

    Attributes:
        findings: Errors first, then warnings and notes, each in the order of the file.
        rules_checked: How many rules were applied.
        skipped: Rules that could not be decided, with the reason.
        silenced: Rules that the config silences.
        composed: What NEL would run; None when the config does not compose.
    """

    findings: list[Finding]
    rules_checked: int
    skipped: list[str]
    silenced: list[str]
    composed: Composed | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing of severity error was found."""
        return not any(finding.severity == "error" for finding in self.findings)


def params_places(subject: Subject, *tail: Segment) -> list[tuple[str, Any]]:
    """Each place where `nemo_evaluator_config...` holds a value at `tail`: the evaluation's own, then each task's."""
    places: list[tuple[Segment, ...]] = [("evaluation",)]
    places += [("evaluation", "tasks", task.index) for task in subject.tasks]
    found = []
    for place in places:
        segments = (*place, "nemo_evaluator_config", *tail)
        value = subject.at(*segments)
        if value is not None:
            found.append((paths.join(segments), value))
    return found
