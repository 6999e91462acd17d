"""Artifact references in Weights & Biases with the real `wandb`, where it needs no cloud: no login, no network, no such project."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quantgate.errors import TrackingError, TrackingUnreachable, UnknownName
from quantgate.nemotron.artifacts import settings, wandb_store

from .test_wandb import wandb_site

__all__ = ["wandb_site"]

KEY = "0123456789abcdef" * 3
pytestmark = pytest.mark.network


class _Server(BaseHTTPRequestHandler):
    """Stands for W&B's GraphQL: one answer for every request."""

    status, answer = 200, b"{}"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Server]]:
    class Own(_Server):
        pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listening.server_port}")
    yield Own
    listening.shutdown()
    listening.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _package(wandb_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = str(Path(wandb_store.__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(wandb_site), ours]))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    for name in ("WANDB_API_KEY", "NETRC", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)


def _said(kind: type[Exception]) -> str:
    with pytest.raises(kind) as refused:
        settings.resolver({"entity": "team", "project": "nemotron"}).resolve("rl:v3")
    text = str(refused.value)
    assert "\n" not in text
    assert "Traceback" not in text
    assert KEY not in text
    return text


def test_without_a_login_it_is_said_who_logs_in() -> None:
    text = _said(TrackingError)
    assert text.startswith("Not logged in to Weights & Biases")
    assert "wandb login" in text


def test_a_key_that_the_server_does_not_take_is_no_login(
    server: type[_Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server.status, server.answer = 401, json.dumps({"errors": [{"message": "invalid api key"}]}).encode()
    assert _said(TrackingError).startswith("Not logged in to Weights & Biases")


def test_without_a_network_it_is_said_that_nobody_answers_and_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    text = _said(TrackingUnreachable)
    assert text.startswith("Weights & Biases does not answer")
    assert "deployment.checkpoint_path=" in text


def test_a_project_that_is_not_there_makes_the_artifact_unknown(
    server: type[_Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    server.answer = json.dumps({"data": {"project": None, "viewer": {"id": "1", "entity": "team"}}}).encode()
    assert "Unknown artifact 'rl:v3'" in _said(UnknownName)
