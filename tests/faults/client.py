"""`quantgate serve` as a client sees it that must live with its end: every call comes back, with an answer or without one."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

START_SECONDS = 60.0
CLOSE_SECONDS = 20.0


@dataclass(frozen=True)
class Answer:
    """What became of a call.

    Attributes:
        how: "answered"; "refused" with a text that says what to do; "lost" when the server ended; "silent" after the time limit.
        data: The structured answer.
        text: Of a refusal.
        began: When it was asked, in seconds since the epoch.
        ended: When the answer was there.
    """

    tool: str
    how: Literal["answered", "refused", "lost", "silent"]
    began: float
    ended: float
    data: dict[str, Any] = field(default_factory=dict)
    text: str = ""


class Server:
    """One process of the server.

    Args:
        env: Its whole environment.
        cwd: Its working directory.
        log: Where its standard error goes.
    """

    def __init__(self, env: Mapping[str, str], cwd: Path, log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "quantgate", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=dict(env),
                cwd=cwd,
            )
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._next = 0
        self._silent = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        client = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "campaign", "version": "1"},
        }
        self.greeted = self._ask("initialize", client, START_SECONDS) is not None
        self._send({"method": "notifications/initialized"})

    def _read(self) -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self.process.stdout:
                self._answers.put(json.loads(line))
        self._silent.set()
        self._answers.put(None)

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            self.process.stdin.flush()

    def _ask(self, method: str, params: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """The answer's message; None when the server ended.

        Raises:
            TimeoutError: Neither came.
        """
        self._next += 1
        self._send({"id": self._next, "method": method, "params": params})
        deadline = time.monotonic() + seconds
        while True:
            try:
                message = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(method) from None
            if message is None:
                self._answers.put(None)
                return None
            if message.get("id") == self._next:
                return message

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> Answer:
        """Call a tool and wait for what becomes of it, at most so long."""
        began = time.time()
        try:
            message = self._ask("tools/call", {"name": tool, "arguments": dict(arguments)}, seconds)
        except TimeoutError:
            return Answer(tool, "silent", began, time.time())
        if message is None:
            return Answer(tool, "lost", began, time.time())
        result = message.get("result") or {"isError": True, "content": [{"text": json.dumps(message.get("error"))}]}
        if result.get("isError"):
            return Answer(tool, "refused", began, time.time(), text=str(result["content"][0]["text"]))
        return Answer(tool, "answered", began, time.time(), data=result["structuredContent"])

    @property
    def alive(self) -> bool:
        """Whether it may answer; one that was told to end closes its output first and then ends."""
        return self.running and not self._silent.is_set()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.process.poll() is None

    def hang_up(self) -> None:
        """Close its input, as a client does that goes away."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.close()

    def close(self) -> bool:
        """End it as a client does; whether it ended by itself in time."""
        self.hang_up()
        try:
            self.process.wait(timeout=CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True
