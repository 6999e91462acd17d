"""The rule about misspelt and misplaced keys, at every depth that NEL or the container reads."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

from .. import paths
from ..compose import MISSING
from ..keys import deployment_keys, execution_keys, known, other_places
from ..paths import Segment
from .composition import group
from .report import Severity
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping
from .structure import BY_HAND, FACTS, refers_to, shared_by_anchor
from .used_parameters import options

_WHOLE = frozenset({"items", "keys", "values", "get"})
_SHOWN = 12


def unknown_key(subject: Subject) -> Iterable[Hit]:
    """Keys that nothing reads: NEL uses its default without a word, or the container refuses them."""
    yield from _in_sections(subject)
    yield from _in_closed_places(subject)
    yield from _in_auxiliaries(subject)
    yield from _in_endpoints(subject)
    yield from _in_extra(subject)


def _in_sections(subject: Subject) -> Iterable[Hit]:
    for section, names in (
        ("execution", execution_keys(subject.composed.executor) | execution_keys(group(subject, "execution"))),
        ("deployment", deployment_keys(_deployment_group(subject))),
    ):
        for key in map(str, as_mapping(subject.config.get(section))):
            if key in names or refers_to(subject, f"{section}.{key}") or key == "multiple_instances":
                continue
            message = f"NEL ignores {section}.{key}: no part of it reads such a key"
            home = other_places(key)
            # The exact key of another framework or executor is no misspelling.
            near = _near(key, names, 0.75) if home != section else []
            home = home if not near else ""
            if home == section:
                message = f"{section}.{key} means nothing here: another {section} than this config's reads it"
                yield Hit(f"{section}.{key}", message, "remove it, or change `defaults`")
            elif not near and shared_by_anchor(subject, f"{section}.{key}"):
                yield Hit(f"{section}.{key}", f"{message}; an alias uses its anchor", BY_HAND.format("C02"), "note")
            else:
                meant = (f"{section}.{near[0]}",) if near else ()
                hint = _hint(key, names, 0.75, home) + ("" if near or home else f"; {BY_HAND.format('C02')}")
                yield Hit(f"{section}.{key}", message, hint, explains=meant)


def _deployment_group(subject: Subject) -> str:
    kind = subject.composed.deployment
    # A file that takes its group from another one: the wider of the two that NEL calls vllm.
    return group(subject, "deployment") or ("vllm_ray" if kind == "vllm" else kind)


def _in_closed_places(subject: Subject) -> Iterable[Hit]:
    table = known()
    for place, names in table.closed.items():
        for at in subject.each_task(place):
            for key in map(str, as_mapping(subject.at(*at))):
                if key in names or key in table.elsewhere:
                    continue
                where = paths.join([*at, key])
                home, near = other_places(key), _near(key, names, 0.6)
                if not near and shared_by_anchor(subject, where):
                    message = f"There is no key {where}; an alias uses its anchor"
                    yield Hit(where, message, BY_HAND.format("C02"), "note")
                    continue
                hint = _hint(key, names, 0.6, "" if home == paths.join(at) else home)
                meant = (paths.join([*at, near[0]]),) if near else ()
                yield Hit(where, f"There is no key {where}", hint, explains=meant)


def _in_auxiliaries(subject: Subject) -> Iterable[Hit]:
    for name, value in as_mapping(subject.at("auxiliary_deployments")).items():
        for key in map(str, as_mapping(value)):
            if key not in known().auxiliary and _near(key, known().auxiliary, 0.75):
                where = paths.join(("auxiliary_deployments", str(name), key))
                yield Hit(where, f"NEL ignores {where}", _hint(key, known().auxiliary, 0.75, ""))


def _in_endpoints(subject: Subject) -> Iterable[Hit]:
    names = ("chat", "completions", "health", "embedding", "ranking", "vlm")
    for key in map(str, as_mapping(subject.at("deployment", "endpoints"))):
        if key not in names and _near(key, names, 0.7):
            yield Hit(
                f"deployment.endpoints.{key}", f"No task has the endpoint type {key!r}", _hint(key, names, 0.7, "")
            )


def _in_extra(subject: Subject) -> Iterable[Hit]:
    """Options of a harness that are near one that its command takes: a typing error, not an option of another harness."""
    for at, extra, wanted in _extras(subject):
        for key, value in extra.items():
            names = {name.partition(".")[0] for name in wanted}
            where = paths.join([*at, str(key)])
            if names and str(key) not in names:
                if _near(str(key), names, 0.8) and value != MISSING:
                    yield Hit(where, f"The harness has no option {str(key)!r}", _hint(str(key), names, 0.8, ""))
                continue
            below = {name.split(".")[1] for name in wanted if name.startswith(f"{key}.")}
            # A mapping that the command takes as a whole may hold anything.
            for inner in map(str, as_mapping(value)) if below and not below & _WHOLE else ():
                if inner not in below and inner != "args":
                    # A key that is like no other may be one of another version of the harness.
                    severity: Severity | None = None if _near(inner, below, 0.6) else "warning"
                    message = f"The harness has no option {key}.{inner}"
                    yield Hit(f"{where}.{inner}", message, _hint(inner, below, 0.6, ""), severity)


def _extras(subject: Subject) -> Iterable[tuple[list[Segment], dict[str, Any], frozenset[str]]]:
    """Each `params.extra` as the config has it, with the options that the commands of its tasks take."""
    tail: tuple[Segment, ...] = (EVALUATOR, "config", "params", "extra")
    own = {
        task.index: options(subject.catalogue_tasks[task.index].command)
        for task in subject.tasks
        if task.index in subject.catalogue_tasks and not task.raw.get("container")  # another version may differ
    }
    shared = as_mapping(subject.at("evaluation", *tail))
    if shared and len(own) == len(subject.tasks):
        yield ["evaluation", *tail], shared, frozenset().union(*own.values())
    for index, names in own.items():
        at: list[Segment] = ["evaluation", "tasks", index, *tail]
        yield at, as_mapping(subject.at(*at)), names


def _near(key: str, names: Collection[str], cutoff: float) -> list[str]:
    lowered = {name.lower().replace("-", "_"): name for name in names}
    found = difflib.get_close_matches(key.lower().replace("-", "_"), sorted(lowered), n=1, cutoff=cutoff)
    return [lowered[name] for name in found]


def _hint(key: str, names: Collection[str], cutoff: float, home: str) -> str:
    near = _near(key, names, cutoff)
    if home and home == "execution.sbatch_extra_flags":
        return f"write it as `{key.replace('_', '-')}` under `{home}`"
    if near:
        return f"did you mean `{near[0]}`?"
    if home:
        return f"move it to `{home}`"
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"remove it; known keys: {', '.join(shown[:_SHOWN])}{more}"


RULES = (Rule("C02", "error", "Unknown key", "correct the key", FACTS, unknown_key),)
