"""The same tools in a shell."""

from __future__ import annotations

import io
import json

import pytest

from quantgate import __version__, cli
from quantgate.tools import TOOLS


def test_a_tool_prints_its_result_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["call", "list_tasks", '{"query": "mmlu pro", "limit": 3}']) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["tasks"]) <= 3
    assert result["next_step"]


def test_arguments_may_come_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"limit": 1}'))
    assert cli.main(["call", "list_tasks", "-"]) == 0
    assert len(json.loads(capsys.readouterr().out)["tasks"]) == 1


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("list_taks", "{}", "one of: check_environment"),
        ("list_tasks", "{", "not JSON"),
        ("list_tasks", "[]", "not a JSON object"),
        ("list_tasks", '{"querry": "x"}', "querry"),
        ("check_config", "{}", "'config' is missing"),
    ],
)
def test_a_refusal_says_what_to_do_and_exits_with_one(
    tool: str, arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["call", tool, arguments]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.strip() == f"quantgate {__version__}"


def test_the_tools_are_listed_in_the_order_of_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tools"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, spec in zip(lines, TOOLS, strict=True):
        assert f" {spec.name} " in line
