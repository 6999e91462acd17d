"""Which place a variable comes from."""

from __future__ import annotations

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
    return tmp_path / "configs" / "eval.yaml"


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


def test_a_value_read_from_a_file_is_masked_from_then_on(config: Path) -> None:
    (config.parent / ".env").write_text("MY_API_KEY=not-in-the-environment\n")
    credentials.environment(config)
    assert redact.redact("x not-in-the-environment y") == f"x {redact.MASK} y"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"A" * (2 << 20)])
def test_an_env_file_that_is_none_is_refused_by_name(config: Path, content: bytes) -> None:
    (config.parent / ".env").write_bytes(content)
    with pytest.raises(BadInput, match=r"\.env"):
        credentials.environment(config)
