"""What a config wants to be trusted with: commands of its own, and tasks that NEL's catalogue does not know.

NEL asks for a variable of the environment for each. Here it is a person's decision: the variable set in the server's own
environment before it started, or a yes to exactly what the form showed. A `.env` file does not count: an agent can write it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...benchmarks import catalogue
from ...errors import BadInput, UnknownName
from ...launcher import commands
from ..permission import shown
from ..permission.consent import Question
from ..planning import plan


def questions(planned: plan.Plan) -> tuple[Question, ...]:
    """What a person must trust before a launch of this config; nothing that the server's own environment trusts already."""
    return tuple(q for q in (_commands(planned), _tasks(planned)) if q is not None)


def confirmed(planned: plan.Plan) -> commands.Trusted:
    """What the launch's child may do, once a person said yes to all `questions`."""
    kinds = {q.token[0]: q for q in questions(planned)}
    return commands.Trusted(kinds["commands"].token[2] if "commands" in kinds else "", "unlisted" in kinds)


def _commands(planned: plan.Plan) -> Question | None:
    found = commands.commands(planned.config)
    if not found or os.environ.get(commands.TRUST_COMMANDS) == "1":
        return None
    all_of_it = commands.with_variables(planned.config)
    texts = "\n".join(f"{_titled(c)}:\n{shown.quoted(c.text)}" for c in all_of_it)
    return Question(
        token=("commands", str(planned.path), commands.digest(all_of_it)),
        what="The config brings commands of its own",
        where=f"{planned.path}: {', '.join(c.place for c in found[:20])}",
        text=f"{_where_they_run(planned)}\n{texts}",
        yes="These commands may run",
        otherwise=_otherwise("the commands", commands.TRUST_COMMANDS),
        lasting=True,
        masked=any(shown.hides(c.text) or shown.hides(c.place) for c in all_of_it),
    )


def _titled(command: commands.Command) -> str:
    place = shown.on_one_line(command.place)
    return f"{place} ({command.note})" if command.note else place


def _where_they_run(planned: plan.Plan) -> str:
    executor = planned.composed.executor
    place = "on this machine, as the server's user" if executor == plan.PROCESS else "inside the run's containers"
    if executor == "local":
        place += "; what becomes part of `docker run` acts on this machine, as the server's user"
    elif executor == "slurm":
        place += "; what becomes part of the job's script acts on the cluster, as your user there"
    path = shown.quoted(str(planned.path))
    return f"A config brings commands of its own:\n{path}\nThey would run {place}:"


def _tasks(planned: plan.Plan) -> Question | None:
    found = unlisted(planned.config)
    if not found or os.environ.get(commands.TRUST_TASKS) == "1":
        return None
    rows = [f"{name} from the image {image or 'of its harness'}" for name, image in found]
    return Question(
        token=("unlisted", str(planned.path), *rows),
        what="The config has tasks that the launcher's catalogue does not list",
        where=f"{planned.path}: {', '.join(name for name, _ in found[:20])}",
        text="A config has tasks that the launcher's catalogue does not list; what they run is up to their image:\n"
        + "\n".join(shown.quoted(row) for row in rows)
        + f"\nThe config:\n{shown.quoted(str(planned.path))}",
        yes="These tasks may run",
        otherwise=_otherwise("the tasks and their images", commands.TRUST_TASKS),
        lasting=True,
        masked=any(shown.hides(row) for row in rows),
    )


def _otherwise(what: str, variable: str) -> str:
    return f"show the user {what}; a person who trusts them starts the server with {variable}=1 (a .env file does not count)"


def unlisted(config: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Names and images of the tasks that NEL would run without knowing them, sorted.

    A name with an image of its own counts as known only by its full id; NEL takes a path of an image file for a choice that
    was meant (0.2.6).
    """
    evaluation = config.get("evaluation")
    tasks = evaluation.get("tasks") if isinstance(evaluation, Mapping) else None
    found = []
    for task in tasks if isinstance(tasks, list) else []:
        name, image = str(task.get("name") or ""), str(task.get("container") or "")
        if not image.endswith(".sqsh") and not image.startswith("/") and not _listed(name, image):
            found.append((name, image))
    return tuple(sorted(set(found)))


def _listed(name: str, image: str) -> bool:
    known = catalogue.load_catalogue()
    if image:
        return name in known.tasks
    try:
        known.resolve(name)
    except (BadInput, UnknownName):
        return False
    return True
