"""A person's yes over real stdio, in both generations of the protocol: a client that accepts, declines, cancels, cannot ask.

The server, NEL and its process executor are real; the harness cannot be installed here, so a launched run ends at once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
import yaml
from mcp import Client, StdioServerParameters, stdio_client

from quantgate import cli
from quantgate.launcher import stamp
from quantgate.launcher.commands import TRUST_COMMANDS
from tests.conftest import SHARED_CACHE
from tests.gates.real_launches import Models

MODES = ["legacy", "auto"]
"""The handshake of 2025-11-25, and the sessionless 2026-07-28."""
REASON = "the user wants a number before the meeting"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    return _written(tmp_path / "eval.yaml", url)


def _written(path: Path, url: str, **evaluation: Any) -> Path:
    content = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"type": "process", "output_dir": str(path.parent / "results")},
        "target": {"api_endpoint": {"url": url, "model_id": "m", "api_key_name": "DUMMY_API_KEY"}},
        "evaluation": {
            "env_vars": {"DUMMY_API_KEY": "lit:dummy"},
            "tasks": [{"name": "ifbench.ifbench"}],
            **evaluation,
        },
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


class Person:
    """Answers forms, and keeps what was shown.

    Args:
        action: accept, decline or cancel.
        ticks: Which boxes are ticked on accept; None for all, [] for an accept without content.
    """

    def __init__(self, action: Any, ticks: list[str] | None = None) -> None:
        self.action = action
        self.ticks = ticks
        self.shown: list[Any] = []

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.shown.append(params)
        if self.action != "accept":
            return types.ElicitResult(action=self.action)
        boxes = list(params.requested_schema["properties"])
        return types.ElicitResult(action="accept", content={b: self.ticks is None or b in self.ticks for b in boxes})


class Careless(Person):
    """A client that sends every form off without looking."""

    async def __call__(self, context: Any, params: Any) -> types.ElicitResult:
        self.shown.append(params)
        return types.ElicitResult(action="accept", content={})


Calls = list[tuple[str, dict[str, Any]]]


def _over_stdio(
    calls: Calls, person: Person | None, mode: Any, tmp_path: Path, flags: tuple[str, ...] = (), **env: str
) -> list[Any]:
    """The answers to some calls of one server process."""
    cache = tmp_path / "cache"
    (cache / "harnesses").mkdir(parents=True, exist_ok=True)
    (cache / "harnesses" / "builds").touch()  # in the way: no harness can be installed
    for parsed in SHARED_CACHE.glob("catalogue-*.json"):
        (cache / parsed.name).write_bytes(parsed.read_bytes())

    async def go() -> list[Any]:
        own = {
            "QUANTGATE_HOME": str(tmp_path / "home"),
            "QUANTGATE_CACHE": str(cache),
            "NEMO_EVALUATOR_EXEC_DB_FILE": os.environ["NEMO_EVALUATOR_EXEC_DB_FILE"],
        }
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "quantgate", "serve", *flags], env={**own, **env}
        )
        callback = {"elicitation_callback": person} if person is not None else {}
        async with Client(stdio_client(server), mode=mode, **callback) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    with anyio.from_thread.start_blocking_portal() as portal:
        return portal.call(go)


def _run(config: Path, **changes: Any) -> tuple[str, dict[str, Any]]:
    return "run", {"config": str(config), "skip_gates_reason": REASON, **changes}


def _text(answer: Any) -> str:
    return str(answer.content[0].text)


@pytest.mark.parametrize("mode", MODES)
def test_a_yes_starts_the_run_and_the_reason_follows_it_everywhere(mode: str, config: Path, tmp_path: Path) -> None:
    person = Person("accept")
    (started,) = _over_stdio([_run(config, max_samples=3)], person, mode, tmp_path)
    assert not started.is_error, started.content
    (form,) = person.shown
    assert f"| {REASON}" in form.message
    assert "dry run was not made" in form.message
    assert form.requested_schema["required"] == ["yes_1"]
    result = started.structured_content
    assert result["kind"] == "subset"
    assert REASON in result["warnings"][0]

    invocation = result["invocation_id"]
    (directory,) = (tmp_path / "results").glob(f"*-{invocation}")
    laid = stamp.read(directory)
    assert laid is not None
    assert (laid.skip_reason, laid.kind, laid.sample_limit) == (REASON, "subset", 3)
    status, verified = _over_stdio(
        [("status", {"invocation_ids": [invocation]}), ("verify_run", {"run": invocation})], None, mode, tmp_path
    )
    assert status.structured_content["runs"][0]["kind"] == "subset"
    assert REASON in status.structured_content["warnings"][0]
    assert REASON in verified.structured_content["warnings"][0]
    gates = next(c for c in verified.structured_content["tasks"][0]["checks"] if c["name"] == "gates")
    assert (gates["ok"], REASON in gates["detail"]) == (False, True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("person", "says"),
    [
        (Person("decline"), "the user was asked and said no"),
        (Person("cancel"), "closed the form"),
        (Person("accept", ["none"]), "did not say yes"),
        (Careless("accept"), "closed the form"),
        (None, "nobody could be asked"),
    ],
    ids=["declines", "cancels", "ticks nothing", "sends it off unread", "cannot ask"],
)
def test_without_a_yes_nothing_is_started(
    mode: str, person: Person | None, says: str, config: Path, tmp_path: Path
) -> None:
    (refused,) = _over_stdio([_run(config)], person, mode, tmp_path)
    assert refused.is_error
    assert says in _text(refused)
    assert not (tmp_path / "results").exists()
    if person is not None:
        assert len(person.shown) == 1
        person.shown.clear()


@pytest.mark.parametrize("mode", MODES)
def test_a_yes_to_commands_lets_the_canary_and_then_the_run_start_and_is_asked_for_once(
    mode: str, url: str, tmp_path: Path
) -> None:
    config = _written(tmp_path / "eval.yaml", url, pre_cmd="echo prepared \x1b[8m&& true")
    person = Person("accept")
    calls: Calls = [
        ("check_config", {"config": str(config)}),
        ("dry_run", {"config": str(config)}),
        ("canary", {"config": str(config), "samples": 2}),
        ("canary", {"config": str(config), "samples": 2, "again": True}),
    ]
    checked, dry, canary, again = _over_stdio(calls, person, mode, tmp_path)
    assert checked.structured_content["ok"]
    assert dry.structured_content["passed"], dry.structured_content
    assert not canary.is_error, _text(canary)
    assert not again.is_error, _text(again)
    (form,) = person.shown
    assert "evaluation.pre_cmd:\n| echo prepared \\x1b[8m&& true" in form.message
    (box,) = form.requested_schema["properties"].values()
    assert box["title"] == "These commands may run"
    invocation = canary.structured_content["invocation_id"]
    (script,) = (tmp_path / "results").glob(f"*-{invocation}/*/command.sh")
    assert "echo prepared" in script.read_text()


@pytest.mark.parametrize("mode", MODES)
def test_a_yes_to_one_of_two_questions_is_no_yes_to_the_other(mode: str, url: str, tmp_path: Path) -> None:
    config = _written(tmp_path / "eval.yaml", url, pre_cmd="echo prepared")
    person = Person("accept", ["yes_1"])
    (refused,) = _over_stdio([_run(config)], person, mode, tmp_path)
    assert len(person.shown[0].requested_schema["properties"]) == 2
    assert refused.is_error
    assert "commands of its own" in _text(refused)
    assert "without its gates" not in _text(refused)


def test_the_flag_of_the_server_lets_a_client_without_forms_skip_and_the_variable_lets_commands_run(
    url: str, tmp_path: Path
) -> None:
    mode = "auto"
    config = _written(tmp_path / "eval.yaml", url, pre_cmd="echo prepared")
    flag = ("--allow-skip-gates",)
    (refused,) = _over_stdio([_run(config)], None, mode, tmp_path, flag)
    assert f"{TRUST_COMMANDS}=1" in _text(refused)
    (started,) = _over_stdio([_run(config)], None, mode, tmp_path, flag, **{TRUST_COMMANDS: "1"})
    assert not started.is_error, _text(started)
    assert REASON in started.structured_content["warnings"][0]


def test_a_command_line_of_one_call_has_no_such_flag(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["call", "run", "{}", "--allow-skip-gates"])
    assert "unrecognized arguments: --allow-skip-gates" in capsys.readouterr().err
    assert cli.main(["call", *_shell(_run(config))]) == 1
    assert "nobody could be asked here" in capsys.readouterr().err


def _shell(call: tuple[str, dict[str, Any]]) -> tuple[str, str]:
    return call[0], json.dumps(call[1])
