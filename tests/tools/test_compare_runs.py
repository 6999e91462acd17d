"""compare_runs as a client sees it: the contract's fields, what must be said, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput, QuantgateError, UnknownName
from quantgate.launcher import stamp
from quantgate.tools import TOOLS, calling
from quantgate.tools.compare_runs import MOST_REASONS, CompareRunsResult, compare_runs

from ..compare.made_runs import Made, flipped, right, run
from ..next_steps import BY_NAME
from .test_ids_that_are_none import NAMES

SPEC = BY_NAME["compare_runs"]
SCORES = right(150)
FIXED = {
    "": {"verdict", "comparability", "tasks", "suite", "external", "report_path", "next_step", "warnings"},
    "Comparability": {"verdict", "differences"},
    "Difference": {"field", "baseline", "candidate", "severity"},
    "TaskRow": {
        "task",
        "metric",
        "baseline",
        "candidate",
        "delta",
        "low",
        "high",
        "margin",
        "verdict",
        "questions",
        "repeats",
        "method",
        "smallest_certifiable_margin",
        "flips",
    },
    "Suite": {"delta", "low", "high", "verdict", "tasks"},
    "External": {"task", "status", "difference_pp", "source"},
}


def _pair(folder: Path, candidate: list[bool], **changes: Any) -> dict[str, Any]:
    pair = run(folder, Made(SCORES)), run(folder, Made(candidate, voice="two", **changes))
    return {"baseline": str(pair[0]), "candidate": str(pair[1])}


def _call(**arguments: Any) -> CompareRunsResult:
    result = compare_runs(**calling.validated(SPEC, arguments))
    json.dumps(result.model_dump(mode="json"), allow_nan=False)
    return result


def test_the_result_has_every_field_of_the_contract() -> None:
    schema = CompareRunsResult.model_json_schema(mode="serialization")
    rows = {"": schema, **schema["$defs"]}
    for name, fields in FIXED.items():
        assert fields <= set(rows[name]["properties"]), name


def test_the_arguments_are_those_of_the_contract_with_their_defaults() -> None:
    schema = calling.input_schema(SPEC)
    assert list(schema["properties"]) == ["baseline", "candidate", "margin", "published", "report"]
    assert schema["required"] == ["baseline", "candidate"]
    assert {n: schema["properties"][n]["default"] for n in ("margin", "published", "report")} == {
        "margin": 0.01,
        "published": [],
        "report": "",
    }


def test_it_stands_behind_verify_run_and_is_read_only_without_a_report() -> None:
    names = [spec.name for spec in TOOLS]
    assert names.index("compare_runs") == names.index("verify_run") + 1
    assert (SPEC.read_only, SPEC.read_only_without, SPEC.destructive) == (False, ("report",), False)


def test_an_acceptance_says_what_it_is_and_what_it_is_not(tmp_path: Path) -> None:
    result = _call(**_pair(tmp_path, flipped(SCORES, 0, 1)), margin=0.02)
    assert result.verdict == "ACCEPT"
    assert "never that there is no difference" in result.next_step
    assert "the margin" in result.next_step
    (task,) = result.tasks
    assert (task.questions, task.margin, task.method) == (294, 0.02, "tango")
    assert task.flips is not None
    assert task.flips.lost + task.flips.gained == 2
    assert result.suite is None
    assert result.report_path == ""


def test_what_could_not_be_compared_is_said(tmp_path: Path) -> None:
    result = _call(**_pair(tmp_path, flipped(SCORES, 0)), margin=0.02)
    (said,) = [w for w in result.warnings if w.startswith("Not compared")]
    assert {"container", "launcher version", "checkpoint"} <= set(said.rstrip(".").partition(": ")[2].split(", "))


def test_a_regression_names_the_task_and_the_bound(tmp_path: Path) -> None:
    result = _call(**_pair(tmp_path, right(90)))
    assert result.verdict == "REGRESSION"
    assert result.reasons[0].startswith("ifbench.ifbench: the drop is larger than the margin")
    assert result.tasks[0].high is not None
    assert result.tasks[0].high < -0.01


def test_an_open_verdict_says_how_many_questions_it_takes_and_is_no_pass(tmp_path: Path) -> None:
    result = _call(**_pair(tmp_path, flipped(SCORES, *range(30))), margin=0.001)
    assert result.verdict == "INCONCLUSIVE"
    assert "never call it a pass" in result.next_step
    assert any("questions certify" in w and "with 80 % power" in w for w in result.warnings)


def test_a_loss_inside_of_an_open_verdict_is_not_denied(tmp_path: Path) -> None:
    lost = [i for i, right_one in enumerate(SCORES) if right_one][:9]
    result = _call(**_pair(tmp_path, flipped(SCORES, *lost)), margin=0.03)
    assert result.verdict == "INCONCLUSIVE"
    (task,) = result.tasks
    assert task.drop_detected
    assert task.flag is not None
    assert "whether it exceeds the margin is open" in task.reason
    assert "Say that a loss was shown on ifbench.ifbench" in result.next_step
    assert "neither a loss" not in result.next_step
    assert any("a loss was shown" in w for w in result.warnings)


def test_runs_that_cannot_be_compared_say_in_which_field(tmp_path: Path) -> None:
    result = _call(**_pair(tmp_path, SCORES, params={"temperature": 1.0}))
    assert result.verdict == result.comparability.verdict.upper() == "NOT_COMPARABLE"
    (difference,) = result.comparability.differences
    assert (difference.baseline, difference.candidate, difference.severity) == ("0.01", "1", "blocking")
    assert "temperature" in result.next_step
    assert result.tasks[0].delta is None


def test_a_failed_external_check_is_told_with_its_source(tmp_path: Path) -> None:
    result = _call(
        **_pair(tmp_path, flipped(SCORES, 0)), margin=0.02, published=["ifbench=0.9;source=https://example.org/card"]
    )
    assert result.verdict == "ANOMALOUS"
    assert result.external[0].status == "failed"
    assert result.external[0].source == "https://example.org/card"


def test_a_published_score_without_a_source_is_said_to_be_unverified(tmp_path: Path) -> None:
    result = _call(**_pair(tmp_path, flipped(SCORES, 0)), margin=0.02, published=["ifbench=0.51"])
    assert result.verdict == "ACCEPT"
    assert "ifbench.ifbench: the baseline is externally unverified." in result.warnings


def test_subsets_and_skipped_gates_are_said_beside_the_verdict(tmp_path: Path) -> None:
    names = _pair(tmp_path, flipped(SCORES, 1)[:250])
    folder = Path(names["candidate"])
    mark = stamp.Stamp(
        folder.name[-16:], "subset", 250, ("ifbench.ifbench",), 3, "f", "d", skip_reason="the cluster closes tonight"
    )
    stamp.write(folder, mark.dated())
    result = _call(**names, margin=0.05)
    assert result.verdict == "ACCEPT"
    assert any("250 of 294" in w for w in result.warnings)
    assert any("1 of the 3 tasks" in w for w in result.warnings)
    assert any("the cluster closes tonight" in w for w in result.warnings)
    assert "subset" in result.next_step
    assert "gates were skipped" in result.next_step


def test_the_report_is_written_where_it_is_wanted_and_nowhere_without(tmp_path: Path) -> None:
    names = _pair(tmp_path, flipped(SCORES, 0))
    result = _call(**names, margin=0.02, report=str(tmp_path / "report.html"))
    page = Path(result.report_path)
    assert page == tmp_path / "report.html"
    assert "ifbench.ifbench" in page.read_text(encoding="utf-8")
    assert str(page) in result.next_step


def test_a_report_never_replaces_a_file_that_is_none(tmp_path: Path) -> None:
    names = _pair(tmp_path, flipped(SCORES, 0))
    precious = tmp_path / "precious.html"
    precious.write_text("<p>mine</p>")
    with pytest.raises(QuantgateError):
        _call(**names, report=str(precious))
    assert precious.read_text() == "<p>mine</p>"


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_name_that_is_no_run_is_refused_with_a_fix(
    name: str, side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {**_pair(tmp_path, SCORES[:20]), side: name}
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises((BadInput, UnknownName)) as refusal:
        _call(**names)
    assert refusal.value.fix
    assert len(str(refusal.value)) < 1500


@pytest.mark.parametrize(
    "arguments", [{"margin": "0.01"}, {"published": "x=1"}, {"published": [1]}, {"margin": True}, {"tolerance": 1}]
)
def test_arguments_of_other_types_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        _call(baseline="a", candidate="b", **arguments)


def test_lists_are_bounded_and_say_so(tmp_path: Path) -> None:
    extra = {"extra": {f"key_{i}": i for i in range(300)}}
    result = _call(**_pair(tmp_path, SCORES, params=extra))
    assert len(result.comparability.differences) + result.comparability.omitted == 200
    assert result.comparability.omitted > 0
    assert len(result.reasons) <= MOST_REASONS
    assert len(json.dumps(result.model_dump(mode="json"))) < 40_000


def test_a_task_s_foreign_text_is_bounded_and_secrets_are_masked(tmp_path: Path) -> None:
    secret = "nvapi-" + "q" * 40
    foreign = {
        "note": f"\x1b[31m{secret} " + "x" * 10_000,
        "key \x1b[2J\u202e" + "y" * 5000: {"deep": [1, {"er": "z"}]},
    }
    result = _call(**_pair(tmp_path, SCORES, params={"extra": foreign}))
    text = json.dumps(result.model_dump(mode="json"))
    assert secret not in text
    assert "\\u001b" not in text
    assert len(text) < 20_000


def test_the_server_starts_without_the_numbers_libraries() -> None:
    code = (
        "import sys, quantgate.server as s; s.build();"
        "print([m for m in ('numpy', 'scipy', 'mlflow', 'jinja2', 'quantgate.compare.comparing') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "[]"
