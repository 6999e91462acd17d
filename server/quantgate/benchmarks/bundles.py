"""From a person's answers ("chat, math and safety") to the launcher's options: model type, bundles, tasks to add."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ..errors import BadInput, UnknownName
from ..launcher import templates
from .catalogue import load_catalogue, squash
from .recipes import recipe_named

_TABLE = Path(__file__).with_name("bundle_words.yaml")

QUESTIONS = {
    "execution": "Where will it run",
    "deployment": "Who serves the model (none: an endpoint that is already there)",
    "model_type": "What kind of model is it",
    "benchmarks": "Which benchmarks (several may be chosen; they depend on the model type)",
}


@dataclass(frozen=True)
class Answers:
    """The questions of the base config, answered in the launcher's own words.

    Attributes:
        bundles: Benchmark bundles, each once, as they were asked for.
        add_tasks: Recipe names and catalogue ids that no bundle holds: to be added with `edit_config`.
        notes: What was understood as something else than was said, one sentence each.
    """

    execution: str
    deployment: str
    model_type: str
    export: str
    bundles: tuple[str, ...]
    add_tasks: tuple[str, ...]
    notes: tuple[str, ...]


class _Meaning(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bundle: str = ""
    add: list[str] = Field(default_factory=list)
    note: str = ""


class _Words(BaseModel):
    model_config = ConfigDict(extra="forbid")

    execution: dict[str, str]
    deployment: dict[str, str]
    model_type: dict[str, str]
    export: dict[str, str]
    benchmarks: dict[str, dict[str, _Meaning]]


def understand(
    execution: str, deployment: str, model_type: str, benchmarks: Sequence[str], export: str = "none"
) -> Answers:
    """Put answers into the launcher's words.

    Args:
        benchmarks: Bundles, common words for them, recipe names or catalogue ids. May be empty when the other three
            questions are answered: the config then has no tasks yet.

    Raises:
        BadInput: Questions are unanswered; all of them are listed with their options.
        UnknownName: An answer means nothing; the options are named.
    """
    asked = {"execution": execution, "deployment": deployment, "model_type": model_type}
    if not all(answer.strip() for answer in asked.values()):
        missing = [name for name, answer in asked.items() if not answer.strip()]
        raise _unanswered([*missing, *([] if benchmarks else ["benchmarks"])], model_type)
    notes: list[str] = []
    words = _words()
    found = templates.choices()
    execution = _one("execution", execution, found.execution, words.execution, notes)
    deployment = _one("deployment", deployment, found.deployment, words.deployment, notes)
    model_type = _one("model_type", model_type, found.model_type, words.model_type, notes)
    export = _one("export", export or "none", found.export, words.export, notes)
    bundles: list[str] = []
    add_tasks: list[str] = []
    for word in benchmarks:
        _benchmark(word, model_type, bundles, add_tasks, notes)
    unique = tuple(dict.fromkeys(bundles)), tuple(dict.fromkeys(add_tasks))
    return Answers(execution, deployment, model_type, export, *unique, tuple(notes))


def _one(question: str, given: str, known: Sequence[str], words: dict[str, str], notes: list[str]) -> str:
    """One answer in the launcher's words."""
    by_squash = {squash(name): name for name in known}
    answer = by_squash.get(squash(given))
    if answer is None:
        answer = {squash(word): meaning for word, meaning in words.items()}.get(squash(given))
    if answer is None:
        raise UnknownName(question.replace("_", " "), given, where=question, fix="one of " + ", ".join(known))
    if answer != given:
        notes.append(f"{question} {given!r} was taken as {answer!r}.")
    return answer


def _benchmark(word: str, model_type: str, bundles: list[str], add_tasks: list[str], notes: list[str]) -> None:
    """Sort one benchmark word into bundles and tasks to add."""
    known = {squash(name): name for name in templates.choices().bundles[model_type]}
    if squash(word) in known:
        bundles.append(known[squash(word)])
        return
    meanings = {squash(name): meaning for name, meaning in _words().benchmarks.get(model_type, {}).items()}
    meaning = meanings.get(squash(word))
    if meaning is not None:
        bundles += [meaning.bundle] if meaning.bundle else []
        add_tasks += meaning.add
        notes.append(_explain(word, model_type, meaning))
        return
    recipe = recipe_named(word)
    if recipe is not None:
        add_tasks.append(recipe.name)
        notes.append(f"{word!r} is a recipe, not a bundle: add it with edit_config.")
        return
    try:
        task = load_catalogue().resolve(word)
    except UnknownName as error:
        options = ", ".join(known.values())
        near = f"; or the task {', '.join(error.nearest)}" if error.nearest else ""
        raise UnknownName("benchmark", word, where=f"model type {model_type}", fix=f"one of {options}{near}") from None
    add_tasks.append(task.id)
    notes.append(f"{word!r} is a catalogue task, not a bundle: add it with edit_config.")


def _explain(word: str, model_type: str, meaning: _Meaning) -> str:
    parts = [f"the bundle {meaning.bundle!r}"] if meaning.bundle else []
    parts += [f"tasks to add with edit_config: {', '.join(meaning.add)}"] if meaning.add else []
    note = f" ({meaning.note})" if meaning.note else ""
    return f"benchmarks {word!r} for {model_type} was taken as {' and '.join(parts)}{note}."


def _unanswered(questions: Sequence[str], model_type: str) -> BadInput:
    options = templates.options()
    lines = []
    for name in questions:
        known = options[name]
        if isinstance(known, dict):
            chosen = known.get(model_type, None)
            known = chosen or [f"{kind}: {', '.join(bundles)}" for kind, bundles in known.items()]
        lines.append(f"{name}: {QUESTIONS[name]}? [{' | '.join(known)}]")
    lines.append(f"export (default none): Send results somewhere? [{' | '.join(options['export'])}]")
    return BadInput(
        f"{len(questions)} of the questions for the base config are unanswered: {', '.join(questions)}",
        where="; ".join(lines),
        fix="ask the user, then call build_config again with every answer",
    )


@cache
def _words() -> _Words:
    from ruamel.yaml import YAML

    data: Any = YAML(typ="safe", pure=False).load(_TABLE.read_text(encoding="utf-8"))
    return _Words.model_validate(data)
