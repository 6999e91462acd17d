"""W&B's credentials, as `wandb login` leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quantgate import redact
from quantgate.nemotron import wandb_env

KEY = "0123456789abcdef0123456789abcdef01234567"
EXPORTING: dict[str, Any] = {"execution": {"auto_export": {"destinations": ["wandb"]}}}


def _netrc(home: Path, host: str = "api.wandb.ai") -> dict[str, str]:
    file = home / ".netrc"
    file.write_text(f"machine {host}\n  login user\n  password {KEY}\n")
    file.chmod(0o600)
    return {"HOME": str(home)}


def test_a_login_is_found_in_netrc_and_stays_in_this_process(tmp_path: Path) -> None:
    environment = _netrc(tmp_path)
    found = wandb_env.login(environment)
    assert found.found_in == str(tmp_path / ".netrc")
    assert environment["WANDB_API_KEY"] == KEY
    staged = wandb_env.apply(EXPORTING, environment, found)
    assert KEY not in repr(staged)
    assert staged.config["evaluation"]["env_vars"]["WANDB_API_KEY"] == "host:WANDB_API_KEY"
    assert KEY not in redact.redact(f"the key is {KEY}")


def test_a_server_of_one_s_own_has_its_own_entry(tmp_path: Path) -> None:
    environment = _netrc(tmp_path, "wandb.example.org")
    assert wandb_env.login(environment).found_in == ""
    environment["WANDB_BASE_URL"] = "https://wandb.example.org"
    assert wandb_env.login(environment).found_in


def test_a_variable_wins_over_netrc(tmp_path: Path) -> None:
    environment = {**_netrc(tmp_path), "WANDB_API_KEY": "of-the-environment"}
    assert wandb_env.login(environment).found_in == "environment"
    assert environment["WANDB_API_KEY"] == "of-the-environment"


def test_a_broken_netrc_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("machne x\n")
    found = wandb_env.login({"NETRC": str(tmp_path / "n")})
    assert "no netrc file (line" in found.problem
    assert any(found.problem in c.why for c in wandb_env.apply(EXPORTING, {}, found).changes)


@pytest.mark.parametrize(
    ("config", "needed"),
    [
        (EXPORTING, True),
        ({"export": {"wandb": {"entity": None}}}, True),
        ({"export": {"wandb": None}}, False),
        ({"execution": {"auto_export": {"destinations": ["mlflow"]}}}, False),
        ({"execution": {"auto_export": None}, "export": None}, False),
        ({}, False),
    ],
)
def test_it_is_needed_only_for_an_export(config: dict[str, Any], needed: bool) -> None:
    assert wandb_env.needed(config) is needed
    if not needed:
        assert wandb_env.apply(config, {"WANDB_API_KEY": KEY}).config is config


def test_keys_that_the_config_has_stay() -> None:
    config = {
        **EXPORTING,
        "evaluation": {"env_vars": {"WANDB_API_KEY": "host:TEAM_KEY"}},
        "export": {"wandb": {"entity": "own", "project": "${run.wandb.project}"}},
        "run": {"wandb": {"entity": "e", "project": "p"}},
    }
    new = wandb_env.apply(config, {"WANDB_API_KEY": KEY}).config
    assert new["evaluation"]["env_vars"]["WANDB_API_KEY"] == "host:TEAM_KEY"
    assert new["export"]["wandb"] == {"entity": "own", "project": "${run.wandb.project}"}
    assert new["export"]["env_vars"]["WANDB_PROJECT"] == "lit:p"


def test_entity_and_project_come_from_env_toml_where_they_are_open() -> None:
    config = {
        "export": {"wandb": {"entity": None, "project": "own"}},
        "run": {"wandb": {"entity": "e", "project": "p"}},
    }
    assert wandb_env.apply(config, {}).config["export"]["wandb"] == {"entity": "e", "project": "own"}
