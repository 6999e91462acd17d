"""The same tools in a shell."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quantgate import __version__, cli
from quantgate.redact import MASK
from quantgate.tools import TOOLS, calling


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


def test_ctrl_c_in_a_call_ends_it_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(_spec: object, _arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(calling, "validated", stopped)
    assert cli.main(["call", "list_tasks"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "command",
    [["doctor"], ["runs"], ["watch"], ["install-skill", "--client", "claude-code"], ["http-token", "me"], ["eval"]],
)
def test_what_nobody_foresaw_is_one_redacted_line_in_every_command(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_args: object) -> int:
        raise RuntimeError("with hf_" + "a1" * 10)

    monkeypatch.setattr(cli, "_COMMANDS", dict.fromkeys(cli._COMMANDS, broken))
    monkeypatch.setattr(cli, "_eval", broken)
    assert cli.main(command) == 1
    assert capsys.readouterr().err == f"{command[0]} failed with an unexpected RuntimeError: with {MASK}\n"


def test_a_call_that_is_asked_to_end_leaves_no_private_files(tmp_path: Path) -> None:
    held = (
        "import sys, time\nfrom quantgate import cli, scratch\nfrom quantgate.tools import calling\n"
        "def hold(*_):\n    with scratch.private_directory() as path:\n        print(path, flush=True)\n        time.sleep(60)\n"
        "calling.validated = hold\nsys.exit(cli.main(['call', 'list_tasks']))\n"
    )
    environment = {**os.environ, "QUANTGATE_HOME": str(tmp_path / "home")}
    with subprocess.Popen([sys.executable, "-c", held], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        path = Path(process.stdout.readline().strip())
        assert path.is_dir()
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("flag", ["--samples", "--canary-samples", "--max-tokens"])
@pytest.mark.parametrize("value", ["0", "-1"])
def test_the_demo_takes_no_number_that_would_mean_everything(flag: str, value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["demo", f"{flag}={value}"])
    assert ended.value.code == 2
