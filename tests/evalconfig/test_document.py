"""A config is read strictly and saved whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from quantgate.errors import BadInput, ConfigError, StorageError
from quantgate.evalconfig import paths, surgery
from quantgate.evalconfig.document import MAX_BYTES, ConfigDocument

from .made import PROCESS, write


def _refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        ConfigDocument.load(path)
    return caught.value


def test_a_document_says_on_which_line_a_key_stands(tmp_path: Path) -> None:
    document = ConfigDocument.load(write(tmp_path, PROCESS))
    assert document.line_of("execution.output_dir") == 9
    assert document.line_of("evaluation.tasks[0].name") == 27
    assert document.get("evaluation.tasks[0].name") == "ifbench.ifbench"
    assert document.get("evaluation.nothing") is None


def test_a_value_from_the_packaged_defaults_has_the_line_of_its_section_or_of_defaults(tmp_path: Path) -> None:
    document = ConfigDocument.load(write(tmp_path, PROCESS))
    assert document.line_of("execution.mode") == 7
    assert document.line_of("deployment.image") == 2


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "stands twice", 3),
        ("a:\n  b: 1\n  c:\n    d: 1\n    d: 2\n", "stands twice", 5),
        ("a:\n\tb: 1\n", "tab", 2),
        ("- a\n- b\n", "not a mapping", 1),
        ("just text\n", "not a mapping", 1),
        ("a: [1, 2\nb: 3\n", "not valid YAML", 2),
        ("a: &x\n  b: *x\n", "contains itself", 1),
        ("? [a, b]\n: 1\n", "list or a mapping", 1),
        ("a: 1\n---\nb: 2\n", "not valid YAML", 2),
    ],
)
def test_broken_yaml_is_refused_with_the_line(tmp_path: Path, text: str, words: str, line: int) -> None:
    path = write(tmp_path, text)
    error = _refused(path)
    assert words in error.what
    assert error.where == f"{path}:{line}"


def test_an_alias_bomb_is_refused_without_expanding_it(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    error = _refused(write(tmp_path, "\n".join(levels) + "\n"))
    assert "aliases" in error.what


def test_deep_nesting_is_refused_not_a_traceback(tmp_path: Path) -> None:
    assert "deep" in _refused(write(tmp_path, "a: " + "[" * 5000)).what


def test_a_missing_file_a_directory_an_empty_file_and_a_huge_one_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in _refused(tmp_path / "none.yaml").what
    assert "not a file" in _refused(tmp_path).what
    assert "empty" in _refused(write(tmp_path, "# nothing\n")).what
    assert "more than" in _refused(write(tmp_path, "a: " + "x" * MAX_BYTES)).what


def test_text_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_bytes(b"a: 1\nb: \xff\xfe\n")
    assert _refused(path).where == f"{path}:2"


def test_windows_line_ends_are_kept_by_an_edit(tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_bytes(PROCESS.replace("\n", "\r\n").encode())
    surgery.set_value(ConfigDocument.load(path), "execution.mode", "sequential").save()
    saved = path.read_bytes()
    assert saved.count(b"\n") == saved.count(b"\r\n") == PROCESS.count("\n") + 1


def test_a_save_keeps_the_mode_and_follows_a_link(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    surgery.set_value(ConfigDocument.load(link), "execution.mode", "sequential").save()
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert "mode: sequential" in path.read_text()


def test_a_save_that_fails_at_the_last_step_leaves_the_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, PROCESS)
    edited = surgery.set_value(ConfigDocument.load(path), "execution.mode", "sequential")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="No space left"):
        edited.save()
    assert path.read_text() == PROCESS
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    edited = surgery.set_value(ConfigDocument.load(path), "execution.mode", "sequential")
    path.write_text(PROCESS + "export: {}\n")
    with pytest.raises(StorageError, match="changed on disk"):
        edited.save()
    assert path.read_text().endswith("export: {}\n")


@pytest.mark.parametrize("dotted", ["", "-a", "--config", "a..b", "a[x]", "a.\nb", ".a", "a.b.", "a b\nc"])
def test_what_is_no_path_is_refused(dotted: str) -> None:
    with pytest.raises(BadInput):
        paths.parse(dotted)


def test_a_path_survives_the_way_through_its_segments() -> None:
    dotted = 'execution.mounts.deployment["/data/a.b"].x[3]'
    assert paths.parse(dotted) == ("execution", "mounts", "deployment", "/data/a.b", "x", 3)
    assert paths.join(paths.parse(dotted)) == dotted
