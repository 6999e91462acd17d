"""Rules about environment variables, credentials and commands that need trust. No rule ever shows a value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

from ... import credentials, redact
from .. import paths
from ..paths import Segment
from ..variables import PREFIXES
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

_OC_ENV = re.compile(r"\$\{oc\.(?:env|decode):\s*([A-Za-z_][A-Za-z0-9_]*)")
_OLDER = re.compile(r"(?:\$?(?:host|env):|\$)?\$?\{?(?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]*)\}?")
"""Spellings of a variable's name without a prefix that the launcher knows."""
_MEANT = re.compile(r"\s*(host|lit|runtime)\s*[:=]", re.IGNORECASE)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TRUST_PRE_CMD = "NEMO_EVALUATOR_TRUST_PRE_CMD"


def groups(subject: Subject) -> Iterator[tuple[Segment, ...]]:
    """The places of `env_vars` that NEL reads, outermost first."""
    yield ("env_vars",)
    yield ("export", "env_vars")
    if subject.composed.deployment != "none":
        yield ("deployment", "env_vars")
    yield ("evaluation", "env_vars")
    for task in subject.tasks:
        yield ("evaluation", "tasks", task.index, "env_vars")
    auxiliary = subject.at("auxiliary_deployments")
    for name in auxiliary if isinstance(auxiliary, dict) else ():
        yield ("auxiliary_deployments", str(name), "env_vars")


def variables_of(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """Path, name and value of each declared variable."""
    for place in groups(subject):
        group = subject.at(*place)
        for name, value in group.items() if isinstance(group, dict) else ():
            yield paths.join((*place, str(name))), str(name), str(value)


def secret_by_resolver(subject: Subject) -> Iterable[Hit]:
    """`${oc.env:...}` in an env_vars value, or of a secret anywhere: it writes the value into the resolved config."""
    yield from _resolved_elsewhere(subject)
    for place in (*groups(subject), ("deployment", "env_vars")):
        group = paths.dig(subject.written, *place)
        for name, value in group.items() if isinstance(group, dict) else ():
            if isinstance(value, str) and ("${oc.env:" in value or "${oc.decode:" in value):
                path = paths.join((*place, str(name)))
                yield Hit(
                    path,
                    f"{path} takes its value by ${{oc.env:…}}, which puts the secret into the config",
                    f"write host:{name}",
                )


def _resolved_elsewhere(subject: Subject) -> Iterable[Hit]:
    for path, value in paths.texts(subject.written):
        for name in _OC_ENV.findall(value):
            if redact.is_secret_name(name) and "env_vars" not in path:
                where = paths.join(path)
                yield Hit(
                    where,
                    f"{where} takes {name} by ${{oc.env:…}}, which writes its value into the run's files",
                    f"declare {name}: host:{name} under env_vars and give only the variable's name here",
                )


def no_prefix(subject: Subject) -> Iterable[Hit]:
    """A value without `host:`, `lit:` or `runtime:`; NEL's own message would print it."""
    for path, name, value in variables_of(subject):
        if value.startswith(PREFIXES) or value == "???" or path in subject.composed.derived_missing:
            continue
        if redact.is_secret_name(name):
            fix = f"write host:{name} and keep the value in `.env` or the environment; a key that stood here is compromised"
        else:
            fix = f"write host:{name} to take it from the environment, or lit: before a constant"
        meant = _MEANT.match(value)
        older = _OLDER.fullmatch(value)
        # As older launchers wrote it. A bare word is taken for a name only when it is one that keys have.
        if older and (value.startswith("$") or redact.is_secret_name(older["name"])):
            fix = f"write host:{older['name']}"
        elif meant:
            fix = f"the prefix is {meant[1].lower()}: in small letters, directly before the name or value"
        yield Hit(path, f"{path} has none of the prefixes host:, lit:, runtime: (its value is not shown)", fix)


def unset_variable(subject: Subject) -> Iterable[Hit]:
    """A `host:` variable, or the endpoint's key variable, that is set nowhere."""
    wanted: dict[str, str] = {}
    for path, variable in _host_variables(subject):
        wanted.setdefault(variable, path)
    for found in credentials.locate(wanted, subject.document.path):
        if found.set:
            continue
        place = wanted[found.name]
        if _VARIABLE.fullmatch(found.name.strip()) and found.name != found.name.strip():
            yield Hit(
                place, f"{place} has a space between host: and the variable's name", f"write host:{found.name.strip()}"
            )
            continue
        if redact.redact(found.name) != found.name or not _VARIABLE.fullmatch(found.name):
            yield Hit(
                place,
                f"{place} holds what looks like a key where a variable's name belongs",
                "give the variable's name",
            )
            continue
        spare = f", or edit_config(unset=['{place}']) when no task needs it"
        if "env_vars" not in place or place.rpartition(".")[2] in _named_keys(subject):
            spare = ""
        yield Hit(
            place,
            f"The variable {found.name} is not set; looked in {_looked_in(subject, found.name)}",
            f"set {found.name} in the server's environment or in a `.env` file beside the config{spare}",
        )


def _named_keys(subject: Subject) -> set[str]:
    """Variables that a judge, a user simulator or the endpoint takes its key from, by the config or the catalogue."""
    given = [subject.config, *(entry.params for entry in subject.catalogue_tasks.values())]
    return {
        str(value)
        for place in given
        for at, value in paths.walk(place)
        if at and at[-1] in ("api_key", "api_key_name") and isinstance(value, str)
    }


def _host_variables(subject: Subject) -> Iterator[tuple[str, str]]:
    declared: set[str] = set()
    overridden = _overridden(subject)
    for path, name, value in variables_of(subject):
        if not path.startswith("deployment."):
            declared.add(name)
        if value.startswith("host:") and value != "host:" and path not in overridden:
            yield path, value.removeprefix("host:")
    key_name = subject.at("target", "api_endpoint", "api_key_name")
    # NEL takes the key variable from the submitting shell unless env_vars declares it.
    if isinstance(key_name, str) and key_name not in declared and not _is_gap(key_name):
        yield "target.api_endpoint.api_key_name", key_name


def _overridden(subject: Subject) -> set[str]:
    """Paths of evaluation variables that every task declares itself: their `host:` is never asked for."""
    own = [set(map(str, as_mapping(task.raw.get("env_vars")))) for task in subject.tasks]
    shared = set.intersection(*own) if own else set()
    return {paths.join(("evaluation", "env_vars", name)) for name in shared}


def _is_gap(value: str) -> bool:
    return value in ("", "???") or value.startswith("<")


def _looked_in(subject: Subject, name: str) -> str:
    if name in credentials.TRUST_SWITCHES:
        return "the server's environment (a trust switch counts only from there)"
    places = credentials.env_places(subject.document.path)
    seen = [f"{file}{'' if file.is_file() else ' (no such file)'}" for file in places]
    return "the server's environment, " + ", ".join(seen)


def untrusted_command(subject: Subject) -> Iterable[Hit]:
    """pre_cmd and post_cmd, which NEL runs only with the trust variable."""
    if os.environ.get(TRUST_PRE_CMD) == "1":
        return
    places: list[tuple[Segment, ...]] = [("evaluation",)]
    if subject.composed.executor not in ("local", "process"):  # those never run it
        places.append(("deployment",))
        auxiliaries = subject.at("auxiliary_deployments")
        places += [("auxiliary_deployments", str(name)) for name in as_mapping(auxiliaries)]
    places += [("evaluation", "tasks", task.index) for task in subject.tasks]
    for place in places:
        for key in ("pre_cmd", "post_cmd"):
            if subject.at(*place, key) and (key == "pre_cmd" or place[0] == "evaluation"):
                path = paths.join((*place, key))
                yield Hit(
                    path,
                    f"{path} is refused at the launch unless a person says yes to it there or {TRUST_PRE_CMD}=1 is set in the "
                    "server's environment",
                )


RULES = (
    Rule("C10", "error", "Secret by resolver", "write host:NAME", FACTS, secret_by_resolver),
    Rule("C09", "error", "env_vars value without a prefix", "host: for secrets, lit: for constants", FACTS, no_prefix),
    Rule("C11", "error", "Variable not set", "set the variable", FACTS, unset_variable),
    Rule(
        "C28",
        "warning",
        "Command that needs trust",
        f"show the user the command: canary and run ask for a yes where the client has forms; else {TRUST_PRE_CMD}=1 is for a "
        "person to set before the server starts",
        FACTS,
        untrusted_command,
    ),
)
