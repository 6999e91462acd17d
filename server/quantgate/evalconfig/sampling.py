"""Sampling settings that a checkpoint recommends: into the params that the config leaves open, and nowhere else."""

from __future__ import annotations

from ..benchmarks import catalogue
from ..checkpoint.flags import SAMPLING_FILE
from ..checkpoint.inspection import Inspection
from ..errors import BadInput
from . import paths, surgery
from .document import ConfigDocument

PARAMS = ("evaluation", "nemo_evaluator_config", "config", "params")
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


def _samples(document: ConfigDocument) -> bool:
    """Whether some task lets the config choose how to sample; log-probability tasks do not sample."""
    tasks = paths.dig(document.plain, "evaluation", "tasks")
    names = [str(task.get("name") or "") for task in tasks if isinstance(task, dict)] if isinstance(tasks, list) else []
    for name in names:
        try:
            entry = catalogue.load_catalogue().resolve(name)
        except BadInput:
            return True
        if entry.endpoint_types != ("completions",) or "tokenizer" not in entry.params.get("extra", {}):
            return True
    return not names
