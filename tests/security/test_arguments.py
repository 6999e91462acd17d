"""Hostile strings as arguments of programs on this machine: passed on as they are, or refused."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from quantgate import children
from quantgate.errors import BadInput, QuantgateError
from quantgate.launcher import containers, process_executor
from quantgate.nemotron import commands
from quantgate.tools import check_config, check_environment, read_model_config, status

ROWS: dict[str, str] = {
    name: text
    for rows in yaml.safe_load(Path(__file__).with_name("hostile.yaml").read_text(encoding="utf-8")).values()
    for name, text in rows.items()
}
RECORDER = "import json, sys; json.dump(sys.argv[1:], sys.stdout)"


def _hostile(name: str, tmp_path: Path) -> str:
    text = ROWS[name].replace("@CANARY@", str(tmp_path / "canary")).replace("@WORD@", "--injected")
    return "x" * 100_000 if text == "@LONG@" else text


@pytest.mark.parametrize("name", [n for n in ROWS if n != "nul"])
def test_an_argument_of_a_helper_arrives_as_it_is(name: str, tmp_path: Path) -> None:
    text = _hostile(name, tmp_path)
    done = children.run([sys.executable, "-c", RECORDER, text], stdin=b"", env=os.environ, seconds=60)
    assert json.loads(done.output) == [text]
    assert not (tmp_path / "canary").exists()


def test_a_nul_is_refused_in_words() -> None:
    for argv, env in ((["true", "a\0b"], os.environ), (["true"], {"A": "a\0b"}), (["true"], {"A=B": "c"})):
        with pytest.raises(BadInput, match="true cannot be given a text with a NUL character"):
            children.run(argv, stdin=b"", env=env, seconds=5)


@pytest.mark.parametrize("name", list(ROWS))
def test_tools_take_hostile_names_for_names(name: str, tmp_path: Path) -> None:
    text = _hostile(name, tmp_path)
    for call in (
        lambda: check_environment.check_environment(workspace=text),
        lambda: check_environment.check_environment(config=text),
        lambda: check_environment.check_environment(host=text),
        lambda: check_config.check_config(text),
        lambda: read_model_config.read_model_config(text),
        lambda: read_model_config.read_model_config(f"login:{text}"),
        lambda: status.status([text]),
    ):
        try:
            call()
        except QuantgateError as error:
            assert "Traceback" not in str(error)  # noqa: PT017 - a refusal is as good as an answer
        assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", [n for n in ROWS if n != "full_width"])
def test_a_process_run_writes_into_plain_directories_only(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="take apart"):
        process_executor._shell_safe(Path("/tmp") / _hostile(name, tmp_path) / ";")


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ("nul", "long")])
def test_commands_that_a_person_is_shown_hold_an_id_as_one_word(name: str, tmp_path: Path) -> None:
    text = _hostile(name, tmp_path)
    for executor in ("slurm", "process"):
        shown = commands.commands(executor, text)
        assert text in shlex.split(shown.status)
        assert text in "".join(shlex.split(shown.logs)) or json.dumps(text)[1:-1] in "".join(shlex.split(shown.logs))


@pytest.mark.parametrize("name", [n for n in ROWS if n != "long"])
def test_an_image_is_one_argument_of_the_engine(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is a recorder of its arguments: what stands there is looked at, not what docker does."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    record = tmp_path / "record"
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >> {record}\nexit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    text = _hostile(name, tmp_path)
    try:
        containers._docker("image", "inspect", "--", text, seconds=20)
    except BadInput:
        assert name == "nul"
    else:
        assert record.read_bytes().split(b"\0")[:-1] == [b"image", b"inspect", b"--", text.encode()]
    assert not (tmp_path / "canary").exists()
