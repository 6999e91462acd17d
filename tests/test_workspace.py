"""Where state lives, and what a workspace shows."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from quantgate import environment, workspace, workspaces
from quantgate.errors import BadInput


def _workspace(root: Path, name: str = "qwen-nvfp4") -> Path:
    path = root / name
    (path / "output" / "ckpt").mkdir(parents=True)
    (path / "output" / "ckpt" / "config.json").write_text("{}")
    (path / "eval_results" / "20260102_030405-0123456789abcdef").mkdir(parents=True)
    (path / "eval_results" / "notes").mkdir()
    (path / "scripts").mkdir()
    (path / "scripts" / "fix_rope.patch").write_text("--- a\n+++ b\n")
    (path / "eval_config.yaml").write_text("defaults: []\n")
    (path / "logs").mkdir()
    return path


def test_a_workspace_shows_checkpoints_configs_runs_and_patches(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    (found,) = workspaces.find(str(tmp_path)).workspaces
    assert found.path == path
    assert found.checkpoints == [path / "output" / "ckpt"]
    assert found.configs == [path / "eval_config.yaml"]
    assert [r.name for r in found.runs] == ["20260102_030405-0123456789abcdef"]
    assert found.patches[0].path.name == "fix_rope.patch"
    assert "deployment.command" in found.patches[0].carry


def test_a_folder_per_agent_session_is_looked_into(tmp_path: Path) -> None:
    path = _workspace(tmp_path / "session-1f2e")
    assert [w.path for w in workspaces.find(str(tmp_path)).workspaces] == [path]


def test_one_workspace_may_be_given_itself(tmp_path: Path) -> None:
    path = _workspace(tmp_path)
    assert [w.path for w in workspaces.find(str(path)).workspaces] == [path]


def test_the_root_is_taken_from_the_environment_else_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert workspace.workspace_root() == tmp_path / "workspaces"
    assert workspaces.find().workspaces == []
    monkeypatch.setenv("MODELOPT_WORKSPACE_ROOT", str(tmp_path / "root"))
    path = _workspace(tmp_path / "root")
    assert [w.path for w in workspaces.find().workspaces] == [path]


def test_a_workspace_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere"):
        workspaces.find(str(tmp_path / "nowhere"))


def test_what_another_user_keeps_private_hides_no_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, private = _workspace(tmp_path), tmp_path / "theirs"
    private.mkdir()
    real = os.stat

    def refused(place: str | Path, *args: object, **kwargs: object) -> os.stat_result:
        # Stands for mode 0700 of another user: root, who may run these tests, is let in anywhere.
        if private in Path(place).parents:
            raise PermissionError(13, "Permission denied", str(place))
        return real(place, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refused)
    assert [w.path for w in workspaces.find(str(tmp_path)).workspaces] == [path]


def test_a_workspace_that_goes_away_meanwhile_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, going = _workspace(tmp_path), _workspace(tmp_path, "gone")
    seen = workspaces._looks_like_workspace

    def then_gone(place: Path) -> bool:
        found = seen(place)
        if place == going:
            shutil.rmtree(place)
        return found

    monkeypatch.setattr(workspaces, "_looks_like_workspace", then_gone)
    assert next(w.path for w in workspaces.find(str(tmp_path)).workspaces) == path


def test_what_is_not_listed_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspaces, "MAX_WORKSPACES", 2)
    monkeypatch.setattr(workspaces, "MAX_ENTRIES", 1)
    for number in range(3):
        (_workspace(tmp_path, f"w{number}") / "second.yaml").touch()
    found = workspaces.find(str(tmp_path))
    assert (len(found.workspaces), found.omitted) == (2, 1)
    assert found.workspaces[0].omitted == 1
    warnings = environment.look(workspace=str(tmp_path)).warnings
    assert any("1 older workspaces" in line for line in warnings)
    assert any("1 more checkpoints" in line for line in warnings)


def test_state_follows_quantgate_home_then_the_workspace_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELOPT_WORKSPACE_ROOT", str(tmp_path / "root"))
    assert workspace.state_dir() == tmp_path / "home"
    monkeypatch.delenv("QUANTGATE_HOME")
    assert workspace.state_dir() == tmp_path / "root" / ".quantgate"
    assert workspace.state_dir().stat().st_mode & 0o077 == 0


def test_the_cache_has_a_variable_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    assert workspace.cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("QUANTGATE_CACHE")
    monkeypatch.setenv("QUANTGATE_HOME", str(tmp_path / "home"))
    assert workspace.cache_dir() == tmp_path / "home" / "cache"
