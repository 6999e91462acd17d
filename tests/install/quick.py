"""The part of the tests that is run again in other environments: every kind of dependency, no network, no scheduler, a minute."""

from __future__ import annotations

import json
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

CONFIG = """
execution: {type: process, output_dir: FOLDER/results}
deployment: {type: none}
target: {api_endpoint: {url: http://127.0.0.1:1/v1/chat/completions, model_id: m, type: chat}}
evaluation: {tasks: [{name: ifbench.ifbench}]}
"""
TOOLS = ("hypothesis", "jsonschema", "pytest", "pytest-timeout", "statsmodels")


def tools() -> list[str]:
    """What the rooms need beside the package, at the pins of the lock."""
    text = (ROOT / "requirements" / "ci.lock").read_text(encoding="utf-8")
    return [match[0] for name in TOOLS if (match := re.search(rf"^{re.escape(name)}==\S+", text, re.MULTILINE))]


def run(installed: Installation, *options: str) -> Done:
    """These rooms, against the package of that installation, with this repository's tests."""
    settings = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not network", "--tb", "short", *options]
    # Twenty seconds of the launcher's own work; `passes_a_dry_run` shows that it works here.
    settings += [
        "--deselect",
        "tests/launcher/test_templates.py::test_every_combination_is_byte_for_byte_what_the_launcher_writes",
    ]
    base = installed.folder / "pytest"
    return installed.run("python", "-B", "-m", "pytest", *settings, "--basetemp", base, *ROOMS, cwd=Path(ROOT))


def passes_a_dry_run(installed: Installation) -> None:
    """A server of that installation answers, checks a config, and has the launcher try it; it ends clean."""
    config = installed.home / "eval.yaml"
    config.write_text(CONFIG.replace("FOLDER", str(installed.home)), encoding="utf-8")
    with installed.serving() as server:
        server.call(1, "list_tasks", {"query": "ifbench"})
        assert "ifbench" in json.dumps(server.answer(1)["result"]["structuredContent"])
        server.call(2, "check_config", {"config": str(config)})
        checked = server.answer(2)["result"]["structuredContent"]
        assert (checked["ok"], checked["rules_checked"] > 100) == (True, True)
        server.call(3, "dry_run", {"config": str(config)})
        answer = server.answer(3, seconds=240)["result"]
        assert not answer["isError"], answer
        assert answer["structuredContent"]["passed"] is True
        assert server.end() == 0
        assert server.complaints() == ""
