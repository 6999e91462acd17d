"""Paths that lead elsewhere, and directories that are swapped between a look and a use."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from quantgate import scratch, workspace
from quantgate.errors import QuantgateError, StorageError
from quantgate.launcher import export_files
from quantgate.tools import compare_runs, edit_config, grep_slurm_logs, logs, read_model_config, verify_run

SECRET = "what only its owner may see"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "outside"
    place.mkdir()
    (place / "key").write_text(SECRET, encoding="utf-8")
    (place / "client_stdout.log").write_text(f"ERROR {SECRET}\n", encoding="utf-8")
    return place


@pytest.fixture
def run(tmp_path: Path, outside: Path) -> Path:
    """A run in which a harness left links that lead out of it."""
    run = tmp_path / "20260101_000000-0123456789abcdef"
    task = run / "ifbench.ifbench.0"
    (task / "logs").mkdir(parents=True)
    (task / "artifacts").mkdir()
    (task / "logs" / "client_stdout.log").symlink_to(outside / "client_stdout.log")
    (task / "logs" / "server_stdout.log").symlink_to("/dev/zero")
    (task / "artifacts" / "results.yml").symlink_to(outside / "key")
    (task / "artifacts" / "deep").symlink_to(outside)
    return run


def test_links_out_of_a_run_are_not_read_by_any_tool(run: Path) -> None:
    for call in (
        lambda: logs.logs(str(run)),
        lambda: logs.logs(str(run), file="client_stdout.log"),
        lambda: logs.logs(str(run), file="../../outside/key"),
        lambda: logs.logs(str(run), task="../outside"),
        lambda: grep_slurm_logs.grep_slurm_logs(str(run), pattern="owner"),
        lambda: verify_run.verify_run(str(run)),
        lambda: compare_runs.compare_runs(str(run), str(run)),
    ):
        try:
            said = call().model_dump_json()
        except QuantgateError as error:
            said = str(error)
        assert SECRET not in said


def test_what_a_link_leads_to_is_not_exported(run: Path, tmp_path: Path) -> None:
    artifacts = run / "ifbench.ifbench.0" / "artifacts"
    (artifacts / "own.json").write_text("{}", encoding="utf-8")
    (artifacts / "sub").mkdir()
    (artifacts / "sub" / "link").symlink_to("/etc/passwd")
    staged = export_files.stage(artifacts, tmp_path / "staged")
    left = sorted(str(p.relative_to(staged)) for p in staged.rglob("*"))
    assert left == ["own.json", "sub"]


def test_a_report_goes_over_a_report_only_and_not_through_a_link(run: Path, outside: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.symlink_to(outside / "key")
    for path in (str(target), str(outside / "key"), "/dev/null", str(outside)):
        try:
            compare_runs.compare_runs(str(run), str(run), report=path)
        except QuantgateError:
            continue
    assert (outside / "key").read_text() == SECRET


@pytest.mark.parametrize(
    "path", ["/dev/zero", "/proc/self/environ", "\0", "~nobody/x", "/etc", "../../../../../../etc/passwd"]
)
def test_a_path_that_is_no_config_is_refused_and_left_alone(path: str) -> None:
    with pytest.raises(QuantgateError) as refusal:
        edit_config.edit_config(path, set=["execution.output_dir=/tmp/x"])
    assert "root:" not in str(refusal.value)


def test_a_model_s_files_are_read_in_its_directory_only(tmp_path: Path, outside: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(
        '{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}', encoding="utf-8"
    )
    (model / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "../outside/key", "b": "/etc/passwd"}}', encoding="utf-8"
    )
    try:
        said = read_model_config.read_model_config(str(model)).model_dump_json()
    except QuantgateError as error:
        said = str(error)
    assert SECRET not in said
    assert "root:" not in said


def test_private_directories_are_private_whatever_the_umask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTGATE_HOME", str(tmp_path / "home"))
    old = os.umask(0)
    try:
        with scratch.private_directory() as private:
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (private, private.parent, workspace.state_dir())}
            assert set(modes.values()) == {0o700}
    finally:
        os.umask(old)


def test_state_that_everybody_can_write_into_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("QUANTGATE_HOME", str(home))
    home.chmod(0o775)
    workspace.state_dir()
    home.chmod(0o777)
    with pytest.raises(StorageError, match="can be written by everybody"):
        workspace.state_dir()


def test_state_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process's user id is stood in for: nobody but root can make a directory of another user."""
    monkeypatch.setenv("QUANTGATE_HOME", str(tmp_path / "home"))
    workspace.state_dir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    if (tmp_path / "home").stat().st_uid == 0:
        os.chown(tmp_path / "home", 54321, -1)
    with pytest.raises(StorageError, match="belongs to another user"):
        workspace.state_dir()


def test_a_link_in_the_place_of_the_scratch_directory_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, outside: Path
) -> None:
    monkeypatch.setenv("QUANTGATE_HOME", str(tmp_path / "home"))
    (workspace.state_dir() / "scratch").symlink_to(outside)
    with pytest.raises(StorageError, match="not private"), scratch.private_directory():
        pass
    assert sorted(p.name for p in outside.iterdir()) == ["client_stdout.log", "key"]


def test_a_run_that_is_swapped_for_a_link_shows_nothing_of_what_it_leads_to(run: Path, outside: Path) -> None:
    logs_folder = run / "ifbench.ifbench.0" / "logs"
    shutil.rmtree(logs_folder)
    logs_folder.symlink_to(outside)
    try:
        said = logs.logs(str(run)).model_dump_json()
    except QuantgateError as error:
        said = str(error)
    assert SECRET not in said
