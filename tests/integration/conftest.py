"""A real small model behind a real endpoint, and the real server over stdio."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quantgate.demo import weights as demo_weights
from quantgate.demo.small_model import Endpoint, serving
from quantgate.errors import QuantgateError
from quantgate.launcher import harness_env, harnesses
from tests.conftest import SHARED_CACHE
from tests.requirements import require

CALL_SECONDS = 120


class ToolServer:
    """`quantgate serve` as a client sees it: one JSON-RPC message a line.

    Args:
        env: Its whole environment.
        cwd: Its working directory.
        stderr: Where its standard error goes.
    """

    def __init__(self, env: dict[str, str], cwd: Path, stderr: int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "quantgate", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env=env,
            cwd=cwd,
        )
        self._next = 0
        client = {"name": "test", "version": "1"}
        self._ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client})
        self._send({"method": "notifications/initialized"})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._next += 1
        self._send({"id": self._next, "method": method, "params": params})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self._next:
                refused = {"isError": True, "content": [{"text": str(message.get("error"))}]}
                answer: dict[str, Any] = message.get("result", refused)
                return answer
        raise AssertionError(f"the server ended during {method}")

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of a tool; a refusal fails the test."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        assert not answer.get("isError"), f"{tool}: {answer['content'][0]['text']}"
        result: dict[str, Any] = answer["structuredContent"]
        assert result["next_step"]
        return result

    def refusal(self, tool: str, **arguments: Any) -> str:
        """The text of a refusal; a result fails the test."""
        answer = self._ask("tools/call", {"name": tool, "arguments": arguments})
        assert answer.get("isError"), f"{tool} was not refused"
        return str(answer["content"][0]["text"])

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.close()

    def close(self) -> None:
        """End it as a client does."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=15)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture(scope="session")
def weights() -> Path:
    """The assembled GGUF file, kept between sessions."""
    missing = demo_weights.missing_modules()
    require(not missing, f"the demo extra is not installed: no module {', '.join(missing)}")
    SHARED_CACHE.mkdir(parents=True, exist_ok=True)
    return demo_weights.weights_path(SHARED_CACHE)


@pytest.fixture(scope="session")
def endpoint(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The small model, served for the whole session."""
    with serving(weights, tmp_path_factory.mktemp("model") / "model.log") as served:
        yield served


@pytest.fixture
def new_server(_own_home: Path, tmp_path: Path) -> Iterator[Any]:
    """Makes servers that share one home; whatever still runs at the end is ended."""
    made: list[ToolServer] = []
    env = {k: v for k, v in os.environ.items() if k != "DUMMY_API_KEY"}

    def make(**extra: str) -> ToolServer:
        made.append(ToolServer({**env, **extra}, tmp_path))
        return made[-1]

    yield make
    for server in made:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def harness() -> Path:
    """The environment of the real ifbench, installed once and kept between sessions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTGATE_CACHE", str(SHARED_CACHE))
        try:
            return harness_env.ensure(harnesses.require_wheel("ifbench"), io.StringIO())
        except QuantgateError as error:
            require(False, f"nvidia-ifbench could not be installed: {error}")
            raise


@pytest.fixture
def config(endpoint: Endpoint, harness: Path, tmp_path: Path) -> Path:
    """The example of a process run, pointed at the small model."""
    example = Path(__file__).parents[2] / "recipes" / "examples" / "ifbench_process.yaml"
    path = tmp_path / "eval.yaml"
    path.write_text(example.read_text(encoding="utf-8"), encoding="utf-8")
    return path
