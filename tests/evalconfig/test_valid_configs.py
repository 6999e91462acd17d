"""No rule cries wolf: configs as people write them, the examples, and what build_config writes."""

import itertools
from pathlib import Path

import pytest

from quantgate import shipped
from quantgate.evalconfig.lint import check, secrets
from quantgate.launcher import templates

from .corpus import ENVIRONMENT
from .made import write
from .unusual_configs import UNUSUAL
from .valid_configs import VALID

OPEN = {"C03", "C11"}
"""What a config that NEL just wrote may have: gaps, and variables that are not set."""


def _template_choices() -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    found = templates.choices()
    combinations = [
        (execution, deployment, export, model_type, bundles)
        for execution, deployment, export in itertools.product(("local", "slurm"), found.deployment, found.export)
        for model_type, names in found.bundles.items()
        for number in range(1, len(names) + 1)
        for bundles in itertools.combinations(names, number)
    ]
    return combinations[::17]


@pytest.mark.parametrize("name", [*VALID, *UNUSUAL])
def test_a_valid_config_has_no_error_and_no_warning(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMO_EVALUATOR_TELEMETRY_LEVEL", "0")
    report = check(write(tmp_path, {**VALID, **UNUSUAL}[name]))
    assert [finding for finding in report.findings if finding.severity != "note"] == []
    assert report.ok


@pytest.mark.parametrize(
    "file", sorted((shipped.recipes_dir() / "examples").glob("*.yaml")), ids=lambda file: file.stem
)
def test_the_examples_have_no_error_and_no_warning(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # This machine may have readable files of somebody's runs where the examples point.
    monkeypatch.setattr(secrets, "_readable_secret_files", lambda _: [])
    assert [finding for finding in check(file).findings if finding.severity != "note"] == []


@pytest.mark.parametrize("choice", _template_choices(), ids=lambda choice: "-".join([*choice[:4], *choice[4]]))
def test_a_config_that_nel_just_wrote_has_only_gaps_and_unset_variables(
    tmp_path: Path, choice: tuple[str, str, str, str, tuple[str, ...]]
) -> None:
    execution, deployment, export, model_type, bundles = choice
    text = templates.dumps(templates.build(execution, deployment, model_type, list(bundles), export))
    report = check(write(tmp_path, text))
    assert {finding.rule for finding in report.findings if finding.severity == "error"} <= OPEN


def test_a_template_without_the_variable_user_still_shows_its_other_gaps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USER", raising=False)
    text = templates.dumps(templates.build("slurm", "vllm", "base", ["coding"]))
    found = {(finding.rule, finding.path) for finding in check(write(tmp_path, text)).findings}
    assert ("C11", "execution.username") in found
    assert ("C03", "execution.hostname") in found
