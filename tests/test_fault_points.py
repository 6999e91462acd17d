"""The fault points do nothing but what a test asks for, and only to processes that were asked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

REACH = "from quantgate import faults; faults.reached('here'); print('went on')"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {REACH!r}]); print('parent went on')"


def _run(code: str, fault: str | None, **more: str) -> tuple[int, str]:
    env = {k: v for k, v in os.environ.items() if k != "QUANTGATE_FAULT"} | more
    if fault is not None:
        env["QUANTGATE_FAULT"] = fault
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("fault", [None, "", "kill:elsewhere", "kill", "here", "orphan:elsewhere", "stop:here"])
def test_a_point_that_is_not_named_is_passed(fault: str | None) -> None:
    assert _run(REACH, fault) == (0, "went on\n")


def test_the_process_at_the_named_point_dies_at_once() -> None:
    assert _run(REACH, "kill:here") == (-9, "")


def test_its_parent_dies_and_it_goes_on() -> None:
    code, _ = _run(PARENT, "orphan:here")
    assert code == -9


def test_a_parent_that_was_not_asked_is_left_alone() -> None:
    given = "{**os.environ, 'QUANTGATE_FAULT': 'orphan:here'}"
    inner = f"import os; {PARENT.replace('])', f'], env={given})', 1)}"
    assert _run(inner, None) == (0, "went on\nparent went on\n")
