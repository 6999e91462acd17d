"""The form that asks the user for what a call of build_config leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from ..benchmarks.bundles import QUESTIONS
from ..launcher import templates
from .spec import Form

_FIRST = ("execution", "deployment", "model_type")
WITHOUT_BUNDLE = ("math", "safety")
"""Words for benchmarks of which some or all have no bundle; build_config names the tasks to add."""


def ask(arguments: Mapping[str, Any], lists: bool) -> Form | None:
    """The form for the questions that are open; None when the three that must be answered are.

    Args:
        arguments: Those of build_config.
        lists: The client can show a choice of several; else the benchmarks are asked as text.
    """
    missing = [name for name in _FIRST if not str(arguments[name]).strip()]
    if not missing:
        return None
    found = templates.choices()
    fields: dict[str, Any] = {
        name: (_one_of(getattr(found, name)), Field(description=f"{QUESTIONS[name]}?")) for name in missing
    }
    if not arguments["benchmarks"]:
        fields["benchmarks"] = _benchmarks(str(arguments["model_type"]), found, lists)
    if arguments["export"] == "none":
        fields["export"] = (_one_of(found.export), Field("none", description="Send results somewhere?"))
    schema = create_model("BaseConfig", __config__=ConfigDict(extra="ignore"), **fields)
    return Form(f"The base config needs {len(fields)} answers.", schema, _filled)


def _one_of(names: tuple[str, ...]) -> Any:
    return Literal[names]


def _benchmarks(model_type: str, found: templates.Options, lists: bool) -> Any:
    known = found.bundles.get(model_type)
    types = {model_type: known} if known else found.bundles
    names = tuple(dict.fromkeys(name for bundles in types.values() for name in bundles)) + WITHOUT_BUNDLE
    by_type = "; ".join(f"{kind}: {', '.join(bundles)}" for kind, bundles in types.items())
    about = f"{QUESTIONS['benchmarks']}? {by_type}"
    if lists:
        return list[_one_of(names)], Field([], description=about)  # type: ignore[misc]
    return str, Field("", description=f"{about}. Separate them by commas.")


def _filled(arguments: Mapping[str, Any], answers: BaseModel) -> dict[str, Any]:
    filled = {**arguments, **answers.model_dump()}
    if isinstance(filled["benchmarks"], str):
        filled["benchmarks"] = [word.strip() for word in filled["benchmarks"].split(",") if word.strip()]
    return filled
