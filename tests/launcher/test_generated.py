"""Which files of a dry run are read, and what of them is kept."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from quantgate.launcher import generated

SECRET = "not-for-any-eye-1234"


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("A_TOKEN", SECRET)
    path = tmp_path / "20260102_030405-0123456789abcdef" / "ifbench.ifbench.0"
    path.mkdir(parents=True)
    return path


def _collected(tmp_path: Path) -> dict[str, str]:
    return {file.name: file.text for file in generated.collect(tmp_path, "<output_dir>")}


def test_only_scripts_are_read_and_never_through_a_link(task: Path, tmp_path: Path) -> None:
    (task / ".secrets.env").write_text(f"export A_TOKEN={SECRET}")
    (task / "notes.txt").write_text("not a script")
    (task / "run.sh").symlink_to(task / ".secrets.env")
    (task / "deeper").mkdir()
    (task / "deeper" / "run.sh").write_text("not where a script is")
    (task / "run.sub").write_text("#!/bin/bash\n")
    assert _collected(tmp_path) == {"ifbench.ifbench.0/run.sub": "#!/bin/bash\n"}


def test_what_is_passed_in_base64_becomes_a_file_of_its_own_and_is_redacted_inside(task: Path, tmp_path: Path) -> None:
    blob = base64.b64encode(f"pip install x\nexport A_TOKEN={SECRET}\n".encode()).decode()
    (task / "run.sh").write_text(f'echo "{blob}" | base64 -d > pre_cmd.sh && echo "" | base64 -d > post_cmd.sh\n')
    files = _collected(tmp_path)
    assert files["ifbench.ifbench.0/pre_cmd.sh"] == "pip install x\nexport A_TOKEN=[redacted]\n"
    assert blob not in files["ifbench.ifbench.0/run.sh"]
    assert set(files) == {"ifbench.ifbench.0/pre_cmd.sh", "ifbench.ifbench.0/run.sh"}


@pytest.mark.parametrize("name", ["../../outside.sh", "/etc/outside.sh", ".hidden"])
def test_a_file_passed_in_base64_gets_no_place_outside_its_task(name: str, task: Path, tmp_path: Path) -> None:
    blob = base64.b64encode(b"echo").decode()
    (task / "run.sh").write_text(f'echo "{blob}" | base64 -d > {name}\n')
    assert all(".." not in found and found.startswith("ifbench.ifbench.0/") for found in _collected(tmp_path))
    assert "ifbench.ifbench.0/.hidden" not in _collected(tmp_path)


def test_other_base64_is_hidden_when_it_holds_a_secret_and_a_path_is_not_taken_for_it(
    task: Path, tmp_path: Path
) -> None:
    blob = base64.b64encode(f"Authorization: {SECRET} and more".encode()).decode()
    path = "/shared/filesystem/projects/evaluations/checkpoints/model"
    (task / "run.sh").write_text(f"curl -H {blob} file://{path}\n")
    text = _collected(tmp_path)["ifbench.ifbench.0/run.sh"]
    assert blob not in text
    assert path in text


def test_the_private_directory_is_not_named(task: Path, tmp_path: Path) -> None:
    (task / "run.sh").write_text(f"cd {task}\n")
    assert _collected(tmp_path)["ifbench.ifbench.0/run.sh"] == f"cd <output_dir>/{task.relative_to(tmp_path)}\n"


def test_a_large_script_is_redacted_before_it_is_cut(task: Path, tmp_path: Path) -> None:
    limit = generated.MAX_FILE_CHARACTERS
    (task / "run.sh").write_text("#" * (limit - 8) + SECRET + "#" * 100)
    text = _collected(tmp_path)["ifbench.ifbench.0/run.sh"]
    assert SECRET[:8] not in text
    assert text.endswith("# … cut here\n")
    assert len(text) < limit + 100


def test_many_scripts_are_bounded_in_number_and_size(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generated, "MAX_FILES", 5)
    monkeypatch.setattr(generated, "MAX_CHARACTERS", 30)
    for index in range(9):
        folder = task.parent / f"t.{index}"
        folder.mkdir()
        (folder / "run.sh").write_text("x" * 10)
    files = _collected(tmp_path)
    assert len(files) == 5
    assert sum(text.count("x") for text in files.values()) == 30
