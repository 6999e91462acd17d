"""Rules about single values: their kind, their bounds, and characters that end a line of a script. The table is values.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .. import paths
from ..compose import MISSING
from ..paths import Segment
from .rule import Hit, Rule, Subject, as_mapping

SCRIPTS = "NeMo Evaluator Launcher 0.2.6 executors/ (values are written into shell scripts as they stand)"
MODELS = (
    "NeMo Evaluator Launcher 0.2.6 common/config_models.py, nemo_evaluator 0.2.8 api_dataclasses.py, adapter_config.py"
)
_TABLE = Path(__file__).with_name("values.yaml")
_SPEC = re.compile(r"(?P<kind>[a-z]+)(?: (?P<open>>)?(?P<low>[\d.]+?)\.\.(?P<high>[\d.]*))?")
_SEVERAL_LINES = frozenset(
    {
        "command",
        "base_command",
        "pre_cmd",
        "post_cmd",
        "launcher_install_cmd",
        "command_template",
        "description",
        "env_vars",
        "nemo_evaluator_config",
        "extra_metadata",
        "tags",
    }
)
_LINE_END = re.compile(r"[\n\r\0\v\f\x1b]")
_COMMAND_IN_VALUE = re.compile(r"\$\(|`")
_COMMAND_AFTER_OPTIONS = re.compile(r"[;&|<>]")
_WORDS = {
    "flag": "true or false",
    "whole": "a whole number",
    "number": "a number",
    "text": "text",
    "word": "text",
    "texts": "a list of texts",
    "mapping": "a section with keys",
    "textmap": "a section of keys with texts",
}


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    null_fails: dict[str, list[str]]
    places: dict[str, dict[str, str]]


@dataclass(frozen=True)
class _Spec:
    kind: str
    low: float | None = None
    high: float | None = None
    above: bool = False
    options: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """What belongs there, in words."""
        return "one of " + ", ".join(self.options) if self.options else _WORDS[self.kind]

    @property
    def bounds(self) -> str:
        """The bounds, in words."""
        least = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        return least + (f" and at most {self.high:g}" if self.high is not None else "")

    def fits(self, value: Any) -> bool:
        """Whether a value is of this kind."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.options:
            return value in self.options
        if self.kind == "textmap":
            return isinstance(value, dict) and all(isinstance(v, str) or v is None for v in value.values())
        if self.kind == "texts":
            return isinstance(value, list) and all(isinstance(v, str) for v in value)
        return {
            "flag": isinstance(value, bool),
            "whole": number and (isinstance(value, int) or value.is_integer()),
            "number": number,
            "text": isinstance(value, str),
            "word": isinstance(value, str) or number,
            "mapping": isinstance(value, dict),
        }[self.kind]

    def within(self, value: Any) -> bool:
        """Whether a number is within the bounds; NaN is not."""
        if self.low is None or not isinstance(value, int | float) or isinstance(value, bool):
            return True
        enough = value > self.low if self.above else value >= self.low
        return enough and (self.high is None or value <= self.high)


@cache
def _read() -> _Table:
    from ruamel.yaml import YAML

    return _Table.model_validate(YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8")))


@cache
def _table() -> dict[str, dict[str, _Spec]]:
    return {place: {key: _spec(text) for key, text in keys.items()} for place, keys in _read().places.items()}


def null_fails(executor: str) -> tuple[str, ...]:
    """The dotted places at which NEL fails on null for this executor; `*` is any task."""
    table = _read().null_fails
    return (*table["always"], *table.get(executor, ()))


def _spec(text: str) -> _Spec:
    if text.startswith("["):
        return _Spec("text", options=tuple(word.strip() for word in text.strip("[]").split(",")))
    match = _SPEC.fullmatch(text)
    if match is None or match["kind"] not in _WORDS:
        raise ValueError(f"values.yaml: {text!r} is no kind of value")
    low = float(match["low"]) if match["low"] else None
    return _Spec(match["kind"], low, float(match["high"]) if match["high"] else None, bool(match["open"]))


def _given(subject: Subject) -> Iterator[tuple[str, _Spec, Any]]:
    """Each value that the table speaks of, with its path."""
    for place, keys in _table().items():
        for at in subject.each_task(place):
            holder = as_mapping(subject.at(*at))
            for key, spec in keys.items() if holder else ():
                value = holder.get(key)
                path = paths.join((*at, key))
                if value is not None and value != MISSING and path not in subject.composed.derived_missing:
                    yield path, spec, value


def wrong_kind(subject: Subject) -> Iterable[Hit]:
    """A value of another kind than NEL or the container takes there."""
    for path, spec, value in _given(subject):
        if not spec.fits(value) and not (isinstance(value, str) and (MISSING in value or "${" in value)):
            shown = f"the text {value[:40]!r}" if isinstance(value, str) else _shown(value)
            fix = f"write {spec.wanted}"
            if spec.kind == "flag" and isinstance(value, str):
                fix = f"write {value.lower()} without quotes" if value.lower() in ("true", "false") else fix
            yield Hit(path, f"{path} must be {spec.wanted} and is {shown}", fix)


def null_section(subject: Subject) -> Iterable[Hit]:
    """A null where NEL reads a section's keys."""
    for place in null_fails(subject.composed.executor):
        for at in subject.each_task(place):
            holder, path = as_mapping(subject.at(*at[:-1])), paths.join(at)
            if at[-1] in holder and holder[str(at[-1])] is None and path not in subject.composed.derived_missing:
                yield Hit(path, f"{path} is null, and NEL reads a section there", f"edit_config(unset=['{path}'])")


def _shown(value: Any) -> str:
    kind = {"dict": "a section with keys", "list": "a list", "bool": "true or false"}.get(type(value).__name__, "")
    return kind or f"the number {value}"


def out_of_bounds(subject: Subject) -> Iterable[Hit]:
    """A number that no server, scheduler or harness takes."""
    for path, spec, value in _given(subject):
        if not spec.fits(value) or spec.within(value):
            continue
        fix = f"edit_config(set=['{path}=…'])"
        if value == 0 and path.endswith(".params.top_p") and subject.composed.deployment == "generic":
            # Megatron's inference takes 0 for "off" (megatron.core.inference sampling_params); Nemotron's configs have it.
            yield Hit(path, f"{path} is 0: Megatron's server takes it for off, and others refuse it", fix, "warning")
        else:
            yield Hit(path, f"{path} is {value}, and must be {spec.bounds}", fix)


def breaks_out(subject: Subject) -> Iterable[Hit]:
    """A line break, a control character or a command substitution in a value that NEL writes into a script as it stands."""
    for section in ("execution", "deployment", "target", "export", "auxiliary_deployments"):
        for at, value in paths.walk(subject.at(section)):
            yield from _broken((section, *at), value)
    for task in subject.tasks:
        for key in ("name", "container", "endpoint_type", "dataset_dir", "dataset_mount_path"):
            yield from _broken(("evaluation", "tasks", task.index, key), task.raw.get(key))


def _broken(at: tuple[Segment, ...], value: Any) -> Iterable[Hit]:
    names = [str(segment) for segment in at]
    if not isinstance(value, str) or _SEVERAL_LINES.intersection(names):
        return
    path = paths.join(at)
    if _LINE_END.search(value.replace("\\\n", " ").rstrip("\n") if names[-1] == "extra_args" else value):
        yield Hit(path, f"{path} has a line break or a control character: what follows becomes a line of a script")
    elif _COMMAND_IN_VALUE.search(value) and names[-1] != "extra_args":
        yield Hit(path, f"{path} has a command in it ($(…) or `…`), which a shell would run")
    elif names[-1] == "extra_docker_args" and (found := _COMMAND_AFTER_OPTIONS.search(value)):
        yield Hit(path, f"{path} has a {found[0]} in it, after which a shell runs or writes something else")
    elif _LINE_END.search("".join(names)):
        yield Hit(path, "A key has a line break or a control character")


RULES = (
    Rule(
        "P07", "error", "Value that breaks out of its line", "write it on one line, as plain text", SCRIPTS, breaks_out
    ),
    Rule(
        "P05", "error", "Value of the wrong kind", "write a value of the right kind", MODELS, wrong_kind, of_text=True
    ),
    Rule("P44", "error", "Null in place of a section", "remove the key", MODELS, null_section),
    Rule("P06", "error", "Value out of bounds", "correct the number", MODELS, out_of_bounds),
)
