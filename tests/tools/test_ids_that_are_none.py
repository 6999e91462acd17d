"""Names that are no run, given to every tool that takes one: a clear refusal, and nothing outside is read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput, QuantgateError, Refused, UnknownName
from quantgate.tools import TOOLS, calling

NAMES = [
    "../../etc",
    "/etc",
    "/etc/passwd",
    "..",
    ".",
    "",
    "   ",
    "\n",
    "0123456789abcdef\n/etc",
    "0123456789abcdef0",
    "0123456789ABCDEF",
    "0123456789abcdef",
    "0123456789abcde*",
    "[0-9]*",
    "?" * 16,
    "%00",
    "a\x00b",
    "~root",
    "~nobody-of-this-name",
    "$HOME",
    "$(id)",
    "-rf",
    "file:///etc",
    "host:/etc",
    "x" * 5000,
    "../" * 400 + "etc",
    "\u202e/etc",
    "١٢٣٤",
]
ARGUMENTS = {
    "status": "invocation_ids",
    "logs": "invocation_id",
    "grep_slurm_logs": "invocation_id",
    "resume": "invocation_id",
    "cancel": "invocation_id",
    "verify_run": "run",
}
TAKERS = [spec for spec in TOOLS if spec.name in ARGUMENTS]

_opened: list[str] = []
_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        _opened.append(os.path.realpath(os.fsdecode(arguments[0])))


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    # An audit hook cannot be taken away again; outside this module it does nothing.
    sys.addaudithook(_hook)


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every file that is opened during the test, by its real path."""
    global _watching  # noqa: PLW0603 - the hook outlives every test
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("secret of somebody else\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    _opened.clear()
    _watching = True
    yield _opened
    _watching = False


def test_every_tool_that_takes_a_run_is_looked_at() -> None:
    named = {"invocation_id", "invocation_ids", "run"}
    taking = {s.name for s in TOOLS if named & set(calling.input_schema(s)["properties"])}
    assert taking == {spec.name for spec in TAKERS}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
@pytest.mark.parametrize("tool", TAKERS, ids=lambda spec: spec.name)
def test_a_name_that_is_no_run_is_refused_with_a_fix(tool: Any, name: str, opened: list[str], tmp_path: Path) -> None:
    key = ARGUMENTS[tool.name]
    value: Any = [name] if key.endswith("s") else name
    with pytest.raises(QuantgateError) as refusal:
        tool.function(**calling.validated(tool, {key: value}))
    assert isinstance(refusal.value, BadInput | UnknownName | Refused)
    assert refusal.value.fix
    assert len(str(refusal.value)) < 1500
    assert "secret" not in str(refusal.value)
    outside = [p for p in opened if p == "/etc/passwd" or p.startswith(str(tmp_path / "etc"))]
    assert outside == []
