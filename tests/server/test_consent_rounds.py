"""Several forms in one call, nobody to ask, and forms that fail; in both generations of the protocol, in one process.

Where a call must need two kinds of yes one after the other, a made tool stands in for those that do so only on a cluster.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client

from quantgate import server
from quantgate.gates.permission import consent
from quantgate.runs.clusters import mirrored
from quantgate.runs.rundir import RunDir
from quantgate.server import offering
from quantgate.tools.spec import ToolResult
from tests.compare.made_runs import Made, right, run
from tests.server.http_server import serving
from tests.server.http_server import with_client as over_http
from tests.server.in_memory import MODES, MadeTool, with_client

HOSTS = ("a@first.unheard.example", "b@second.unheard.example")
COMPARE = {"baseline": f"{HOSTS[0]}:/runs/one", "candidate": f"{HOSTS[1]}:/runs/two"}


@pytest.fixture(autouse=True)
def _nobody_said_yes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(consent, "_lasting", set())
    # Should a host be contacted all the same: port 9 of this machine, where nobody answers. `Host *` names none of them.
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n  HostName 127.0.0.1\n  Port 9\n", "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))


class Person:
    """Answers one form after the other, the last answer for all that follow; True ticks every box."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.shown: list[str] = []

    async def __call__(self, context: Any, params: Any) -> Any:
        self.shown.append(params.message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not True:
            return answer
        return types.ElicitResult(action="accept", content=dict.fromkeys(params.requested_schema["properties"], True))


NO = types.ElicitResult(action="decline")
BROKEN = types.ErrorData(code=-32601, message="Method not found")


def _call(mode: str, name: str, arguments: dict[str, Any], person: Person) -> str:
    answer = with_client(mode, lambda client: client.call_tool(name, arguments), elicitation_callback=person)
    return str(answer.content[0].text)


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Stands in for copies from clusters: both hosts have the same made run."""
    made = RunDir.find(run(tmp_path, Made(right(20))))
    monkeypatch.setattr(mirrored, "mirror_of", lambda host, path: mirrored.Mirror(host, path, made))


@MODES
@pytest.mark.usefixtures("reached")
def test_two_hosts_that_nobody_named_are_asked_for_one_after_the_other(mode: str) -> None:
    person = Person(True)
    text = _call(mode, "compare_runs", COMPARE, person)
    assert [host in shown for shown, host in zip(person.shown, HOSTS, strict=True)] == [True, True]
    assert '"verdict"' in text


@MODES
@pytest.mark.usefixtures("reached")
def test_a_no_to_the_second_is_told_of_the_second(mode: str) -> None:
    person = Person(True, NO)
    text = _call(mode, "compare_runs", COMPARE, person)
    assert len(person.shown) == 2
    assert f"{HOSTS[1]} is neither in clusters.yaml" in text
    assert "said no" in text
    assert HOSTS[0] not in text


def _question(name: str, **changes: Any) -> consent.Question:
    texts = {"what": f"It needs {name}", "where": name, "text": f"Is {name} right?", "yes": name, "otherwise": "no way"}
    return consent.Question(token=(name,), **{**texts, **changes})


STEPS: list[consent.Question] = []


def made_tool() -> ToolResult:
    """Needs a yes to each of STEPS, and finds out one by one."""
    for question in STEPS:
        consent.require([question])
    return ToolResult(next_step="Tell the user.")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offering, "TOOLS", (MadeTool("made_tool", "-", "Made", made=made_tool),))


@MODES
@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("lasting", [(False, False, False), (True, False, True)])
def test_each_is_asked_once_and_its_answer_is_kept_for_the_call(
    mode: str, lasting: tuple[bool, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"step {number}" for number in range(len(lasting))]
    steps = [_question(name, lasting=long) for name, long in zip(names, lasting, strict=True)]
    monkeypatch.setitem(globals(), "STEPS", steps)
    person = Person(True)
    assert "Tell the user" in _call(mode, "made_tool", {}, person)
    assert [text.split("Is ")[1] for text in person.shown] == [f"{name} right?" for name in names]
    # For one call, but for what lasts.
    again = Person(NO)
    assert "said no" in _call(mode, "made_tool", {}, again)
    assert [text.split("Is ")[1] for text in again.shown] == [f"{names[lasting.index(False)]} right?"]


@MODES
@pytest.mark.usefixtures("made")
def test_a_second_yes_that_no_form_can_ask_for_is_not_called_refused(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "STEPS", [_question("step 0"), _question("step 1", masked=True)])
    person = Person(True)
    text = _call(mode, "made_tool", {}, person)
    assert len(person.shown) == 1
    assert "It needs step 1" in text
    assert "nobody could be asked" in text
    assert "was asked" not in text


@MODES
@pytest.mark.usefixtures("made")
def test_a_call_does_not_ask_for_ever(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "STEPS", [_question(f"step {number}") for number in range(20)])
    person = Person(True)
    assert "a person's yes is missing" in _call(mode, "made_tool", {}, person)
    assert len(person.shown) == 4


@pytest.mark.usefixtures("made")
def test_a_client_that_says_it_has_forms_and_has_none_gets_the_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "STEPS", [_question("step 0")])
    # From 2026-07-28 on such a client fails by itself and never calls again.
    text = _call("legacy", "made_tool", {}, Person(BROKEN))
    assert "nobody could be asked" in text


def test_such_a_client_gets_the_questions_of_build_config(tmp_path: Path) -> None:
    person = Person(BROKEN)
    text = _call("legacy", "build_config", {"output": str(tmp_path)}, person)
    assert len(person.shown) == 1
    assert "execution: " in text
    assert "unexpected" not in text


@MODES
@pytest.mark.parametrize("may_grant", [True, False])
@pytest.mark.usefixtures("made")
def test_a_server_that_may_not_ask_does_not(mode: str, may_grant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "STEPS", [_question("step 0")])
    person = Person(True)

    async def go() -> str:
        async with Client(server.build(may_grant=may_grant), mode=mode, elicitation_callback=person) as client:
            answer: Any = await client.call_tool("made_tool", {})
            return str(answer.content[0].text)

    text = anyio.run(go)
    assert len(person.shown) == may_grant
    assert ("nobody could be asked" in text) != may_grant


@MODES
def test_over_http_who_may_only_read_is_not_asked_and_who_may_do_all_is(mode: str, tmp_path: Path) -> None:
    full, reads = "f" * 40, "r" * 40
    variables = {"QUANTGATE_HTTP_TOKEN": full, "QUANTGATE_HTTP_READ_ONLY_TOKEN": reads}
    look = {"model": f"{HOSTS[0]}:/models/one"}
    with serving(tmp_path, **variables) as listening:

        def asked(token: str) -> tuple[int, str]:
            person = Person(NO)
            answer = over_http(
                listening.url,
                token,
                mode,
                lambda client: client.call_tool("read_model_config", look),
                elicitation_callback=person,
            )
            return len(person.shown), str(answer.content[0].text)

        forms, text = asked(reads)
        assert (forms, "nobody could be asked" in text) == (0, True)
        forms, text = asked(full)
        assert (forms, "said no" in text) == (1, True)
