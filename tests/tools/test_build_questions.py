"""build_config asks the user what the call left open, in one form, where the client can show one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.server.elicitation import render_elicitation_schema

from quantgate.benchmarks.bundles import understand
from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.benchmarks.recipes import load_recipes
from quantgate.launcher import templates
from quantgate.tools import build_questions

ANSWERS = {"execution": "slurm", "deployment": "vllm", "model_type": "base", "benchmarks": ["coding", "safety"]}
OPEN = {"execution": "", "deployment": "", "model_type": "", "benchmarks": [], "export": "none", "output": ""}


def _over_stdio(arguments: dict[str, Any], answer: Any, mode: Any, home: Path) -> tuple[Any, list[Any]]:
    """Call build_config in a real server process, with a client that answers forms (or has no forms: None)."""
    shown: list[Any] = []

    async def elicit(context: Any, params: Any) -> types.ElicitResult:
        shown.append(params)
        result: types.ElicitResult = answer
        return result

    async def go() -> Any:
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "quantgate", "serve"], env={"QUANTGATE_HOME": str(home)}
        )
        callback = {"elicitation_callback": elicit} if answer is not None else {}
        async with Client(stdio_client(server), mode=mode, **callback) as client:
            return await client.call_tool("build_config", arguments)

    return anyio.run(go), shown


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_with_forms_is_asked_once_for_what_is_open_and_the_config_is_written(
    mode: str, tmp_path: Path
) -> None:
    answer = types.ElicitResult(action="accept", content=ANSWERS)
    result, shown = _over_stdio({"output": str(tmp_path), "execution": "slurm"}, answer, mode, tmp_path / "home")
    assert not result.is_error, result.content
    (form,) = shown
    properties = form.requested_schema["properties"]
    assert list(properties) == ["deployment", "model_type", "benchmarks", "export"]
    assert properties["deployment"]["enum"] == list(templates.choices().deployment)
    content = result.structured_content
    assert Path(content["path"]).name == "slurm_vllm_base_coding.yaml"
    assert "garak.garak-completions" in content["add_tasks"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_user_who_does_not_answer_leaves_the_refusal_with_every_question(
    mode: str, action: Any, tmp_path: Path
) -> None:
    result, shown = _over_stdio({"output": str(tmp_path)}, types.ElicitResult(action=action), mode, tmp_path / "home")
    assert result.is_error
    assert len(shown) == 1
    assert "execution: " in result.content[0].text
    assert list(tmp_path.glob("*.yaml")) == []


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_an_answer_that_does_not_fit_the_form_ends_in_the_refusal(mode: str, tmp_path: Path) -> None:
    answer = types.ElicitResult(
        action="accept", content={"execution": "moon", "deployment": "vllm", "model_type": "base"}
    )
    result, _ = _over_stdio({"output": str(tmp_path)}, answer, mode, tmp_path / "home")
    assert result.is_error
    assert "model_type: " in result.content[0].text


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_without_forms_gets_the_refusal(mode: str, tmp_path: Path) -> None:
    result, _ = _over_stdio({"output": str(tmp_path)}, None, mode, tmp_path / "home")
    assert result.is_error
    assert "deployment: " in result.content[0].text


def test_a_call_with_the_three_answers_is_not_asked_anything() -> None:
    assert build_questions.ask({**OPEN, "execution": "local", "deployment": "none", "model_type": "base"}, True) is None


@pytest.mark.parametrize("lists", [True, False])
def test_the_form_holds_only_what_a_client_can_show_and_its_answers_become_arguments(lists: bool) -> None:
    form = build_questions.ask(dict(OPEN), lists)
    assert form is not None
    properties = render_elicitation_schema(form.schema)["properties"]
    assert properties["benchmarks"]["type"] == ("array" if lists else "string")
    given = {**ANSWERS, "benchmarks": ["coding", "safety"] if lists else "coding, safety"}
    filled = form.filled(OPEN, form.schema.model_validate(given))
    assert filled == {**OPEN, **ANSWERS}


@pytest.mark.parametrize("model_type", ["base", "chat_reasoning"])
@pytest.mark.parametrize("word", build_questions.WITHOUT_BUNDLE)
def test_the_words_without_a_bundle_name_tasks_that_the_catalogue_has(word: str, model_type: str) -> None:
    tasks = understand("local", "none", model_type, [word]).add_tasks
    assert tasks
    assert set(tasks) <= {*load_catalogue().tasks, *load_recipes()}
