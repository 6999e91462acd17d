"""The part of the tests that is run again in other environments: every kind of dependency, no network, no scheduler, a minute."""

from __future__ import annotations

import re
from pathlib import Path

from .built import ROOT, Done, Installation

ROOMS = [
    "tests/statistics",
    "tests/gates/test_ledger.py",
    "tests/gates/test_ledger_schema.py",
    "tests/launcher/test_templates.py",
    "tests/evalconfig/test_edit.py",
    "tests/evalconfig/test_document.py",
    "tests/results/test_scores.py",
    "tests/server/test_protocol.py",
    "tests/test_redact.py",
    "tests/test_workspace.py",
]
"""numpy and scipy; SQLite and filelock; NEL; ruamel.yaml; msgspec; mcp and pydantic; platformdirs."""

TOOLS = ("hypothesis", "jsonschema", "pytest", "pytest-timeout", "statsmodels")


def tools() -> list[str]:
    """What the rooms need beside the package, at the pins of the lock."""
    text = (ROOT / "requirements" / "ci.lock").read_text(encoding="utf-8")
    return [match[0] for name in TOOLS if (match := re.search(rf"^{re.escape(name)}==\S+", text, re.MULTILINE))]


def run(installed: Installation, *options: str) -> Done:
    """These rooms, against the package of that installation, with this repository's tests."""
    settings = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not network", "--tb", "short", *options]
    # How a server ends is timed, which CI's own Python shows; its clean end is asked for by whoever starts it here.
    settings += ["-k", "not ends_at_once"]
    base = installed.folder / "pytest"
    return installed.run("python", "-B", "-m", "pytest", *settings, "--basetemp", base, *ROOMS, cwd=Path(ROOT))
