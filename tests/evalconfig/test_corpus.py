"""The corpus of broken configs: each is found by its rule, none crashes, none shows a secret."""

import json
from pathlib import Path

import pytest

from quantgate.evalconfig.lint import check
from quantgate.evalconfig.lint.engine import COMPOSE, RULES
from quantgate.tools.next_call import whole

from ..next_steps import assert_can_be_followed
from .corpus import ENVIRONMENT, Case, cases
from .made_deployments import OF_DEPLOYMENTS
from .test_rule_conditions import CONDITIONS

CASES = cases()
ELSEWHERE = {"D12", "D13", "D38", "D39", "T41", "T42"}
"""Rules about checkpoints and tokenizers, broken in test_checkpoint_rules.py and test_named_errors.py."""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in (
        "NEMO_EVALUATOR_TRUST_PRE_CMD",
        "NEMO_EVALUATOR_TRUST_UNLISTED_TASKS",
        "NEMO_EVALUATOR_TELEMETRY_LEVEL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_config_is_found_by_its_rule_with_a_fix_and_without_a_secret(tmp_path: Path, case: Case) -> None:
    path = tmp_path / "eval.yaml"
    path.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    report = check(path)
    found = [finding for finding in report.findings if finding.rule == case.rule]
    assert found, [(finding.rule, finding.path) for finding in report.findings]
    assert all(finding.fix for finding in report.findings)
    lines = path.read_bytes().count(b"\n") + 1
    assert all(1 <= finding.line <= lines for finding in report.findings)
    # What the cases use where a real key would stand.
    assert "a1B2a1B2" not in json.dumps([vars(finding) for finding in report.findings])


def test_the_corpus_is_large_and_each_case_is_another() -> None:
    assert len(CASES) >= 400
    assert len({case.text for case in CASES}) >= len(CASES) - 1


def test_every_rule_is_broken_by_a_config_and_has_an_id_of_its_own() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    broken = {case.rule for case in CASES} | CONDITIONS | OF_DEPLOYMENTS | ELSEWHERE
    # Only a cluster decides S07 and the rules with L (test_cluster_rules.py). The tests of the deployment count its own rules.
    assert {name for name in set(ids) - broken if not name.startswith(("D", "L"))} == {"S07"}
    assert broken - set(ids) == {COMPOSE}


def test_every_rule_says_what_it_is_what_to_do_and_where_it_is_known_from() -> None:
    for rule in RULES:
        assert min(len(rule.title), len(rule.fix), len(rule.source)) > 3, rule.id
        assert_can_be_followed(f"Mend it: {whole(rule.fix, 'eval.yaml')}")
