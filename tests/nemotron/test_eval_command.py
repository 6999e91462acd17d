"""`quantgate eval`: flags, lines on standard output, exit codes. The gates are stood in for; their own tests are elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from quantgate import cli, eval_command
from quantgate.errors import Refused
from quantgate.gates.launches import launching
from quantgate.gates.views import waiting
from quantgate.nemotron import env_toml, squashing

CONFIG: dict[str, Any] = {
    "output_dir": "./output",
    "execution": {"type": "process"},
    "deployment": {"type": "none"},
    "target": {"api_endpoint": {"url": "http://127.0.0.1:1/v1/chat/completions", "model_id": "m"}},
    "evaluation": {
        "nemo_evaluator_config": {"config": {"params": {"limit_samples": 3}}},
        "tasks": [{"name": "ifbench"}, {"name": "ifeval"}],
    },
}


class Gates:
    """Stands in for the gates: what they were asked, and what they answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.dry_run_passes = True
        self.canary_passes = True
        self.states = ["succeeded"]
        self.found = False
        self.interrupted_at = ""

    def dry_run(self, config: str) -> Any:
        self.asked.append(("dry_run", Path(config).name))
        return SimpleNamespace(passed=self.dry_run_passes, findings=[], error="2 errors to mend first")

    def canary(self, config: str, *, samples: int, tasks: list[str], again: bool) -> Any:
        self.asked.append(("canary", samples, tasks, "again") if again else ("canary", samples, tasks))
        if again:
            self.canary_passes = True
        found = self.found and not again
        return SimpleNamespace(attempt=SimpleNamespace(invocation_id="canary1"), found=found)

    def run(self, config: str, *, tasks: list[str], max_samples: int, skip_gates_reason: str) -> Any:
        self.asked.append(("run", max_samples, tasks, skip_gates_reason))
        return SimpleNamespace(attempt=SimpleNamespace(invocation_id="run1", executor="process"), warnings=[])

    def view(self, names: list[str], seconds: float = 0) -> list[Any]:
        if names == [self.interrupted_at]:
            raise KeyboardInterrupt
        if names == ["canary1"]:
            gate = SimpleNamespace(passed=self.canary_passes, reasons=("every answer was empty",))
            return [SimpleNamespace(state="succeeded", gate=gate, reason="")]
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return [SimpleNamespace(state=state, gate=None, reason="", run=SimpleNamespace(directory=Path(), remote=None))]


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Gates:
    stand_in = Gates()
    for name in ("dry_run", "canary", "run"):
        monkeypatch.setattr(launching, name, getattr(stand_in, name))
    monkeypatch.setattr(waiting, "until_final", stand_in.view)
    monkeypatch.setattr(waiting, "views", stand_in.view)
    monkeypatch.delenv(env_toml.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "env.toml").write_text("[here]\nexecutor = 'process'\n")
    return stand_in


def test_a_dry_run_compiles_saves_and_stops_after_the_first_gate(
    gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["eval", "-c", "./eval.yaml", "-d"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1
    saved = Path(out[0].removeprefix("launcher_config: "))
    assert saved.is_file()
    assert saved.with_name("job.yaml").is_file()
    assert gates.asked == [("dry_run", "eval.yaml")]


def test_a_batch_goes_through_both_gates_and_returns_after_submission(
    gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    gates.states = ["running"]
    assert eval_command.main(["-c", "./eval.yaml", "-b", "here", "-t", "ifbench"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[0] for line in out] == [
        "launcher_config",
        "launcher_invocation_id",
        "status_command",
        "logs_command",
    ]
    assert out[2] == "status_command: quantgate watch run1"
    launched = Path(out[0].removeprefix("launcher_config: ")).with_name("launched.yaml")
    assert yaml.safe_load(launched.read_text()) == {"canary": "canary1", "run": "run1"}
    assert gates.asked == [("dry_run", "eval.yaml"), ("canary", 3, ["ifbench"]), ("run", 3, ["ifbench"], "")]


@pytest.mark.parametrize(("states", "code"), [(["running", "succeeded"], 0), (["failed"], 1), (["cancelled"], 1)])
def test_a_run_is_followed_to_its_end_and_its_end_is_the_exit_code(gates: Gates, states: list[str], code: int) -> None:
    gates.states = states
    assert eval_command.main(["-c", "./eval.yaml", "-r", "here"]) == code


def test_without_a_passed_dry_run_nothing_is_launched(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    gates.dry_run_passes = False
    assert eval_command.main(["-c", "./eval.yaml"]) == 1
    assert [name for name, *_ in gates.asked] == ["dry_run"]
    assert "2 errors to mend first" in capsys.readouterr().err


def test_a_failed_canary_ends_the_launch_with_its_reason(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    gates.canary_passes = False
    assert eval_command.main(["-c", "./eval.yaml"]) == 1
    assert [name for name, *_ in gates.asked] == ["dry_run", "canary"]
    captured = capsys.readouterr()
    assert "every answer was empty" in captured.err
    assert "launcher_invocation_id" not in captured.out


def test_a_gate_s_refusal_is_passed_on(
    gates: Gates, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise Refused("A person must say yes first", fix="ask")

    monkeypatch.setattr(launching, "run", refused)
    assert eval_command.main(["-c", "./eval.yaml"]) == 1
    assert "A person must say yes first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["-c", "./eval.yaml", "-r", "here", "-b", "here"], "Both --run and --batch"),
        (["-c", "./eval.yaml", "--frobnicate"], "--frobnicate"),
        (["-c", "./eval.yaml", "-r"], "expected one argument"),
        (["-c", "./gone.yaml"], "Config file not found"),
        (["-c", "./eval.yaml", "-r", "gone"], "available: here"),
        (["-c", "./eval.yaml", "-t", "gone"], "configured: ifbench, ifeval"),
        (["frobnicate", "-d"], "one of: model_eval, nano3"),
        (["model_eval", "stray", "-d"], "stray"),
        ([], "No config is given"),
        (["-c", "./eval.yaml", "--api-key=nvapi-abcdefghijklmnop"], "Unknown argument '--api-key'"),
    ],
)
def test_bad_arguments_exit_with_one_and_one_line(
    gates: Gates, capsys: pytest.CaptureFixture[str], argv: list[str], says: str
) -> None:
    assert cli.main(["eval", *argv]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1
    assert "abcdefghijklmnop" not in captured.err
    assert gates.asked == []


def test_recipes_are_listed_and_described(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    assert eval_command.main(["--list"]) == 0
    assert "tiny_chat" in capsys.readouterr().out
    assert eval_command.main(["nano3", "--describe"]) == 0
    assert "rl:latest" in capsys.readouterr().out


def test_help_names_every_exit_code_and_the_lines_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        eval_command.main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for said in ("0 done", "1 refused", "3 the run's state", "130 interrupted", "launcher_invocation_id", "env.toml"):
        assert said in text
    flags = {"--config", "--run", "--batch", "--dry-run", "--task", "--force-squash", "--list", "--describe"}
    documented = (Path(__file__).parents[2] / "docs" / "nemotron.md").read_text()
    assert all(flag in text and flag in documented for flag in flags)


def test_ctrl_c_while_the_run_is_followed_names_it_and_how_to_come_back(
    gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    gates.interrupted_at = "run1"
    assert eval_command.main(["-c", "./eval.yaml", "-r", "here"]) == 130
    captured = capsys.readouterr()
    assert "launcher_invocation_id: run1" in captured.out
    last = captured.err.splitlines()[-1]
    assert last.startswith("Stopped waiting; the run run1 goes on.")
    assert "quantgate watch run1" in last
    assert "quantgate call cancel" in last


def test_ctrl_c_while_the_canary_runs_says_that_nothing_more_was_launched(
    gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    gates.interrupted_at = "canary1"
    assert eval_command.main(["-c", "./eval.yaml", "-r", "here"]) == 130
    captured = capsys.readouterr()
    assert "launcher_invocation_id" not in captured.out
    assert "The full run was not launched: the same command again takes this canary" in captured.err
    assert [name for name, *_ in gates.asked] == ["dry_run", "canary"]


def test_a_failed_canary_of_before_is_made_again(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    gates.found, gates.canary_passes = True, False
    assert eval_command.main(["-c", "./eval.yaml"]) == 0
    assert [row[0] for row in gates.asked] == ["dry_run", "canary", "canary", "run"]
    assert gates.asked[2][-1] == "again"
    assert "canary1 of before did not pass; a new one is made" in capsys.readouterr().err


def test_a_passed_canary_of_before_is_taken(gates: Gates) -> None:
    gates.found = True
    assert eval_command.main(["-c", "./eval.yaml"]) == 0
    assert [row[0] for row in gates.asked] == ["dry_run", "canary", "run"]


def test_a_state_is_said_once(gates: Gates, capsys: pytest.CaptureFixture[str]) -> None:
    gates.states = ["pending", "running", "running", "running", "succeeded"]
    assert eval_command.main(["-c", "./eval.yaml", "-r", "here"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("run run1")]
    assert lines == ["run run1: pending", "run run1: running", "run run1: succeeded."]


def test_no_image_is_imported_for_a_config_with_errors(
    gates: Gates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an image was imported")

    monkeypatch.setattr(squashing, "carry_out", never)
    profile = {"executor": "slurm", "tunnel": "ssh", "host": "login", "remote_job_dir": "/shared/jobs"}
    (tmp_path / "env.toml").write_text("[cl]\n" + "".join(f'{key} = "{value}"\n' for key, value in profile.items()))
    served = {"type": "generic", "image": "a/b:1", "command": "serve", "checkpoint_path": "/shared/m", "port": 1}
    execution = {"type": "slurm", "account": "a", "partition": "p", "output_dir": "/shared/out"}
    config = {"execution": execution, "deployment": served, "evaluation": {"tasks": [{"name": "no-such-task-at-all"}]}}
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(config))
    assert eval_command.main(["-c", "./eval.yaml", "-r", "cl"]) == 1
    assert gates.asked == []
    err = capsys.readouterr().err
    assert "No image was imported" in err
    assert "no-such-task-at-all" in err


@pytest.mark.parametrize(("flag", "name"), [("-r", "--run"), ("-b", "--batch"), ("--run", "--run")])
def test_an_empty_profile_is_refused_with_the_known_ones(
    gates: Gates, capsys: pytest.CaptureFixture[str], flag: str, name: str
) -> None:
    assert eval_command.main(["-c", "./eval.yaml", flag, ""]) == 1
    assert gates.asked == []
    assert f"{name} names no profile" in (said := capsys.readouterr().err)
    assert "here" in said
