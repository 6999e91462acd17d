"""What may be set where: a value of the right kind, at a key that something reads.

The lint's own rules decide, on a config with nothing but that one value in it, before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..errors import BadInput
from . import choices, paths
from .assignments import Assignment
from .command_words import segments
from .compose import MISSING, Composed, ConfiguredTask
from .document import ConfigDocument
from .lint import adapter, slurm, structure, unknown_keys, values
from .lint.rule import Hit, Subject
from .paths import Segment

_ONE_WORD = (
    frozenset({"served_model_name", "hf_model_handle", "checkpoint_path", "cache_path", "image", "container", "port"})
    | frozenset({"hostname", "username", "account", "partition", "cpu_partition", "subproject", "gres", "output_dir"})
    | frozenset(
        {"walltime", "max_walltime", "model_id", "api_key_name", "api_key", "dataset_dir", "dataset_mount_path"}
    )
    | frozenset({"name", "checkpoint"})
)
"""Keys whose value NEL writes into a shell script or a command as one word."""
_SHELL = re.compile(r"[;&|<>`\\\"'\s]|\$\(|\$(?!\{)")
_REFERENCE = re.compile(r"\$\{[^{}]*\}")
_ARGUMENTS = frozenset({"extra_args", "extra_docker_args"})
_MOST_ITEMS = 2000
_KNOWN_BETTER = ("did you mean", "move it to", "write it as")
_REFUSED = (
    slurm.words_for_sbatch,
    structure.target_in_config,
    structure.unknown_params,
    structure.execution_env_vars,
    structure.evaluation_overrides,
    adapter.unknown_field,
)
"""Rules about what NEL or the container refuses whatever else the config holds."""
_EXAMPLES = {
    "true or false": "true",
    "a whole number": "16",
    "a number": "0.6",
    "text": "some-name",
    "a list of texts": "[one, two]",
    "a section with keys": "{key: value}",
    "a section of keys with texts": "{key: text}",
}


def checked(document: ConfigDocument, assignment: Assignment) -> Assignment:
    """An assignment that may be written; a number for a key that holds text becomes the text as it was given.

    A key that nothing reads is refused when a known one is near, or when it belongs elsewhere; else it is left to
    check_config, because a config may have keys of its own for `${…}`.

    Args:
        document: The config that it is for, whose executor and deployment decide which keys there are.
        assignment: What is to be set.

    Raises:
        BadInput: A wrong kind of value, a misspelt or misplaced key, or a value that would break out of its place.
    """
    _refuse_break_out(assignment)
    subject = _alone(document, assignment.path, assignment.value)
    hits = list(_wrong(subject, assignment))
    as_text = Assignment(assignment.path, assignment.raw, assignment.raw)
    is_number = isinstance(assignment.value, int | float) and not isinstance(assignment.value, bool)
    # A key for text keeps `0123` and `1e3` as they were given.
    otherwise_written = bool(assignment.raw) and (bool(hits) or str(assignment.value) != assignment.raw)
    if is_number and otherwise_written and _holds_text(document, assignment.path):
        kept = _wrong(_alone(document, as_text.path, as_text.value), as_text)
        if next(iter(kept), None) is None:
            return as_text
    if hits:
        raise _refusal(assignment, hits[0])
    for rule in _REFUSED:
        for hit in rule(subject):
            raise BadInput(hit.message, where=f"set {hit.path}", fix=hit.fix)
    for rule in (unknown_keys.unknown_key, structure.unknown_section):
        for hit in rule(subject):
            if hit.fix.startswith(_KNOWN_BETTER):
                raise BadInput(hit.message, where=f"set {hit.path}", fix=hit.fix)
    return assignment


def _holds_text(document: ConfigDocument, dotted: str) -> bool:
    """Whether the table of kinds speaks of this key as of one that holds a single value."""
    return bool(list(values.wrong_kind(_alone(document, dotted, {"a": 1}))))


def _wrong(subject: Subject, assignment: Assignment) -> Iterable[Hit]:
    if assignment.value is None or assignment.value == MISSING:
        return
    yield from values.breaks_out(subject)
    if "${" not in str(assignment.value):
        yield from values.wrong_kind(subject)
        yield from values.out_of_bounds(subject)
        yield from _not_a_section(assignment)


def _not_a_section(assignment: Assignment) -> Iterable[Hit]:
    """A whole section or the list of tasks replaced by something of another kind."""
    kinds: dict[str, type] = {"evaluation.tasks": list, "defaults": list, "quantgate": dict}
    kinds |= dict.fromkeys(("execution", "deployment", "evaluation", "target", "export", "env_vars"), dict)
    wanted = kinds.get(assignment.path)
    if wanted is not None and not isinstance(assignment.value, wanted):
        words = "a list" if wanted is list else "a section with keys"
        yield Hit(assignment.path, f"{assignment.path} must be {words}", f"write {words}")


def _refusal(assignment: Assignment, hit: Hit) -> BadInput:
    wanted = hit.fix.removeprefix("write ")
    example = _EXAMPLES.get(wanted) or (
        wanted.removeprefix("one of ").split(",")[0] if wanted.startswith("one of ") else ""
    )
    shown = f"; for example set=['{assignment.path}={example}']" if example else ""
    fix = hit.fix if hit.fix and not hit.fix.startswith("edit_config") else "give a value within the bounds"
    return BadInput(hit.message, where=f"set {hit.path}", fix=fix + shown)


def _refuse_break_out(assignment: Assignment) -> None:
    key = str(paths.parse(assignment.path)[-1])
    value = assignment.value
    if not isinstance(value, str):
        return
    if key in _ONE_WORD and (value.startswith("-") or _SHELL.search(_REFERENCE.sub("", value))):
        raise BadInput(
            f"The value for {assignment.path} would break out of a command: it begins with a dash, or has a space or a character "
            "that a shell acts on",
            where="set",
            fix="give one plain word or path",
        )
    if key in _ARGUMENTS and (len(segments(value)) > 1 or re.search(r"`|\$\(|[<>]", value)):
        raise BadInput(
            f"The value for {assignment.path} is more than arguments: a second command or a redirection is in it",
            where="set",
            fix="give arguments only",
        )


def _alone(document: ConfigDocument, dotted: str, value: Any) -> Subject:
    """A config with nothing but this one value in it, as the rules see it."""
    at = paths.parse(dotted)
    if any(isinstance(segment, int) and segment > _MOST_ITEMS for segment in at):
        raise BadInput(f"{dotted} names a position that no list has", where="set", fix="give a position that exists")
    config: Any = value
    for segment in reversed(at):
        config = [{} for _ in range(segment)] + [config] if isinstance(segment, int) else {str(segment): config}
    entries = paths.dig(config, "evaluation", "tasks")
    tasks = [
        ConfiguredTask(index, _name(document, index, entry), "", {}, entry)
        for index, entry in enumerate(entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    ]
    if _is_params(at):
        # A key of all tasks together: each option that one of them has is known.
        written = paths.dig(document.plain, "evaluation", "tasks")
        count = len(written) if isinstance(written, list) else 0
        tasks = [ConfiguredTask(index, _name(document, index, {}), "", {}, {}) for index in range(count)]
    composed = Composed(config, choices.executor(document), choices.deployment(document), tuple(tasks))
    return Subject(document, composed)


def _is_params(at: tuple[Segment, ...]) -> bool:
    return at[:2] == ("evaluation", "nemo_evaluator_config")


def _name(document: ConfigDocument, index: int, entry: dict[str, Any]) -> str:
    name = paths.dig(document.plain, "evaluation", "tasks", index, "name")
    return str(entry.get("name") or name or "")
