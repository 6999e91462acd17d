"""The oldest dependencies that pyproject.toml admits: installed together, and the quick tests pass with them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.requirements import require

from . import quick
from .built import UV, Installation, build, installation, interpreter
from .locks import direct, pins

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The wheel at the pins of `requirements/floor.lock`, in the oldest Python."""
    python = interpreter("3.11")
    require(UV.exists() and python is not None, "uv or Python 3.11 is not installed")
    assert python is not None
    wheel = build("wheel", tmp_path_factory.mktemp("dist"))
    what = [f"quantgate[demo] @ {wheel.as_uri()}", *quick.tools()]
    with installation(python, tmp_path_factory.mktemp("floors"), "floor", *what) as made:
        yield made


def test_what_is_installed_is_the_oldest_of_every_dependency(installed: Installation) -> None:
    code = (
        "import json, sys; from importlib.metadata import version; "
        "print(json.dumps({n: version(n) for n in sys.argv[1:]}))"
    )
    names = [wanted.name for wanted in direct(dev=False)]
    there = json.loads(installed.run("python", "-c", code, *names).out)
    oldest = {pin.name: str(pin.version) for pin in pins("floor")}
    assert {name: oldest[name.lower().replace(".", "-")] for name in names} == there


def test_the_doctor_is_content_with_them(installed: Installation) -> None:
    done = installed.run("quantgate", "doctor")
    assert (done.code, done.err) == (0, "")


def test_a_config_is_checked_and_passes_the_launchers_dry_run(installed: Installation) -> None:
    quick.passes_a_dry_run(installed)


def test_the_quick_tests_pass_with_them(installed: Installation) -> None:
    done = quick.run(installed)
    assert done.code == 0, done.out[-4000:]
    assert " passed" in done.out
