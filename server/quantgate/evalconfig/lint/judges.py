"""Rules about judges and user simulators: the other models that some benchmarks ask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ... import redact
from ...benchmarks import recipes
from ...benchmarks.catalogue import CatalogueTask
from ...benchmarks.needs import needs_of
from ..compose import ConfiguredTask
from . import auxiliary
from .endpoints import split
from .report import Severity
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

COMMANDS = "NeMo Evaluator Launcher 0.2.6 resources/all_tasks_irs.yaml (commands and defaults of the tasks)"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CHAT = "/chat/completions"
_FULL_PATH = ("tau2_bench", "AA-LCR")
_BASE = ("nemo_skills", "simple_evals")
"""Harnesses by what their judge's URL must be: the full path of the chat endpoint, or the base that ends in /v1."""


@dataclass(frozen=True)
class Asked:
    """A judge (or user simulator) that a task asks.

    Attributes:
        who: "judge" or "user".
        given: What the config says of it, and `path`, where.
        settings: The catalogue's defaults with it on top.
    """

    task: ConfiguredTask
    entry: CatalogueTask
    who: str
    path: str
    given: dict[str, Any]
    settings: dict[str, Any]

    @property
    def at(self) -> str:
        """Where to point when a key of it is not in the file."""
        return self.path or f"evaluation.tasks[{self.task.index}].name"

    @property
    def used(self) -> bool:
        """Whether the harness will ask it."""
        if self.who == "judge" and self.entry.harness == "tau2_bench":
            return self.settings.get("enabled") is True
        if self.entry.harness == "nemo_skills" and not as_mapping(self.entry.params.get("extra")).get("judge_support"):
            return False
        return bool(self.settings.get("url")) or self.who == "user"


def _asked(subject: Subject) -> Iterator[Asked]:
    for index, entry in subject.catalogue_tasks.items():
        task = subject.tasks[index]
        defaults = as_mapping(entry.params.get("extra"))
        for who in ("judge", "user"):
            if isinstance(defaults.get(who), dict):
                given = as_mapping(
                    as_mapping(as_mapping(subject.evaluators[index].get("config")).get("params")).get("extra")
                )
                own = {key: value for key, value in as_mapping(given.get(who)).items() if value is not None}
                path, _ = subject.given(task, "config", "params", "extra", who)
                yield Asked(task, entry, who, path, own, {**defaults[who], **own})


def no_judge_url(subject: Subject) -> Iterable[Hit]:
    """A task that is judged, with the harness's built-in judge, which answers 401."""
    for judge in _asked(subject):
        if judge.entry.harness != "simple_evals":
            yield from _left_out(subject, judge)
            continue
        wants = judge.entry.params["extra"]["judge"].get("api_key")
        if judge.who != "judge" or not wants or judge.settings.get("url"):
            continue
        # The answers of the other tasks are also compared without a judge.
        severity: Severity | None = None if judge.entry.name == "AIME_2025_aa_v2" else "warning"
        message = f"{judge.entry.id} has no judge of its own: the built-in one answers 401 while the model answers 200"
        recipe = _recipe_of(judge.entry.id)
        shown = f"give extra.judge a url (its /v1 base), a model_id and an api_key, as {recipe} shows" if recipe else ""
        yield Hit(judge.at, message, shown, severity, cause="T02")


def _left_out(subject: Subject, asked: Asked) -> Iterable[Hit]:
    """A judge that the benchmark needs and the config does not have; a user simulator that only the catalogue names."""
    extra, recipe = as_mapping(asked.entry.params.get("extra")), _recipe_of(asked.entry.id)
    fix = f"give extra.{asked.who} a url, a model_id and an api_key"
    fix += f" as {recipe} shows" if recipe else ""
    tau2 = asked.entry.harness == "tau2_bench"
    # NEL's own templates leave all of it open.
    if asked.who == "judge" and tau2 and not asked.given:
        message = f"{asked.entry.id} has no judge that ends conversations going round in circles"
        yield Hit(asked.at, message, f"{fix}, and enabled: true", "warning", cause="T02")
    elif asked.who == "user" and not asked.given.get("url"):
        message = (
            f"The customer of {asked.entry.id} is the catalogue's default, {str(asked.settings.get('model_id'))[:60]}"
        )
        message += f" at {str(asked.settings.get('url'))[:80]}: the score depends on it"
        yield Hit(asked.at, message, fix, "warning", cause="T02.user")
    elif asked.who == "judge" and not tau2 and not asked.settings.get("url") and "url" in asked.settings:
        # nemo_skills has the section on every task, and asks it only with judge_support; mtbench has a default of its own.
        unsupported = asked.entry.harness == "nemo_skills" and not extra.get("judge_support")
        if "judge" in needs_of(asked.entry) and not unsupported and asked.entry.harness != "mtbench":
            message = f"{asked.entry.id} needs a judge, and neither the config nor the catalogue gives its url"
            yield Hit(asked.at, message, fix, subject.soft, cause="T02")


def _recipe_of(task: str) -> str:
    for recipe in recipes.load_recipes().values():
        if any(variant.task == task for variant in recipe.variants):
            return f"recipes/tasks/{recipe.path.name}"
    return ""


def judge_key(subject: Subject) -> Iterable[Hit]:
    """A judge's api_key that is a value, or a variable that the task does not have."""
    for judge in _asked(subject):
        name = judge.settings.get("api_key")
        if not judge.used or name == "???" or (isinstance(name, str) and name.startswith("<")):
            continue
        where = f"{judge.path}.api_key" if "api_key" in judge.given else judge.at
        if not name:
            if judge.entry.harness == "nemo_skills":
                message = f"The {judge.who} of {judge.entry.id} has no api_key: the client has none to send"
                yield Hit(where, message, "name a variable and declare it under env_vars", "warning", cause="T03")
        elif not isinstance(name, str) or not _VARIABLE.fullmatch(name) or redact.redact(name) != name:
            message = f"{where} must be the name of a variable, not a value and not a reference (it is not shown)"
            yield Hit(where, message)
        elif name not in _declared(subject, judge.task):
            message = f"The {judge.who} of {judge.entry.id} takes its key from {name}, which the task does not have: it answers 401"
            fix = f"edit_config(set=['evaluation.tasks[{judge.task.index}].env_vars.{name}=host:{name}'])"
            own = judge.settings.get("url") in auxiliary.endpoints(subject)
            if own:  # a server of this job answers whatever the key is
                message = (
                    f"The {judge.who} of {judge.entry.id} runs beside the model, and {name}, its key, is not declared"
                )
                fix = f"edit_config(set=['evaluation.tasks[{judge.task.index}].env_vars.{name}=lit:dummy'])"
            cause = "" if "api_key" in judge.given else f"T03.{judge.who}"
            yield Hit(where, message, fix, "warning" if own else None, cause)


def _declared(subject: Subject, task: ConfiguredTask) -> set[str]:
    places = (subject.at("env_vars"), subject.at("evaluation", "env_vars"), task.raw.get("env_vars"))
    names = {str(name) for place in places for name in as_mapping(place)}
    own = subject.at("target", "api_endpoint", "api_key_name")
    return names | ({own} if isinstance(own, str) else set())


def judge_url(subject: Subject) -> Iterable[Hit]:
    """A judge's URL in the shape of another harness."""
    for judge in _asked(subject):
        url = judge.given.get("url")
        beside = auxiliary.endpoints(subject)
        if not isinstance(url, str) or (split(url) is None and url not in beside):
            continue
        at = beside.get(url, urlsplit(url).path).rstrip("/")
        where, harness = f"{judge.path}.url", judge.entry.harness
        if harness in _FULL_PATH and not at.endswith(_CHAT):
            message = f"{where} is {url[:100]!r}, and {harness} wants the full path of the chat endpoint"
            yield Hit(where, message, f"end it in /v1{_CHAT}")
        elif harness in _BASE and at.endswith(("/completions", "/chat")):
            message = f"{where} is {url[:100]!r}, and {harness} adds {_CHAT} to it"
            yield Hit(where, message, "end it in /v1")
        elif harness in _BASE and not at:
            yield Hit(
                where, f"{where} is {url[:100]!r}, and {harness} wants the base that ends in /v1", "end it in /v1"
            )


def judge_model(subject: Subject) -> Iterable[Hit]:
    """A judge with a URL of its own and no model."""
    for judge in _asked(subject):
        if judge.given.get("url") and not judge.settings.get("model_id"):
            message = f"{judge.path} has a url and no model_id: {judge.entry.id} asks for the model None"
            yield Hit(judge.path, message, f"give {judge.path}.model_id", cause="P28")


def judge_off(subject: Subject) -> Iterable[Hit]:
    """A judge of tau2 that is configured and not enabled."""
    for judge in _asked(subject):
        meant = {"url", "model_id", "api_key"}.intersection(judge.given)
        if judge.entry.harness == "tau2_bench" and judge.who == "judge" and meant and not judge.used:
            message = f"{judge.path} is configured, and not enabled: {judge.entry.id} does not ask it"
            yield Hit(judge.path, message, f"edit_config(set=['{judge.path}.enabled=true'])", cause="T06")


def failing_samples(subject: Subject) -> Iterable[Hit]:
    """tau2 without skip_failed_samples: one failed conversation ends the run."""
    for index, entry in subject.catalogue_tasks.items():
        task = subject.tasks[index]
        if entry.harness == "tau2_bench" and subject.param(task, "extra", "skip_failed_samples") is not True:
            path = f"evaluation.tasks[{index}]"
            message = f"{entry.id} ends at its first failed sample"
            tail = "nemo_evaluator_config.config.params.extra.skip_failed_samples=true"
            fix = f"edit_config(set=['{path}.{tail}']), and compare the number of scored samples afterwards"
            yield Hit(f"{path}.name", message, fix, cause="T40")


RULES = (
    Rule(
        "T02",
        "error",
        "Judged task without a judge",
        "give extra.judge a url (its /v1 base), a model_id and an api_key",
        COMMANDS,
        no_judge_url,
    ),
    Rule(
        "T03",
        "error",
        "Judge's key that is no variable",
        "give a variable's name, and declare it as host: under the task's env_vars",
        COMMANDS,
        judge_key,
    ),
    Rule("T04", "error", "Judge's URL in the wrong shape", "use the shape of the harness", COMMANDS, judge_url),
    Rule("P28", "error", "Judge without a model", "give its model_id", COMMANDS, judge_model),
    Rule("T06", "error", "Judge that is not enabled", "enable it, or remove it", COMMANDS, judge_off),
    Rule("T40", "warning", "tau2 that ends at a failed sample", "set skip_failed_samples", FACTS, failing_samples),
)
