"""`quantgate doctor`: check_environment for people, with an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate import doctor
from quantgate.tools.check_environment import Cluster, check_environment
from tests.install.conftest import Run

SECRET = "hf_doctorshouldneverprintthis123"
CONFIG = """
execution: {type: local, output_dir: results}
deployment: {type: none}
target: {api_endpoint: {url: http://127.0.0.1:1/v1/chat/completions, model_id: m, api_key_name: MY_ENDPOINT_KEY}}
evaluation: {tasks: [{name: ifbench}]}
"""


def test_a_machine_with_nothing_in_the_way_is_ready(quantgate: Run) -> None:
    answer = quantgate("doctor")
    assert answer.code == 0
    assert answer.out.rstrip().endswith("Ready.")
    lines = answer.out.splitlines()[:-1]
    assert len(lines) >= 4
    assert {line.split()[0] for line in lines} <= {"ok", "!"}
    assert f"NeMo Evaluator Launcher {check_environment().launcher.version}" in answer.out
    assert "\x1b" not in answer.out


def test_what_a_config_lacks_is_marked_and_the_exit_code_says_so(
    quantgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_ENDPOINT_KEY", raising=False)
    config = home / "project" / "eval.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    answer = quantgate("doctor", "--config", str(config))
    assert answer.code == 1
    assert "x  variable    MY_ENDPOINT_KEY is not set" in answer.out
    assert "Not ready" in answer.out


def test_a_key_is_named_and_never_shown(quantgate: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", SECRET)
    answer = quantgate("doctor")
    assert "ok variable    HF_TOKEN is set" in answer.out
    assert SECRET not in answer.out + answer.err


def test_the_options_reach_the_check(quantgate: Run, home: Path) -> None:
    (home / "project" / "mine" / "output").mkdir(parents=True)
    assert "mine" in quantgate("doctor", "--workspace", str(home / "project" / "mine")).out
    missing = quantgate("doctor", "--config", "absent.yaml")
    assert missing.code == 2
    assert "absent.yaml" in missing.err
    unknown = quantgate("doctor", "--host", "nobody-named-this-host")
    assert unknown.code in {1, 2}
    assert "nobody-named-this-host" in unknown.err
    assert "Traceback" not in unknown.err


def test_a_line_stays_one_line_whatever_a_name_holds() -> None:
    assert doctor._line("a\nb\x1b[2J\tc") == r"a b\x1b[2J c"


def test_an_asked_cluster_that_does_not_answer_is_not_ready_and_a_listed_one_is_a_note(
    quantgate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Cluster(
        host="login-1",
        reachable=False,
        reason="no answer",
        address="",
        user="",
        slurm="",
        partitions="",
        accounts=[],
        rsync=False,
        python3=False,
        workspace="",
        gpu_type="",
    )
    found = check_environment().model_copy(update={"clusters": [gone], "ready": True, "blockers": []})
    monkeypatch.setattr(doctor, "check_environment", lambda **_: found)
    asked = quantgate("doctor", "--host", "login-1")
    assert asked.code == 1
    assert "x  cluster     login-1: no answer" in asked.out
    assert asked.out.rstrip().endswith("Not ready: see the lines with x.")
    listed = quantgate("doctor")
    assert listed.code == 0
    assert "!  cluster     login-1: no answer" in listed.out
