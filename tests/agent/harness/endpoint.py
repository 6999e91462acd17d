"""A loopback server in the place of vLLM: `python -m tests.agent.harness.endpoint SETTINGS.json`.

It answers the stand-ins' questions with the accuracy that its settings give, always the same for the same question, and cuts an
answer at max_tokens as a real one does. What it stands in for: a served model and, under another name, a judge.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from . import questions


@dataclass(frozen=True)
class Settings:
    """What is served, and how.

    Attributes:
        port: On loopback.
        model: The served name.
        max_model_len: As /v1/models tells it.
        accuracy: Share of right answers, by benchmark; `*` for all others.
        tokens: Length of an answer; one in twenty is four times as long.
        seconds: How long an answer takes.
        refuses: Status of every completion, such as 401; 0 answers them.
        most_tokens: A request for more is refused with 400; 0 for no such limit.
        thinks: Answers begin with a trace between think tags.
        note: Text that stands at the end of that refusal.
        hang_after: So many answers, then silence with the connection open, until `awake` exists; 0 never.
        awake: A file whose existence ends the silence.
    """

    port: int
    model: str
    max_model_len: int = 131072
    accuracy: dict[str, float] = field(default_factory=lambda: {"*": 0.7})
    tokens: int = 60
    seconds: float = 0.0
    refuses: int = 0
    most_tokens: int = 0
    thinks: bool = False
    note: str = ""
    hang_after: int = 0
    awake: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves a broken connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    settings: ClassVar[Settings]
    lock: ClassVar[threading.Lock] = threading.Lock()
    asked: ClassVar[int] = 0

    def do_GET(self) -> None:
        row = {"id": self.settings.model, "object": "model", "owned_by": "vllm"}
        self._say(200, {"object": "list", "data": [{**row, "max_model_len": self.settings.max_model_len}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if self.settings.refuses:
            error = {
                "message": "Incorrect API key provided.",
                "type": "invalid_request_error",
                "code": "invalid_api_key",
            }
            return self._say(self.settings.refuses, {"error": error})
        if body.get("model") != self.settings.model:
            told = f"The model `{body.get('model')}` does not exist."
            return self._say(404, {"error": {"message": told, "type": "NotFoundError", "code": 404}})
        if 0 < self.settings.most_tokens < int(body.get("max_tokens") or 0):
            told = f"max_tokens={body['max_tokens']} is too large: this server was started with a limit of "
            told += f"{self.settings.most_tokens} completion tokens. {self.settings.note}"
            return self._say(400, {"error": {"message": told, "type": "BadRequestError", "code": 400}})
        self._wait()
        return self._say(200, completion(body, self.settings))

    def _wait(self) -> None:
        with self.lock:
            type(self).asked += 1
            silent = 0 < self.settings.hang_after < type(self).asked
            if silent:
                Path(self.settings.awake).with_name("endpoint.asked").write_text(str(type(self).asked), "utf-8")
        while silent and not Path(self.settings.awake).exists():
            time.sleep(0.2)
        time.sleep(self.settings.seconds)

    def _say(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


def completion(body: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The answer to a request."""
    prompt = "\n".join(str(m.get("content")) for m in body.get("messages", []))
    said, tokens = _answer(prompt, int(body.get("seed") or 0), settings)
    limit = int(body.get("max_tokens") or body.get("max_completion_tokens") or settings.max_model_len)
    cut = tokens > limit
    message = {"role": "assistant", "content": said[: limit * 3].partition("Answer:")[0] if cut else said}
    used = min(tokens, limit)
    asked = len(prompt) // 4 + 8
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": settings.model,
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if cut else "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": used, "total_tokens": asked + used},
    }


def _answer(prompt: str, seed: int, settings: Settings) -> tuple[str, int]:
    found = questions.named(prompt)
    if found is None:
        return f"I was asked {len(prompt)} characters and have nothing to add.", 12
    benchmark, number = found
    share = settings.accuracy.get(benchmark, settings.accuracy.get("*", 0.7))
    draw = questions.hash_of(settings.model, benchmark, number, seed)
    correct = questions.right(benchmark, number)
    other = questions.LETTERS[(questions.LETTERS.index(correct) + 1 + draw % 9) % 10]
    letter = correct if (draw // 16 % 10000) / 10000 < share else other
    tokens = settings.tokens * (4 if draw % 20 == 0 else 1) + draw % 7
    reason = " ".join(f"step {i} weighs stone {questions.hash_of(draw, i) % 9973}." for i in range(1, 4 + draw % 5))
    trace = f"<think>\nI weigh {draw % 97} stones. {reason}\n</think>\n\n" if settings.thinks else ""
    return f"{trace}Let me see: {reason}\nAnswer: {letter}", tokens


def main() -> None:
    """Serve until killed."""
    settings = Settings(**json.loads(Path(sys.argv[1]).read_text("utf-8")))
    handler = type("_Bound", (_Handler,), {"settings": settings})
    _Server(("127.0.0.1", settings.port), handler).serve_forever(0.2)


if __name__ == "__main__":
    main()
