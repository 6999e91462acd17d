"""The protocol's own conformance suite, over HTTP, in both generations, against `quantgate serve --http`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.node_tools import environment, npm_command
from tests.protocol.scenarios import FIXTURES, HANDSHAKE, NOT_OFFERED, PARTLY, PASSED, SESSIONLESS, SUITE
from tests.server.http_server import serving

PACKAGE = "@modelcontextprotocol/conformance"
RUN_SECONDS = 300
GOOD = ("SUCCESS", "INFO", "SKIPPED")
REPOSITORY = Path(__file__).parents[2]

Checks = Mapping[str, list[dict[str, Any]]]


def _run(*arguments: str) -> str:
    argv = [*npm_command(PACKAGE, SUITE, "conformance"), *arguments]
    # Its exit status is 1 when any scenario fails, also one for other servers.
    done = subprocess.run(argv, capture_output=True, text=True, timeout=RUN_SECONDS, env=environment(), check=False)
    assert done.returncode in {0, 1}, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that offers everything, without a token, on loopback."""
    home = tmp_path_factory.mktemp("conformance")
    with serving(home, "--requests-per-minute", "10000", QUANTGATE_HOME=str(home / "quantgate")) as server:
        yield server.url


def _checks(folder: Path, url: str, generation: str) -> Checks:
    _run("server", "--url", url, "--suite", "all", "--spec-version", generation, "--output-dir", str(folder))
    found = {}
    for file in folder.glob("server-*/checks.json"):
        name = re.sub(r"^server-|-\d{4}-\d\d-\d\dT[\d-]+Z$", "", file.parent.name)
        found[name] = json.loads(file.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def results(url: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Checks]:
    """By generation and scenario, what the suite checked."""
    return {v: _checks(tmp_path_factory.mktemp(v), url, v) for v in (HANDSHAKE, SESSIONLESS)}


def _bad(checks: list[dict[str, Any]]) -> dict[str, str]:
    return {c["id"]: str(c.get("errorMessage", "")) for c in checks if c["status"] not in GOOD}


@pytest.mark.parametrize(("generation", "scenario"), [(v, name) for v, names in PASSED.items() for name in names])
def test_a_scenario_that_needs_no_test_server_passes(
    results: Mapping[str, Checks], generation: str, scenario: str
) -> None:
    checks = results[generation][scenario]
    assert any(check["status"] == "SUCCESS" for check in checks)
    assert _bad(checks) == {}


@pytest.mark.parametrize("scenario", PARTLY)
def test_all_checks_of_a_scenario_succeed_but_those_that_are_named(
    results: Mapping[str, Checks], scenario: str
) -> None:
    checks = results[SESSIONLESS][scenario]
    assert set(_bad(checks)) == set(PARTLY[scenario])
    assert sum(check["status"] == "SUCCESS" for check in checks) >= 20


@pytest.mark.parametrize("scenario", NOT_OFFERED)
def test_what_is_not_announced_is_refused_as_an_unknown_method(results: Mapping[str, Checks], scenario: str) -> None:
    assert "Method not found" in _bad(results[HANDSHAKE][scenario])[scenario]


def test_the_server_does_not_announce_what_it_refuses(url: str) -> None:
    import urllib.request

    asked = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": asked}).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
        text = answer.read().decode()
    (message,) = [line.removeprefix("data: ") for line in text.splitlines() if '"capabilities"' in line]
    announced = json.loads(message)["result"]["capabilities"]
    assert "logging" not in announced
    assert not announced["resources"].get("subscribe")


def test_every_scenario_of_the_suite_is_accounted_for(results: Mapping[str, Checks]) -> None:
    known = {*PARTLY, *NOT_OFFERED, *(name for names in PASSED.values() for name in names)}
    unknown = {n for checks in results.values() for n in checks if n not in known and not n.startswith(tuple(FIXTURES))}
    assert unknown == set()


def test_a_server_that_is_not_there_passes_none_of_them(tmp_path: Path) -> None:
    # A scenario that passes without any server would prove nothing of this one.
    for generation, names in PASSED.items():
        checks = _checks(tmp_path / generation, "http://127.0.0.1:9/mcp", generation)
        assert [name for name in [*names, *PARTLY] if name in checks and not _bad(checks[name])] == []


def test_the_documentation_names_each_scenario_and_its_outcome() -> None:
    page = (REPOSITORY / "docs" / "protocol.md").read_text(encoding="utf-8")
    section = page.split("## Conformance")[1].split("\n## ")[0]
    rows = {m[1] for m in re.finditer(r"^\| `([a-z0-9-]+)\*?` \|", section, re.MULTILINE)}
    named = {*PARTLY, *NOT_OFFERED, *FIXTURES, *(name for names in PASSED.values() for name in names)}
    assert rows == named
    assert SUITE in page
