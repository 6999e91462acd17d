"""Rules about tasks that NEL's catalogue does not list, and about containers that replace the catalogue's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ...benchmarks import catalogue
from ..compose import ConfiguredTask
from .endpoints import path_of
from .rule import Hit, Rule, Subject
from .structure import FACTS
from .tasks import may_be_unlisted

TRUST_UNLISTED = "NEMO_EVALUATOR_TRUST_UNLISTED_TASKS"
MAPPING = "NeMo Evaluator Launcher 0.2.6 common/mapping.py (get_task_definition_for_job)"


def _unlisted(subject: Subject) -> Iterator[ConfiguredTask]:
    """Tasks that only their harness's container can know."""
    for task in subject.tasks:
        name = task.name
        if task.index in subject.catalogue_tasks or name.count(".") > 1 or name in ("", "???"):
            continue
        # C15 speaks of a name that is near one of the catalogue's.
        if task.raw.get("container") or may_be_unlisted(name):
            yield task


def untrusted_task(subject: Subject) -> Iterable[Hit]:
    """A task that NEL runs only with the trust variable."""
    if os.environ.get(TRUST_UNLISTED) == "1":
        return
    for task in _unlisted(subject):
        container = str(task.raw.get("container") or "")
        if container.endswith(".sqsh") or container.startswith("/"):
            continue  # NEL takes an image file for a choice that was meant
        path = f"evaluation.tasks[{task.index}].name"
        message = (
            f"{task.name[:80]!r} is not in the launcher's catalogue: it is refused at the launch, unless a person says yes to it "
            f"there or {TRUST_UNLISTED}=1 is set in the server's environment"
        )
        yield Hit(path, message, cause="C29")


def needless_container(subject: Subject) -> Iterable[Hit]:
    """A container that is the catalogue's own."""
    for index, entry in subject.catalogue_tasks.items():
        own = subject.tasks[index].raw.get("container")
        if isinstance(own, str) and own.removeprefix("docker://") == entry.container:
            message = f"{own} is what {entry.id} uses anyway; naming it makes NEL ask its registry at every start"
            yield Hit(f"evaluation.tasks[{index}].container", message)


def endpoint_not_said(subject: Subject) -> Iterable[Hit]:
    """An unlisted task without endpoint_type, which NEL then takes for a chat task."""
    url = subject.at("target", "api_endpoint", "url") if subject.composed.deployment == "none" else ""
    completions = path_of(url).endswith("/v1/completions")
    for task in _unlisted(subject):
        if task.raw.get("endpoint_type"):
            continue
        harness = task.name.partition(".")[0]
        types = {t.endpoint_type for t in catalogue.load_catalogue().tasks.values() if t.harness == harness}
        sure = completions or types == {"completions"} or bool(subject.param(task, "extra", "tokenizer"))
        if sure or "completions" in types:
            path = f"evaluation.tasks[{task.index}].name"
            message = f"{task.name[:80]!r} is unlisted and has no endpoint_type: NEL sends it to the chat endpoint"
            yield Hit(path, message, severity=None if sure else "warning", cause="C31")


RULES = (
    Rule(
        "C29",
        "warning",
        "Unlisted task without trust",
        f"show the user the task and its image: canary and run ask for a yes where the client has forms; else {TRUST_UNLISTED}=1 "
        "is for a person to set before the server starts",
        MAPPING,
        untrusted_task,
    ),
    Rule("C30", "warning", "Container named needlessly", "remove `container`", FACTS, needless_container),
    Rule(
        "C31",
        "error",
        "Unlisted task without endpoint_type",
        "write endpoint_type: completions (or chat) for the task",
        MAPPING,
        endpoint_not_said,
    ),
)
