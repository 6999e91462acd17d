"""Rules about what variables do to each other, to the shell and to the stages of a run. No rule ever shows a value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ... import credentials
from ...checkpoint.source import resolve_model
from ...errors import QuantgateError
from ...launcher import package
from .. import variables
from .environment import variables_of
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

SECRETS_ENV = 'NeMo Evaluator Launcher 0.2.6 common/env_vars.py (generate_secrets_env writes export NAME="value")'
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAKEN_APART = re.compile(r"[\"`\n\r\0]|\$[({A-Za-z_]|\\\\$")
_ON = ("1", "true", "yes", "on")
OFFLINE = "HF_HUB_OFFLINE"


def other_launcher(_: Subject) -> Iterable[Hit]:
    """Another version of the launcher than the one that the rules and workarounds were checked against."""
    version = package.launcher_version()
    if version != package.VALIDATED_VERSION:
        message = f"The launcher is {version}, not {package.VALIDATED_VERSION}: its templates and catalogue may differ"
        yield Hit("", message, f"pip install nemo-evaluator-launcher=={package.VALIDATED_VERSION}", cause="C32")


def two_values(subject: Subject) -> Iterable[Hit]:
    """A variable with one value in the environment and another in a `.env` file: the environment wins."""
    files = [(file, credentials.read_env_file(file)) for file in credentials.env_files(subject.document.path)]
    if not files:
        return
    for name, where in sorted(variables.needed(subject.config).items()):
        set_here = os.environ.get(name)
        other = next((file for file, values in files if values.get(name) not in (None, "", set_here)), None)
        if set_here and other is not None:
            yield Hit(
                where, f"{name} has one value in the server's environment and another in {other}; the first is used"
            )


def broken_variable(subject: Subject) -> Iterable[Hit]:
    """A name that no shell takes, or a constant that the shell would take apart when it reads the secrets file."""
    for path, name, value in variables_of(subject):
        if not _NAME.fullmatch(name):
            yield Hit(path, f"{name[:60]!r} is no name for an environment variable", "use letters, digits and _ only")
        elif value.startswith("lit:") and subject.composed.executor != "process" and _TAKEN_APART.search(value[4:]):
            message = f"The value of {path} has characters that the shell takes apart (quotes, $, ` or a line break)"
            yield Hit(
                path, message, "put the value into the environment and write host:NAME, or avoid these characters"
            )
        elif value in variables.PREFIXES and value != "lit:":
            yield Hit(path, f"{path} names no variable after {value}", f"write {value}{name}")


def token_in_one_stage(subject: Subject) -> Iterable[Hit]:
    """HF_TOKEN given to the server and not to the evaluation, or the reverse."""
    if subject.composed.deployment == "none" or "HF_TOKEN" in as_mapping(subject.at("env_vars")):
        return
    served = "HF_TOKEN" in as_mapping(subject.at("deployment", "env_vars"))
    shared = "HF_TOKEN" in as_mapping(subject.at("evaluation", "env_vars"))
    without = [t for t in subject.tasks if not shared and "HF_TOKEN" not in as_mapping(t.raw.get("env_vars"))]
    if served and without and subject.tasks:
        yield Hit(
            "deployment.env_vars.HF_TOKEN",
            "HF_TOKEN is given to the server and not to the evaluation: gated data sets and tokenizers fail there",
            "edit_config(set=['evaluation.env_vars.HF_TOKEN=host:HF_TOKEN'])",
        )
    elif not served and shared and _serves_handle(subject):
        yield Hit(
            "evaluation.env_vars.HF_TOKEN",
            "HF_TOKEN is given to the evaluation and not to the server, which loads the model from the hub",
            "edit_config(set=['deployment.env_vars.HF_TOKEN=host:HF_TOKEN'])",
        )


def _serves_handle(subject: Subject) -> bool:
    handle = subject.at("deployment", "hf_model_handle")
    return isinstance(handle, str) and "/" in handle and not subject.at("deployment", "checkpoint_path")


def offline(subject: Subject) -> Iterable[Hit]:
    """The hub switched off for a server that must load its model from there."""
    if subject.composed.deployment == "none" or not _serves_handle(subject):
        return
    found = _offline_at(subject)
    if not found:
        return
    handle = str(subject.at("deployment", "hf_model_handle"))
    mounts = as_mapping(subject.at("execution", "mounts", "deployment"))
    mounted = bool(mounts or subject.at("deployment", "cache_path"))
    home = subject.composed.executor == "slurm" and subject.at("execution", "mounts", "mount_home") is not False
    if not mounted and not home:
        yield Hit(
            found, f"{OFFLINE} is on, and no cache is mounted into the server's container: {handle} cannot be loaded"
        )
    elif subject.composed.executor == "local" and not _cached(handle):
        yield Hit(found, f"{OFFLINE} is on, and {handle} is not in this machine's hub cache")


def _offline_at(subject: Subject) -> str:
    for section, at in (("deployment", "deployment.env_vars"), ("", "env_vars")):
        values: Mapping[str, Any] = as_mapping(subject.at(section, "env_vars") if section else subject.at("env_vars"))
        value = str(values.get(OFFLINE, ""))
        if value.startswith("host:"):
            value = os.environ.get(value.removeprefix("host:"), "")
        if value.removeprefix("lit:").strip().lower() in _ON:
            return f"{at}.{OFFLINE}"
    return ""


def _cached(handle: str) -> bool:
    try:
        resolve_model(handle)
    except QuantgateError:
        return False
    return True


RULES = (
    Rule(
        "P11",
        "error",
        "Variable that the shell takes apart",
        "correct the name or the value",
        SECRETS_ENV,
        broken_variable,
    ),
    Rule("C32", "warning", "Another launcher", "install the validated version", FACTS, other_launcher),
    Rule("C33", "warning", "Two values of one variable", "remove one of them", FACTS, two_values),
    Rule(
        "S15",
        "error",
        "Offline without the model",
        "download the model first and mount its cache, or remove the variable",
        "huggingface_hub 2.4.0 constants.py (HF_HUB_OFFLINE)",
        offline,
    ),
    Rule("S18", "warning", "HF_TOKEN in one stage only", "give it to both stages", FACTS, token_in_one_stage),
)
