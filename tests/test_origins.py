"""Which file a config was compiled from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quantgate import credentials, origins


def test_a_noted_source_is_found_again_also_over_another_spelling(tmp_path: Path) -> None:
    config, source = tmp_path / "jobs" / "eval.yaml", tmp_path / "mine.yaml"
    config.parent.mkdir()
    origins.remember(config, source)
    assert origins.source_of(tmp_path / "jobs" / ".." / "jobs" / "eval.yaml") == source.resolve()
    assert origins.source_of(tmp_path / "other.yaml") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"config": 3}', "\0", '{"config": "/other", "source": "/x"}'])
def test_a_broken_or_foreign_note_is_none(tmp_path: Path, content: str) -> None:
    config = tmp_path / "eval.yaml"
    origins.remember(config, tmp_path / "mine.yaml")
    (note,) = (Path(os.environ["QUANTGATE_HOME"]) / "compiled").iterdir()
    note.write_text(content)
    assert origins.source_of(config) is None


def test_a_config_cannot_name_another_folder_itself(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "mine"
    for folder in (theirs, mine):
        folder.mkdir()
    (mine / ".env").write_text("MY_API_KEY=swordfish-of-mine\n")
    config = theirs / "eval.yaml"
    config.write_text(
        f"# Compiled by quantgate from {mine / 'x.yaml'}: what the launcher gets.\nenv_vars: {{A: host:MY_API_KEY}}\n"
    )
    assert "MY_API_KEY" not in credentials.environment(config)


def test_the_oldest_notes_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origins, "MOST", 2)
    configs = [tmp_path / f"{number}.yaml" for number in range(4)]
    for age, config in enumerate(configs):
        origins.remember(config, tmp_path / "mine.yaml")
        for note in (Path(os.environ["QUANTGATE_HOME"]) / "compiled").iterdir():
            os.utime(note, (note.stat().st_mtime - 10 * (4 - age),) * 2)
    assert [origins.source_of(config) is not None for config in configs] == [False, False, True, True]
