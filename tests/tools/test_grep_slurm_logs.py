"""`grep_slurm_logs` on local runs: the verdict, and the call that it names next."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.errors import BadInput, UnknownName
from quantgate.tools import TOOLS
from quantgate.tools.grep_slurm_logs import grep_slurm_logs
from tests.runs.building import TASK, empty_task, real_copy


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return empty_task(tmp_path).path.parent


def _write(run: Path, text: str, name: str = "client_stdout.log", task: str = TASK) -> None:
    (run / task / "logs" / name).write_text(text)


def test_the_tool_stands_between_logs_and_resume() -> None:
    names = [spec.name for spec in TOOLS]
    assert names[names.index("logs") : names.index("resume") + 1] == ["logs", "grep_slurm_logs", "resume"]


def test_a_real_good_run_is_clean_and_sent_to_its_validation(tmp_path: Path) -> None:
    answer = grep_slurm_logs(str(real_copy(tmp_path).path))
    assert (answer.verdict, answer.classes, answer.files) == ("clean", [], 1)
    assert "verify_run" in answer.next_step
    assert answer.warnings == []


def test_a_fatal_class_fails_and_the_next_step_is_its_fix(run: Path) -> None:
    _write(run, "HTTP/1.1 429 Too Many Requests\n")
    assert grep_slurm_logs(str(run)).verdict == "suspicious"
    _write(run, "OSError: [Errno 122] Disk quota exceeded\n", "server_stdout.log")
    answer = grep_slurm_logs(str(run))
    assert answer.verdict == "failed"
    assert [(c.name, c.severity) for c in answer.classes] == [("disk_full", "fatal"), ("rate_limit", "suspect")]
    assert "Free space" in answer.next_step
    assert "file='server_stdout.log'" in answer.next_step


def test_benign_lines_are_counted_and_do_not_decide(run: Path) -> None:
    _write(run, "DeprecationWarning: 404 model not found is deprecated, no such model\n" * 3 + "error_rate: 0\n")
    answer = grep_slurm_logs(str(run))
    assert (answer.verdict, answer.classes) == ("clean", [])
    assert [(b.name, b.count) for b in answer.benign] == [("deprecation", 3)]


def test_an_own_pattern_is_counted_and_changes_no_verdict(run: Path) -> None:
    _write(run, "step 1 skipped\nstep 22 skipped\n")
    answer = grep_slurm_logs(str(run), pattern="step [0-9]+ skipped")
    assert (answer.verdict, answer.classes[0].name, answer.classes[0].count) == ("clean", "pattern", 2)
    with pytest.raises(BadInput, match="back-reference"):
        grep_slurm_logs(str(run), pattern=r"(a*)\1")


def test_what_was_not_there_is_not_called_clean_without_a_word(run: Path) -> None:
    answer = grep_slurm_logs(str(run))
    assert (answer.verdict, answer.files) == ("suspicious", 0)
    assert "says nothing" in answer.warnings[0]
    assert "Nothing is known" in answer.next_step


def test_a_link_out_of_the_run_is_named_and_not_read(run: Path, tmp_path: Path) -> None:
    secret = tmp_path / "private.txt"
    secret.write_text("CUDA out of memory: my secret\n")
    (run / TASK / "logs" / "server_stdout.log").symlink_to(secret)
    answer = grep_slurm_logs(str(run))
    assert (answer.verdict, answer.files) == ("suspicious", 0)
    assert any("server_stdout.log" in warning for warning in answer.warnings)


def test_unknown_names_are_answered_with_those_that_exist(run: Path) -> None:
    with pytest.raises(UnknownName, match="client, server"):
        grep_slurm_logs(str(run), source="stdout")
    with pytest.raises(UnknownName, match=TASK):
        grep_slurm_logs(str(run), task="absent")
    with pytest.raises(UnknownName):
        grep_slurm_logs("0123456789abcdef")


def test_a_secret_beside_a_match_on_a_very_long_line_is_masked(run: Path) -> None:
    key = "nvapi-" + "k" * 400
    _write(run, f"{'x ' * 40_000}key={key} 401 Unauthorized {'y ' * 40_000}\n")
    answer = grep_slurm_logs(str(run))
    assert answer.classes[0].name == "auth"
    assert "kkkk" not in answer.model_dump_json()
    assert "401 Unauthorized" in answer.classes[0].samples[0].text


@pytest.mark.parametrize("before", [0, 30, 5000, 65_000, 65_300, 66_000])
def test_a_value_that_the_windows_edge_cuts_is_not_shown(run: Path, before: int) -> None:
    _write(run, "w" * before + " API_KEY=" + "k7" * 600 + "-401 Unauthorized " + "z" * 9000 + "\n")
    assert "k7k7" not in grep_slurm_logs(str(run)).model_dump_json()
