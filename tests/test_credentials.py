"""Which place a variable comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quantgate import credentials, redact
from quantgate.errors import BadInput


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELOPT_WORKSPACE_ROOT", str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    (tmp_path / "configs").mkdir()
    for name in ("FIRST", "SECOND", "THIRD"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "configs" / "eval.yaml"
    path.write_text("env_vars: {A: host:FIRST, B: host:SECOND, C: host:THIRD, D: host:MY_API_KEY}\n")
    return path


def test_the_environment_wins_then_the_config_s_env_file_then_the_workspace_s(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, root = config.parent / ".env", config.parent.parent / "root" / ".env"
    beside.write_text("FIRST=beside\nSECOND=beside\n")
    root.write_text("FIRST=root\nSECOND=root\nTHIRD=root\n")
    monkeypatch.setenv("FIRST", "shell")
    found = {f.name: f.found_in for f in credentials.locate(["FIRST", "SECOND", "THIRD", "FOURTH"], config)}
    assert found == {"FIRST": "environment", "SECOND": str(beside), "THIRD": str(root), "FOURTH": ""}
    env = credentials.environment(config)
    assert (env["FIRST"], env["SECOND"], env["THIRD"]) == ("shell", "beside", "root")


def test_a_trust_switch_in_a_file_does_not_count(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch = "NEMO_EVALUATOR_TRUST_PRE_CMD"
    (config.parent / ".env").write_text(f"{switch}=1\n")
    assert switch not in credentials.environment(config)
    assert not credentials.locate([switch], config)[0].set
    monkeypatch.setenv(switch, "1")
    assert credentials.environment(config)[switch] == "1"


def test_from_a_file_come_only_variables_that_the_config_names_and_none_that_steers_programs(config: Path) -> None:
    config.write_text(config.read_text() + "# LD_PRELOAD PYTHONPATH BASH_ENV PATH\n")
    (config.parent / ".env").write_text(
        "FIRST=1\nUNNAMED=1\nLD_PRELOAD=/x.so\nPYTHONPATH=/x\nBASH_ENV=/x.sh\nNEMO_EVALUATOR_EXEC_DB_FILE=/x\n"
    )
    before = dict(os.environ)
    env = credentials.environment(config)
    assert env["FIRST"] == "1"
    assert "UNNAMED" not in env
    for name in ("LD_PRELOAD", "PYTHONPATH", "BASH_ENV", "NEMO_EVALUATOR_EXEC_DB_FILE"):
        assert env.get(name) == before.get(name)


def test_an_empty_variable_of_the_server_is_filled_from_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (config.parent / ".env").write_text("FIRST=beside\n")
    monkeypatch.setenv("FIRST", "")
    assert credentials.environment(config)["FIRST"] == "beside"
    assert credentials.locate(["FIRST"], config)[0].found_in.endswith(".env")


def test_a_value_read_from_a_file_is_masked_from_then_on(config: Path) -> None:
    (config.parent / ".env").write_text("MY_API_KEY=not-in-the-environment\n")
    credentials.environment(config)
    assert redact.redact("x not-in-the-environment y") == f"x {redact.MASK} y"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"A" * (2 << 20)])
def test_an_env_file_that_is_none_is_refused_by_name(config: Path, content: bytes) -> None:
    (config.parent / ".env").write_bytes(content)
    with pytest.raises(BadInput, match=r"\.env"):
        credentials.environment(config)


WANDB = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def logged_in(config: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config that names W&B's key, and a netrc as `wandb login` leaves it."""
    netrc = config.parent / "netrc"
    netrc.write_text(f"machine api.wandb.ai login user password {WANDB}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    config.write_text("export: {env_vars: {WANDB_API_KEY: host:WANDB_API_KEY}}\n")
    return config


def test_the_key_of_wandb_login_counts_for_a_config_that_names_it(logged_in: Path) -> None:
    assert credentials.environment(logged_in)["WANDB_API_KEY"] == WANDB
    (found,) = credentials.locate(["WANDB_API_KEY"], logged_in)
    assert (found.set, found.found_in) == (True, str(logged_in.parent / "netrc"))
    assert WANDB not in redact.redact(f"key {WANDB}")
    assert "WANDB_API_KEY" not in os.environ


def test_the_key_of_wandb_login_is_left_alone_by_other_configs(logged_in: Path) -> None:
    logged_in.write_text("export: {}\n# WANDB_API_KEY\n")
    assert "WANDB_API_KEY" not in credentials.environment(logged_in)
    assert not credentials.locate(["WANDB_API_KEY"], logged_in)[0].set
    assert not credentials.locate(["WANDB_API_KEY"])[0].set


def test_an_env_file_wins_over_wandb_login_and_cannot_send_its_key_elsewhere(logged_in: Path) -> None:
    (logged_in.parent / ".env").write_text("WANDB_API_KEY=of-the-file\n")
    assert credentials.environment(logged_in)["WANDB_API_KEY"] == "of-the-file"
    for line in ("WANDB_BASE_URL=https://elsewhere.example", f"NETRC={logged_in.parent / 'netrc'}"):
        (logged_in.parent / ".env").write_text(line + "\n")
        assert "WANDB_API_KEY" not in credentials.environment(logged_in)
        assert not credentials.locate(["WANDB_API_KEY"], logged_in)[0].set


def test_what_is_set_for_a_config_stays_out_of_the_process(logged_in: Path) -> None:
    filled = credentials.Filled(logged_in)
    filled["WANDB_API_KEY"] = WANDB
    assert filled["WANDB_API_KEY"] == WANDB
    assert "WANDB_API_KEY" in list(filled)
    assert "WANDB_API_KEY" not in os.environ


@pytest.mark.parametrize("name", ["NETRC", "WANDB_BASE_URL"])
def test_no_env_file_says_where_keys_go_also_not_for_a_config_that_names_it(logged_in: Path, name: str) -> None:
    logged_in.write_text(f"export: {{env_vars: {{{name}: host:{name}}}}}\n")
    (logged_in.parent / ".env").write_text(f"{name}=https://elsewhere.example\n")
    assert credentials.environment(logged_in).get(name) == os.environ.get(name)
    assert credentials.Filled(logged_in).get(name) == os.environ.get(name)
    assert credentials.locate([name], logged_in)[0].found_in in ("", "environment")
