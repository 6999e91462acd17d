"""The wheel on the newer Pythons that it admits.

CI's own Python runs every test. The others are tested where this machine has them: their absence is no gap of the machine, so the
skip here does not count as a failure under QUANTGATE_REQUIRE_ALL.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.requirements import require

from . import quick
from .built import ROOT, UV, Installation, build, install, interpreter

pytestmark = pytest.mark.network
CONFIG = """
execution: {type: process, output_dir: FOLDER/results}
deployment: {type: none}
target: {api_endpoint: {url: http://127.0.0.1:1/v1/chat/completions, model_id: m, type: chat}}
evaluation: {tasks: [{name: ifbench.ifbench}]}
"""


@pytest.fixture(scope="module", params=["3.12", "3.13"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel in an environment of that Python, at the pins of the lock."""
    require(UV.exists(), "uv is not installed")
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} here")
    wheel = build("wheel", tmp_path_factory.mktemp("dist"))
    made = install(
        python,
        tmp_path_factory.mktemp(f"python{request.param}"),
        f"quantgate[demo] @ {wheel.as_uri()}",
        *quick.tools(),
        constraints=[ROOT / "requirements" / "ci.lock"],
    )
    assert made.run("python", "--version").out.startswith(f"Python {request.param}.")
    return made


def test_the_doctor_is_content_and_the_launcher_needs_no_repair(installed: Installation) -> None:
    done = installed.run("quantgate", "doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith("Ready.")
    assert installed.call("check_environment")["launcher"]["build_config_works"] is True


def test_a_config_is_checked_and_passes_the_launchers_dry_run(installed: Installation, tmp_path: Path) -> None:
    config = tmp_path / "eval.yaml"
    config.write_text(CONFIG.replace("FOLDER", str(tmp_path)), encoding="utf-8")
    with installed.serving() as server:
        server.call(1, "list_tasks", {"query": "ifbench"})
        assert "ifbench" in json.dumps(server.answer(1)["result"]["structuredContent"])
        server.call(2, "check_config", {"config": str(config)})
        checked = server.answer(2)["result"]["structuredContent"]
        assert (checked["ok"], checked["rules_checked"] > 100) == (True, True)
        server.call(3, "dry_run", {"config": str(config)})
        answer = server.answer(3, seconds=240)["result"]
        assert not answer["isError"], answer
        assert answer["structuredContent"]["passed"] is True
        assert server.end() == 0
        assert server.complaints() == ""


def test_the_quick_tests_pass(installed: Installation) -> None:
    done = quick.run(installed)
    assert done.code == 0, done.out[-4000:]
    assert " passed" in done.out
