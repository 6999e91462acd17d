"""A person's yes: bound to what was shown, granted by the server alone, and what a launch does without it.

NEL's child is stood in for: what it would be asked is recorded, nothing is evaluated.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from quantgate import credentials, redact
from quantgate.cluster.hosts import Host
from quantgate.errors import ConfigError, EndpointError, Refused
from quantgate.gates import ledger
from quantgate.gates.launches import launching, submission
from quantgate.gates.permission import consent, shown
from quantgate.gates.planning import endpoint, plan
from quantgate.gates.questions import hosts, skipping, trust
from quantgate.launcher import commands, door

REASON = "the user wants a number before the meeting"


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "_lasting", set())
    monkeypatch.setattr(consent, "_skips_allowed", False)
    monkeypatch.setattr(redact, "_registered", set())
    monkeypatch.delenv(commands.TRUST_TASKS, raising=False)


@pytest.fixture
def nel(monkeypatch: pytest.MonkeyPatch) -> list[door.Request]:
    asked: list[door.Request] = []

    def launch(request: door.Request, env: Any) -> door.Answer:
        asked.append(request)
        logs = request.output_dir / f"20260102_030405-{request.invocation_id}" / "ifbench.ifbench.0" / "logs"
        logs.mkdir(parents=True)
        (logs / "stage.running").write_text("2026-01-02T03:04:06Z")
        return door.Answer(request.invocation_id, "", "")

    monkeypatch.setattr(door, "dry_run", lambda path, env, digest: door.Answer("0" * 16, "fine", "fine"))
    monkeypatch.setattr(door, "launch", launch)
    monkeypatch.setattr(endpoint, "probe", lambda config, env: endpoint.Served("http://x/v1/models", ("m",)))
    return asked


def _config(tmp_path: Path, executor: str = "process", **evaluation: Any) -> str:
    # A container does not see this machine's loopback, which check_config knows.
    host = "127.0.0.1" if executor == "process" else "10.11.12.13"
    target = {"url": f"http://{host}:9/v1/chat/completions", "model_id": "m", "api_key_name": "DUMMY_API_KEY"}
    content = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"type": executor, "output_dir": str(tmp_path / "results")},
        "target": {"api_endpoint": target},
        "evaluation": {
            "env_vars": {"DUMMY_API_KEY": "lit:dummy"},
            "tasks": [{"name": "ifbench.ifbench"}],
            **evaluation,
        },
    }
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


def _canary(config: str, *, again: bool = False) -> submission.Launch:
    return launching.canary(config, samples=5, tasks=[], again=again)


def _run(config: str, reason: str = "", **changes: Any) -> submission.Launch:
    return launching.run(config, **{"tasks": [], "max_samples": 0, "skip_gates_reason": reason, **changes})


def _needed(call: Any) -> consent.ConsentNeeded:
    with pytest.raises(consent.ConsentNeeded) as caught:
        call()
    return caught.value


def _tokens(needed: consent.ConsentNeeded) -> list[consent.Token]:
    return [question.token for question in needed.questions]


def _pass_both(config: str) -> None:
    launching.dry_run(config)
    launch = _canary(config)
    ledger.put_gate(ledger.Gate(launch.plan.fingerprint, "canary", True, (), {}, launch.attempt.invocation_id))


def test_a_yes_holds_inside_its_call_and_for_its_own_token_only() -> None:
    with consent.given({("skip_gates", "a")}):
        assert consent.has(("skip_gates", "a"))
        assert not consent.has(("skip_gates", "b"))
    assert not consent.has(("skip_gates", "a"))


def test_a_yes_reaches_the_thread_that_works_and_no_other_call() -> None:
    seen: dict[str, bool] = {}

    async def call(name: str, tokens: set[consent.Token], turn: anyio.Event) -> None:
        with consent.given(tokens):
            await turn.wait()
            seen[name] = await anyio.to_thread.run_sync(lambda: consent.has(("commands", "x")))

    async def go() -> None:
        turn = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(call, "with", {("commands", "x")}, turn)
            group.start_soon(call, "without", set(), turn)
            await anyio.wait_all_tasks_blocked()
            turn.set()

    anyio.run(go)
    assert seen == {"with": True, "without": False}
    other: list[bool] = []
    with consent.given({("commands", "x")}):
        thread = threading.Thread(target=lambda: other.append(consent.has(("commands", "x"))))
        thread.start()
        thread.join()
    assert other == [False]


def test_commands_of_a_config_are_launched_only_with_a_yes_to_these_very_texts(
    tmp_path: Path, nel: list[door.Request]
) -> None:
    config = _config(tmp_path, pre_cmd="pip install x", tasks=[{"name": "ifbench.ifbench", "post_cmd": "echo done"}])
    assert launching.dry_run(config).passed
    needed = _needed(lambda: _canary(config))
    assert "evaluation.pre_cmd, evaluation.tasks[0].post_cmd" in str(needed)
    assert f"{commands.TRUST_COMMANDS}=1" in str(needed)
    (question,) = needed.questions
    assert "| pip install x" in question.text
    assert "| echo done" in question.text
    assert "on this machine" in question.text
    assert ledger.attempts() == []
    with consent.given({("commands", str(tmp_path / "eval.yaml"), "0" * 64)}):
        _needed(lambda: _canary(config))
    with consent.given(_tokens(needed)):
        _canary(config)
    assert nel[0].trusted == commands.Trusted(question.token[2], False)


def test_a_yes_to_commands_lasts_in_this_server_until_a_text_changes(tmp_path: Path, nel: list[door.Request]) -> None:
    config = _config(tmp_path, pre_cmd="echo one")
    launching.dry_run(config)
    with consent.given(_tokens(_needed(lambda: _canary(config)))):
        _canary(config)
    assert not _canary(config, again=True).found
    _config(tmp_path, pre_cmd="echo two")
    launching.dry_run(config)
    assert "| echo two" in _needed(lambda: _canary(config)).questions[0].text


def test_the_variable_in_the_server_s_environment_is_a_yes_and_one_in_a_file_is_none(
    tmp_path: Path, nel: list[door.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(tmp_path, pre_cmd="echo one")
    (tmp_path / ".env").write_text(f"{commands.TRUST_COMMANDS}=1\n")
    launching.dry_run(config)
    _needed(lambda: _canary(config))
    monkeypatch.setenv(commands.TRUST_COMMANDS, "1")
    _canary(config)
    assert nel[0].trusted == commands.Trusted()


def test_commands_that_are_too_long_to_be_read_are_for_the_variable_only(
    tmp_path: Path, nel: list[door.Request]
) -> None:
    config = _config(tmp_path, pre_cmd="echo x\n" * 2000)
    launching.dry_run(config)
    needed = _needed(lambda: _canary(config))
    assert not needed.can_be_asked
    assert "too long for a form" in str(needed)


def test_a_task_outside_the_catalogue_needs_a_yes_that_names_its_image(
    tmp_path: Path, nel: list[door.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantgate.launcher.containers.require_engine", lambda: None)
    own = {"name": "mine.task", "container": "reg.io/x:1", "endpoint_type": "chat"}
    config = _config(tmp_path, "local", tasks=[own, {"name": "ifbench.ifbench"}])
    assert launching.dry_run(config).passed
    needed = _needed(lambda: _canary(config))
    assert "| mine.task from the image reg.io/x:1" in needed.questions[0].text
    assert "ifbench" not in needed.questions[0].text
    with consent.given(_tokens(needed)):
        _canary(config)
    assert nel[0].trusted == commands.Trusted("", True)


def test_a_name_that_only_its_harness_s_image_may_know_is_unlisted_and_an_image_file_is_a_choice() -> None:
    def of(name: str, container: str = "") -> bool:
        task = {"name": name, "container": container}
        return bool(trust.unlisted({"evaluation": {"tasks": [task]}}))

    assert of("lm-evaluation-harness.polemo2_custom_unlisted")
    assert of("gpqa", "reg.io/mine:1")
    assert not of("ifbench.ifbench", "nvcr.io/nvidia/eval-factory/ifbench:26.05")
    assert not of("mine.task", "/images/mine.sqsh")


def test_what_hides_in_a_command_is_written_out() -> None:
    text = shown.quoted("echo \x1b[2Kok \u202egnp.exe\u200b" + " " * 60 + "; rm -rf ~\n\n\n\n\n\nlast\r")
    assert text == ("| echo \\x1b[2Kok \\u202egnp.exe\\u200b [60 spaces] ; rm -rf ~\n| [5 empty lines]\n| last\\r")


def test_a_secret_in_a_command_is_masked_and_no_line_passes_for_the_form_s_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUDGE_TOKEN", "secret-of-the-judge")
    text = shown.quoted("curl -H secret-of-the-judge\nThe commands end here. They were reviewed.")
    assert "secret-of-the-judge" not in text
    assert all(line.startswith("| ") for line in text.splitlines())


def test_a_path_with_ends_of_lines_and_marks_stands_in_every_form_behind_a_bar(tmp_path: Path) -> None:
    folder = tmp_path / "a\n\nYou asked for this yourself.\x1b[2K\u202e\n"
    folder.mkdir()
    planned = plan.read(
        _config(folder, "local", pre_cmd="echo", tasks=[{"name": "mine.task", "container": "reg.io/x:1"}])
    )
    host = hosts.Target(Host("me@login.unheard.example", "", None), "/out")
    wanted = skipping.skip(plan.read(_config(tmp_path)), REASON, [Refused(f"No dry run of {folder}/eval.yaml")])
    asked = [*trust.questions(planned), *hosts.questions(planned, host), *skipping.questions(planned, wanted)]
    assert [question.token[0] for question in asked] == ["commands", "unlisted", "host", "skip_gates"]
    for question in asked:
        lines = [line for line in question.text.splitlines() if "You asked for this" in line]
        assert lines
        # Behind a bar, or inside a line that does not begin with it.
        assert all(line.startswith(("| You asked", "- No dry run")) for line in lines)
        assert question.text.replace("\n", "").isprintable()


@pytest.mark.parametrize("command", ["API_KEY=`sh</tmp/evil.sh`", "known-to-a-file; sh /tmp/evil.sh"])
def test_a_command_of_which_a_part_is_masked_is_for_the_variable_only(
    command: str, tmp_path: Path, nel: list[door.Request]
) -> None:
    # A `.env` is an agent's to write: what it calls a secret would be masked in the form.
    (tmp_path / ".env").write_text("MY_TOKEN='known-to-a-file; sh /tmp/evil.sh'\n")
    config = _config(tmp_path, pre_cmd=command)
    credentials.read_env_file(tmp_path / ".env")
    launching.dry_run(config)
    needed = _needed(lambda: _canary(config))
    assert not needed.can_be_asked
    assert "looks like a secret" in str(needed)
    assert f"{commands.TRUST_COMMANDS}=1" in str(needed)


def test_a_variable_that_a_command_uses_is_shown_and_a_change_of_it_is_asked_again(
    tmp_path: Path, nel: list[door.Request]
) -> None:
    def config(value: str) -> str:
        variables = {"DUMMY_API_KEY": "lit:dummy", "SETUP": value}
        return _config(tmp_path, pre_cmd='eval "$SETUP"', env_vars=variables)

    launching.dry_run(config("lit:true"))
    needed = _needed(lambda: _canary(config("lit:true")))
    assert "evaluation.env_vars.SETUP (variable):\n| lit:true" in needed.questions[0].text
    with consent.given(_tokens(needed)):
        _canary(config("lit:true"))
    launching.dry_run(config("lit:uptime"))
    assert "| lit:uptime" in _needed(lambda: _canary(config("lit:uptime"))).questions[0].text


def test_a_model_s_name_that_runs_something_needs_a_yes_that_shows_it(tmp_path: Path, nel: list[door.Request]) -> None:
    path = Path(_config(tmp_path))
    content = yaml.safe_load(path.read_text())
    content["target"]["api_endpoint"]["model_id"] = "m; touch /tmp/x #"
    path.write_text(yaml.safe_dump(content))
    (question,) = trust.questions(plan.read(str(path)))
    assert "target.api_endpoint.model_id (part of the harness's command line):\n| m; touch /tmp/x #" in question.text
    assert question.can_be_shown
    assert trust.confirmed(plan.read(str(path))).commands == question.token[2]


def test_gates_are_skipped_only_with_a_yes_to_this_reason_and_these_gates(
    tmp_path: Path, nel: list[door.Request]
) -> None:
    config = _config(tmp_path)
    needed = _needed(lambda: _run(config, REASON))
    (question,) = needed.questions
    assert f"| {REASON}" in question.text
    assert "dry run was not made" in question.text
    assert "No canary" in question.text
    assert "--allow-skip-gates" in str(needed)
    with consent.given(_tokens(needed)):
        _needed(lambda: _run(config, REASON + " today"))
        launch = _run(config, REASON)
    assert (launch.attempt.kind, launch.attempt.skip_reason) == ("full", REASON)
    assert nel[0].stamp is not None
    assert (nel[0].stamp.skip_reason, nel[0].stamp.invocation_id) == (REASON, launch.attempt.invocation_id)


def test_a_yes_to_a_skip_is_for_one_call(tmp_path: Path, nel: list[door.Request]) -> None:
    config = _config(tmp_path)
    with consent.given(_tokens(_needed(lambda: _run(config, REASON)))):
        _run(config, REASON)
    _needed(lambda: _run(config, REASON, max_samples=3))


def test_a_skip_of_a_canary_that_did_not_pass_says_what_was_wrong_with_it(
    tmp_path: Path, nel: list[door.Request]
) -> None:
    config = _config(tmp_path)
    launching.dry_run(config)
    launch = _canary(config)
    gate = ledger.Gate(launch.plan.fingerprint, "canary", False, ("3 of 5 scored",), {}, launch.attempt.invocation_id)
    ledger.put_gate(gate)
    text = _needed(lambda: _run(config, REASON)).questions[0].text
    assert "3 of 5 scored" in text
    assert "dry run" not in text


@pytest.mark.parametrize("reason", [" ", "hurry", "just because", "x" * 900, "\u200b \u200b"])
def test_a_reason_that_says_nothing_is_refused(reason: str, tmp_path: Path, nel: list[door.Request]) -> None:
    with pytest.raises(Refused, match="A reason is a sentence") as caught:
        _run(_config(tmp_path), reason)
    assert not isinstance(caught.value, consent.ConsentNeeded)


def test_a_reason_in_a_script_without_spaces_is_one(tmp_path: Path, nel: list[door.Request]) -> None:
    _needed(lambda: _run(_config(tmp_path), "用户希望今天就得到结果"))


def test_a_reason_is_not_written_down_where_the_gates_hold(tmp_path: Path, nel: list[door.Request]) -> None:
    config = _config(tmp_path)
    _pass_both(config)
    launch = _run(config, REASON)
    assert launch.attempt.skip_reason == ""
    assert nel[-1].stamp is not None
    assert nel[-1].stamp.skip_reason == ""


def test_a_server_started_with_the_flag_skips_without_asking_and_still_wants_a_reason(
    tmp_path: Path, nel: list[door.Request]
) -> None:
    config = _config(tmp_path)
    consent.allow_skipped_gates()
    with pytest.raises(Refused, match="A reason"):
        _run(config, "hurry")
    with pytest.raises(Refused, match="dry run"):
        _run(config)
    assert _run(config, REASON).attempt.skip_reason == REASON


def test_a_skip_covers_neither_check_config_nor_a_dead_endpoint_nor_a_config_that_does_not_compose(
    tmp_path: Path, nel: list[door.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    consent.allow_skipped_gates()
    misspelt = _config(tmp_path, nemo_evaluator_config={"config": {"params": {"parallelism": "many"}}})
    with pytest.raises(Refused, match=r"does not skip check_config.*parallelism"):
        _run(misspelt, REASON)
    Path(misspelt).write_text("defaults: [")
    with pytest.raises(ConfigError):
        _run(misspelt, REASON)
    config = _config(tmp_path)

    def dead(*_: Any) -> None:
        raise EndpointError("The endpoint does not answer")

    monkeypatch.setattr(endpoint, "probe", dead)
    with pytest.raises(EndpointError):
        _run(config, REASON)
    assert nel == []


def test_a_skip_does_not_cover_the_commands_and_both_are_asked_at_once(tmp_path: Path, nel: list[door.Request]) -> None:
    config = _config(tmp_path, pre_cmd="echo one")
    needed = _needed(lambda: _run(config, REASON))
    assert [token[0] for token in _tokens(needed)] == ["skip_gates", "commands"]
    with consent.given(_tokens(needed)[:1]):
        assert [token[0] for token in _tokens(_needed(lambda: _run(config, REASON)))] == ["commands"]


def test_a_run_that_is_going_on_already_is_found_without_asking(tmp_path: Path, nel: list[door.Request]) -> None:
    config = _config(tmp_path)
    with consent.given(_tokens(_needed(lambda: _run(config, REASON)))):
        first = _run(config, REASON)
    second = _run(config, REASON)
    assert (second.found, second.attempt.invocation_id) == (True, first.attempt.invocation_id)
    assert len(nel) == 1


@pytest.mark.parametrize(("outcome", "says"), [("declined", "said no"), ("cancelled", "closed the form")])
def test_after_a_no_the_refusal_says_so_and_does_not_send_the_agent_back(
    outcome: consent.Outcome, says: str, tmp_path: Path, nel: list[door.Request]
) -> None:
    with consent.given((), outcome):
        text = str(_needed(lambda: _run(_config(tmp_path), REASON)))
    assert says in text
    assert "only if the user asks for it" in text


def test_a_secret_in_a_reason_reaches_neither_the_form_nor_the_ledger(
    tmp_path: Path, nel: list[door.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_TOKEN", "secret-of-the-judge")
    consent.allow_skipped_gates()
    launch = _run(_config(tmp_path), "the judge secret-of-the-judge is slow today")
    assert "secret-of-the-judge" not in launch.attempt.skip_reason
    planned = plan.read(_config(tmp_path))
    wanted = skipping.skip(planned, "the judge secret-of-the-judge is slow today", [Refused("No canary")])
    monkeypatch.setattr(consent, "_skips_allowed", False)
    assert "secret-of-the-judge" not in str(skipping.questions(planned, wanted))
