"""Only the wheel, as `pip install "quantgate[demo]"` gives it: every command works without the repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.tools import TOOLS
from tests.requirements import require

from .built import ROOT, UV, Installation, build, installation, interpreter

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The wheel with the demo extra, at the pins of the lock, in an environment of its own."""
    require(UV.exists(), "uv is not installed")
    wheel = build("wheel", tmp_path_factory.mktemp("dist"))
    python = interpreter("3.11") or interpreter("3.12") or interpreter("3.13")
    assert python is not None
    folder = tmp_path_factory.mktemp("alone")
    with installation(python, folder, "demo", f"quantgate[demo] @ {wheel.as_uri()}") as made:
        yield made


def test_the_package_is_the_wheels_and_the_repository_is_not_on_the_path(installed: Installation) -> None:
    code = "import quantgate, sys, json; print(json.dumps([quantgate.__file__, sys.path]))"
    file, path = json.loads(installed.run("python", "-c", code).out)
    assert Path(file).is_relative_to(installed.venv)
    assert not [entry for entry in path if entry.startswith(str(ROOT))]


def test_the_doctor_finds_the_machine_ready(installed: Installation) -> None:
    done = installed.run("quantgate", "doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith("Ready.")
    assert "NeMo Evaluator Launcher 0.2.6" in done.out


def test_the_server_lists_its_tools_answers_a_call_and_reads_its_documents(installed: Installation) -> None:
    with installed.serving() as server:
        server.send(1, "tools/list")
        tools = server.answer(1)["result"]["tools"]
        assert [tool["name"] for tool in tools] == [spec.name for spec in TOOLS]
        server.call(2, "list_tasks", {"query": "ifbench"})
        answer = server.answer(2)["result"]
        assert not answer.get("isError"), answer
        assert "ifbench" in json.dumps(answer["structuredContent"])
        server.send(3, "resources/list")
        listed = [resource["uri"] for resource in server.answer(3)["result"]["resources"]]
        assert {"quantgate://recipes", "quantgate://references", "quantgate://skills"} <= set(listed)
        for number, (uri, holds) in enumerate(
            [
                ("quantgate://recipes", "aa_lcr"),
                ("quantgate://skills/evaluation", "canary"),
                ("quantgate://runs", "[]"),
            ],
            start=10,
        ):
            server.send(number, "resources/read", {"uri": uri})
            assert holds in server.answer(number)["result"]["contents"][0]["text"]
        assert server.end() == 0
        assert server.complaints() == ""


def test_a_tool_is_called_by_hand(installed: Installation) -> None:
    answer = installed.call("list_tasks", query="ifbench")
    assert "ifbench" in json.dumps(answer)


def test_the_skill_is_installed_from_the_wheel(installed: Installation) -> None:
    done = installed.run("quantgate", "install-skill", "--client", "cursor", "--yes")
    assert done.code == 0, done.err
    skills = installed.home / ".cursor" / "skills"
    assert (skills / "evaluation" / "SKILL.md").read_bytes() == (ROOT / "SKILL.md").read_bytes()
    entry = json.loads((installed.home / ".cursor" / "mcp.json").read_text(encoding="utf-8"))["mcpServers"]["quantgate"]
    assert entry["command"] == str(installed.python.with_name("quantgate"))


def test_the_recipes_are_listed(installed: Installation) -> None:
    done = installed.run("quantgate", "eval", "--list")
    assert done.code == 0, done.err
    assert "model_eval" in done.out
    assert "nano3" in done.out


def test_the_demo_plays_the_whole_job_from_the_wheel(installed: Installation) -> None:
    done = installed.run(
        *("quantgate", "demo", "--samples", "3", "--canary-samples", "2", "--max-tokens", "8"),
        *("--home", installed.home / "demo"),
    )
    assert done.code == 0, (done.out + done.err)[-3000:]
    assert (installed.home / "demo" / "report.html").is_file()
    assert "Traceback" not in done.out + done.err
