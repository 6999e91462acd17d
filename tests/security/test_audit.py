"""`make audit` finds what it is made for, and says what it cannot see."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCK = """\
good==1.0 \\
    --hash=sha256:00
Jinja2==3.1.2 ; python_version > '3' \\
    --hash=sha256:01 \\
    --hash=sha256:02
bare==2
"""


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_script", ROOT / "scripts" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_weak_version_and_a_missing_hash_are_found(audit: ModuleType) -> None:
    locked = audit.read_lock("# made by make lock\n" + LOCK)
    assert locked == {"good": ("1.0", 1), "jinja2": ("3.1.2", 2), "bare": ("2", 0)}
    rows = yaml.safe_load((ROOT / "requirements" / "advisories.yaml").read_text())["advisories"]
    (found,) = audit.weak(locked, rows)
    assert "CVE-2025-27516" in found
    assert list(audit.without_hash(locked)) == ["bare 2 has no hash"]
    assert list(audit.weak({"jinja2": ("3.1.6", 1)}, rows)) == []
    assert list(audit.weak_by_safety_db(locked, {"good": ["<1.1"], "bare": ["<2"]})) == [
        "good 1.0: listed in safety-db as <1.1"
    ]


def test_packages_that_a_service_could_not_look_up_are_not_called_sound(audit: ModuleType) -> None:
    skipped = {"name": "a", "skip_reason": "Dependency not found on PyPI and could not be audited: a (1)"}
    weak = {"name": "b", "version": "1", "vulns": [{"id": "CVE-1"}]}
    found, why = audit.heard([skipped, weak])
    assert found == ["b 1: CVE-1"]
    assert why.startswith("1 of 2 packages could not be looked up")
    assert audit.heard([{"name": "c", "version": "1", "vulns": []}]) == ([], "")


def test_a_line_that_pins_nothing_is_refused(audit: ModuleType) -> None:
    with pytest.raises(ValueError, match="not pinned"):
        audit.read_lock("good>=1.0\n")


def test_the_locked_dependencies_pass_offline_and_the_limits_are_told(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "audit.py"
    done = subprocess.run([sys.executable, str(script), "--offline"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("was not held against an advisory service") == len(
        list((ROOT / "requirements").glob("*.lock"))
    )
    assert "a weakness that is not in it is not seen" in done.stdout
    doctored = tmp_path / "doctored.lock"
    doctored.write_text(LOCK, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script), "--offline", str(doctored)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "CVE-2025-27516" in done.stdout
