"""Sampling settings that a checkpoint recommends: into the params that the config leaves open, and nowhere else."""

from __future__ import annotations

from ..benchmarks import catalogue
from ..benchmarks.needs import asks_for_log_probabilities
from ..checkpoint.flags import SAMPLING_FILE
from ..checkpoint.inspection import Inspection
from ..errors import BadInput
from . import paths, served_program, serving_sizes, surgery
from .command_flags import whole_number
from .document import ConfigDocument

PARAMS = ("evaluation", "nemo_evaluator_config", "config", "params")
_QUESTION = 8192
"""Tokens left for the question where an answer is bounded."""
_TAKEN = ("temperature", "top_p")
_SENT_BY_SERVER = ("top_k", "min_p", "repetition_penalty")


def with_sampling(document: ConfigDocument, found: Inspection, notes: list[str]) -> ConfigDocument:
    """The config with temperature and top_p of generation_config.json where its own are absent or `???`.

    Args:
        document: Not changed.
        found: What the model is.
        notes: Gets what was set, and where the config says something else.
    """
    given = found.facts.generation_defaults
    if given.get("do_sample") is False:
        return document
    for name in _TAKEN:
        wanted, present = given.get(name), paths.dig(document.plain, *PARAMS, name)
        if wanted is None or isinstance(wanted, bool) or present == wanted:
            continue
        path = paths.join((*PARAMS, name))
        if present in (None, "???"):
            if present is None and not _samples(document):
                continue
            document = surgery.set_value(document, path, wanted)
            notes.append(f"{path} was open and is now {wanted}, from {SAMPLING_FILE}; the model card may say otherwise")
        else:
            notes.append(f"conflict: {path} is {present} and was left; {SAMPLING_FILE} has {wanted}")
    rest = [f"{name} {given[name]}" for name in _SENT_BY_SERVER if name in given]
    if rest:
        notes.append(
            f"{', '.join(rest)} of {SAMPLING_FILE} have no place in params: a server that reads the file applies them"
        )
    return document


def report_long_answers(document: ConfigDocument, notes: list[str]) -> None:
    """Note each max_new_tokens that leaves no room for a question in the context that the server is started with.

    Args:
        document: With its serving command.
        notes: Gets the edit that bounds it.
    """
    row = served_program.table().get(served_program.framework_of(document))
    context = whole_number(serving_sizes.get_flag(document, row.context) or "") if row else None
    tasks = paths.dig(document.plain, "evaluation", "tasks")
    places = [PARAMS, *(("evaluation", "tasks", i, *PARAMS[1:]) for i in range(len(tasks or ())))]
    for place in places if context else ():
        asked = paths.dig(document.plain, *place, "max_new_tokens")
        if context and isinstance(asked, int) and asked >= context:
            path, room = paths.join((*place, "max_new_tokens")), max(context - _QUESTION, context // 2)
            notes.append(
                f"{path} is {asked}, and the server's context is {context} for question and answer together: set=['{path}={room}']"
            )


def _samples(document: ConfigDocument) -> bool:
    """Whether some task lets the config choose how to sample; log-probability tasks do not sample."""
    tasks = paths.dig(document.plain, "evaluation", "tasks")
    names = [str(task.get("name") or "") for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
    for name in names:
        try:
            entry = catalogue.load_catalogue().resolve(name)
        except BadInput:
            return True
        if not asks_for_log_probabilities(entry):
            return True
    return not names
