"""The wheel on the newer Pythons that it admits.

CI's own Python runs every test. The others are tested where this machine has them: their absence is no gap of the machine, so the
skip here does not count as a failure under QUANTGATE_REQUIRE_ALL.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.requirements import require

from . import quick
from .built import UV, Installation, build, installation, interpreter

pytestmark = pytest.mark.network


@pytest.fixture(scope="module", params=["3.12", "3.13"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The wheel in an environment of that Python, at the pins of the lock."""
    require(UV.exists(), "uv is not installed")
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"no Python {request.param} here")
    wheel = build("wheel", tmp_path_factory.mktemp("dist"))
    what = [f"quantgate[demo] @ {wheel.as_uri()}", *quick.tools()]
    with installation(python, tmp_path_factory.mktemp(f"python{request.param}"), "ci", *what) as made:
        assert made.run("python", "--version").out.startswith(f"Python {request.param}.")
        yield made


def test_the_doctor_is_content_and_the_launcher_needs_no_repair(installed: Installation) -> None:
    done = installed.run("quantgate", "doctor")
    assert (done.code, done.err) == (0, "")
    assert done.out.rstrip().endswith("Ready.")
    assert installed.call("check_environment")["launcher"]["build_config_works"] is True


def test_a_config_is_checked_and_passes_the_launchers_dry_run(installed: Installation) -> None:
    quick.passes_a_dry_run(installed)


def test_the_quick_tests_pass(installed: Installation) -> None:
    done = quick.run(installed)
    assert done.code == 0, done.out[-4000:]
    assert " passed" in done.out
