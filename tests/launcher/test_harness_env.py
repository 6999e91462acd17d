"""A harness is installed once, whole or not at all. pip's index is stood in for by wheels made here: no network."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from quantgate.errors import HarnessError, StorageError
from quantgate.launcher import harness_env, harnesses


def _wheel(folder: Path, name: str = "fake_harness", slow: bool = False, version: str = "1.0", needs: str = "") -> Path:
    """A wheel with a nemo-evaluator command, as small as pip accepts one."""
    del slow
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needed = f"Requires-Dist: {needs}\n" if needs else ""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "def main():\n    print('evaluated')\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nnemo-evaluator = {name}:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> harnesses.HarnessWheel:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    return harnesses.HarnessWheel(harness="fake", requirements=[str(_wheel(tmp_path))], megabytes=1)


def test_an_installed_harness_runs_and_is_not_installed_again(wheel: harnesses.HarnessWheel) -> None:
    log = io.StringIO()
    environment = harness_env.ensure(wheel, log)
    assert "installed" in log.getvalue().splitlines()[-1]
    done = subprocess.run([environment / "bin" / "nemo-evaluator"], capture_output=True, text=True, check=True)
    assert done.stdout == "evaluated\n"
    again = io.StringIO()
    assert harness_env.ensure(wheel, again) == environment
    assert again.getvalue() == ""


def test_a_harness_gets_the_last_nemo_evaluator_that_has_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    for version in ("0.2.8", "0.3.0"):
        _wheel(tmp_path, "nemo_evaluator", version=version)
    asking = _wheel(tmp_path, needs="nemo-evaluator>=0.1.51")
    row = harnesses.HarnessWheel(harness="fake", requirements=[str(asking)], megabytes=1)
    site = harness_env.site_packages(harness_env.ensure(row, io.StringIO()))
    assert [path.name for path in site.glob("nemo_evaluator-*.dist-info")] == ["nemo_evaluator-0.2.8.dist-info"]


def test_a_failed_installation_leaves_nothing_and_says_pip_s_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    missing = harnesses.HarnessWheel(
        harness="gone", requirements=[str(tmp_path / "gone-1.0-py3-none-any.whl")], megabytes=1
    )
    with pytest.raises(HarnessError, match="gone"):
        harness_env.ensure(missing, io.StringIO())
    assert harness_env.installed(missing) is None
    assert list((tmp_path / "cache" / "harnesses" / "builds").iterdir()) == []


def test_too_little_disk_space_is_said_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    huge = harnesses.HarnessWheel(harness="huge", requirements=["x"], megabytes=10**9)
    with pytest.raises(StorageError, match=r"needs about 1000000000 MB"):
        harness_env.ensure(huge, io.StringIO())
    assert list((tmp_path / "cache" / "harnesses" / "builds").iterdir()) == []


def test_a_disk_that_fills_up_while_installing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real full disk: a tmpfs of 8 MB, in a mount namespace of its own."""
    from tests.requirements import require

    require(os.geteuid() == 0 and shutil.which("unshare") is not None, "root and unshare, to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    wheel = _wheel(tmp_path)
    script = textwrap.dedent(f"""
        import io, os
        os.environ["QUANTGATE_CACHE"] = {str(disk)!r}
        from quantgate.errors import QuantgateError
        from quantgate.launcher import harness_env, harnesses
        row = harnesses.HarnessWheel(harness="fake", requirements=[{str(wheel)!r}], megabytes=1)
        try:
            harness_env.ensure(row, io.StringIO())
        except QuantgateError as error:
            print(type(error).__name__, error)
        print(sorted(p.name for p in (harness_env.environments_dir() / "builds").iterdir()), harness_env.installed(row))
    """)
    shell = f'mount -t tmpfs -o size=8m,mode=700 tmpfs {disk} && exec {sys.executable} -c "$SCRIPT"'
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", shell],
        env={**os.environ, "SCRIPT": script},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    require("mount:" not in done.stderr, "the right to mount a tmpfs")
    first, second = done.stdout.strip().splitlines()
    assert first.startswith(("StorageError", "HarnessError")), done.stderr
    assert "disk is full" in first.lower() or "No space left" in first
    assert second == "[] None"


def test_an_interrupted_installation_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    wheel = _wheel(tmp_path)
    script = textwrap.dedent(f"""
        import sys
        from quantgate.launcher import harness_env, harnesses
        harness_env.ensure(harnesses.HarnessWheel(harness="fake", requirements=[{str(wheel)!r}], megabytes=1), sys.stdout)
    """)
    for signum in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "creating a virtual environment" in process.stdout.readline() + process.stdout.readline()
        time.sleep(0.3)
        process.send_signal(signum)
        process.wait(timeout=30)
        process.stdout.close()
        row = harnesses.HarnessWheel(harness="fake", requirements=[str(wheel)], megabytes=1)
        assert harness_env.installed(row) is None
        if signum == signal.SIGTERM:
            assert list((tmp_path / "cache" / "harnesses" / "builds").iterdir()) == []
    harness_env.ensure(row, io.StringIO())
    assert len(list((tmp_path / "cache" / "harnesses" / "builds").iterdir())) == 1


def test_two_runs_at_once_install_it_once(wheel: harnesses.HarnessWheel, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys
        from quantgate.launcher import harness_env, harnesses
        row = harnesses.HarnessWheel(harness="fake", requirements={wheel.requirements!r}, megabytes=1)
        print(harness_env.ensure(row, sys.stderr))
    """)
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in "12"
    ]
    answers = {process.communicate(timeout=120)[0] for process in both}
    assert len(answers) == 1
    assert len(list((tmp_path / "cache" / "harnesses" / "builds").iterdir())) == 1


def test_every_row_of_the_table_pins_what_the_containers_have() -> None:
    for name, row in harnesses.table().items():
        assert row.requirements[0].endswith("==26.3"), name
        assert all("<" in bound for bound in row.requirements[1:]), name  # what newer versions of a dependency broke
    assert {
        "ifbench",
        "simple_evals",
        "lm-evaluation-harness",
        "bfcl",
        "livecodebench",
        "AA-LCR",
        "scicode",
        "tau2_bench",
        "hle",
    } <= set(harnesses.table())
    assert {"ruler", "mtbench"} <= set(harnesses.table())


def test_a_harness_without_a_wheel_names_the_container_way() -> None:
    with pytest.raises(HarnessError, match=r"nemo_skills.*execution\.type: local.*nemo-skills:26\.03"):
        harnesses.require_wheel("nemo_skills", "nvcr.io/nvidia/eval-factory/nemo-skills:26.03")


def test_an_installation_that_takes_too_long_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build backend that pip started holds pip's output open after pip is gone."""
    monkeypatch.setattr(harness_env, "INSTALL_SECONDS", 1.0)
    begun = time.monotonic()
    with (tmp_path / "log").open("w") as log, pytest.raises(HarnessError):
        harness_env._command(["bash", "-c", "sleep 40 & wait"], harnesses.require_wheel("ifbench"), log)
    assert time.monotonic() - begun < 20
