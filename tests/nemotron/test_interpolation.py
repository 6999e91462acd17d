"""References into `run` and to artifacts are written out; the rest stays for the launcher."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.errors import ConfigError, QuantgateError
from quantgate.nemotron.interpolation import Interpolator, resolve


class Recorded:
    """Stands in for a store of artifacts: what a real one answers, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def resolve(self, reference: str, field: str) -> str:
        self.asked.append((reference, field))
        return f"/artifacts/{reference}/{field}/iter_0000100"


def written(config: dict[str, Any], environment: dict[str, str] | None = None) -> dict[str, Any]:
    return resolve(config, Interpolator(config, Recorded(), environment or {}, "eval.yaml")).config


def test_a_whole_reference_keeps_its_type_and_one_inside_a_text_becomes_text() -> None:
    config = {
        "run": {"n": 4, "on": True, "list": [1, 2]},
        "a": "${run.n}",
        "b": "x${run.n}y${run.on}",
        "c": "${run.list}",
    }
    new = written(config)
    assert (new["a"], new["b"], new["c"]) == (4, "x4ytrue", [1, 2])


def test_what_the_launcher_can_resolve_stays() -> None:
    config = {
        "run": {"p": "${deployment.port}"},
        "a": "${deployment.port}",
        "b": "${run.p}",
        "c": "${.x} ${oc.select:y}",
    }
    new = written(config)
    assert (new["a"], new["b"], new["c"]) == ("${deployment.port}", "${deployment.port}", "${.x} ${oc.select:y}")


def test_a_reference_that_names_another_is_followed_through() -> None:
    config = {"run": {"which": "b", "b": {"v": 7}, "d": "${run.${run.which}.v}"}, "a": "${run.d}", "l": "${run.b.v}"}
    assert written(config)["a"] == 7


def test_an_escaped_reference_is_left_alone() -> None:
    assert written({"run": {"a": 1}, "b": r"\${run.a}"})["b"] == r"\${run.a}"


@pytest.mark.parametrize(
    "run", [{"a": "${run.a}"}, {"a": "${run.b}", "b": "x${run.a}"}, {"a": {"c": "${run.a}"}}, {"a": "${run.${run.a}}"}]
)
def test_a_circle_is_refused_and_shown(run: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="refers to itself"):
        written({"run": run, "x": "${run.a}"})


def test_a_reference_in_run_that_nobody_reads_costs_nothing() -> None:
    config = {
        "run": {"model": "gone:v1", "env": {"host": "${oc.env:UNSET}"}, "x": "${art:model,path}", "y": "${run.y}"},
        "a": 1,
    }
    recorded = Recorded()
    assert resolve(config, Interpolator(config, recorded, {}, "")).config["a"] == 1
    assert recorded.asked == []


def test_an_artifact_is_asked_for_once_and_its_iteration_directory_stays() -> None:
    config = {
        "run": {"model": "rl:v3"},
        "a": "${art:model,path}",
        "b": "--load ${art:model,path}",
        "c": "${art:model,step}",
    }
    recorded = Recorded()
    new = resolve(config, Interpolator(config, recorded, {}, "")).config
    assert new["a"].endswith("/iter_0000100")
    assert new["b"] == f"--load {new['a']}"
    assert recorded.asked == [("rl:v3", "path"), ("rl:v3", "step")]


def test_without_a_store_an_artifact_waits_for_the_next_pass() -> None:
    config = {"run": {"m": "rl:v3", "p": "/x"}, "a": "${run.p} ${art:m,path}"}
    assert resolve(config, Interpolator(config, None, {}, "")).config["a"] == "/x ${art:m,path}"


@pytest.mark.parametrize(
    ("text", "says"),
    [("${run.gone}", "leads nowhere"), ("${run.open}", "not given yet"), ("${art:gone,path}", "names run.gone"),
     ("x${run.map}", "is a section"), ("x${run.none}", "is null"), ("${oc.env:UNSET}", "UNSET is not set")],
)  # fmt: skip
def test_what_cannot_be_resolved_names_the_place(text: str, says: str) -> None:
    with pytest.raises(QuantgateError, match=says) as refused:
        written({"run": {"open": "???", "map": {"a": 1}, "none": None}, "deployment": {"image": text}})
    assert "deployment.image" in str(refused.value)


def test_a_variable_is_written_out_but_for_jobs_and_secrets() -> None:
    environment = {"URL": "http://x", "HF_TOKEN": "hf_abcdefghijklmnopqrst"}
    config = {
        "url": "${oc.env:URL}",
        "other": "${oc.env:GONE,fallback}",
        "none": "${oc.env:GONE,null}",
        "key": "${oc.env:HF_TOKEN}",
        "evaluation": {"env_vars": {"A": "${oc.env:URL}"}},
    }
    new = written(config, environment)
    assert (new["url"], new["other"], new["none"]) == ("http://x", "fallback", None)
    assert new["key"] == "${oc.env:HF_TOKEN}"
    assert new["evaluation"]["env_vars"]["A"] == "${oc.env:URL}"


def test_what_a_variable_brings_is_not_resolved_again() -> None:
    assert written({"a": "x${oc.env:V}"}, {"V": "${oc.env:V}${run.a}"})["a"] == "x${oc.env:V}${run.a}"


def test_what_is_not_closed_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"target\.model.*is not closed"):
        written({"target": {"model": "${oc.env:MODEL"}})
    assert written({"a": r"plain \${x", "b": "echo ${x} }"}) == {"a": r"plain \${x", "b": "echo ${x} }"}


def test_an_artifact_without_a_name_is_told_how_to_be_written() -> None:
    with pytest.raises(ConfigError, match=r"write \$\{art:model,path\}"):
        written({"a": "${art:}"})
