"""A loopback server in the place of a model server, for faults that a real one shows only by accident.

It answers the first requests at once and then does what a broken one does: it hangs with the connection open, or it is gone.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

MODEL_ID = "small"


class ChatHandler(BaseHTTPRequestHandler):
    """What every stand-in of a model server says alike: one model, and completions in the form of OpenAI's API."""

    def do_GET(self) -> None:
        """The list of models."""
        self._send({"data": [{"id": MODEL_ID, "object": "model"}]})

    def do_POST(self) -> None:
        """A request for a completion."""
        self.asked(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def asked(self, body: bytes) -> None:
        """What this stand-in does when it is asked."""
        raise NotImplementedError

    def complete(self, text: str) -> None:
        """Answer a request for a completion with this text."""
        self._send(
            {
                "id": "1",
                "object": "chat.completion",
                "model": MODEL_ID,
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 20, "total_tokens": 40},
            }
        )

    def _send(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def chat_server(handler: type[ChatHandler]) -> Iterator[str]:
    """A server of such a handler until the end of the block; the address of its completions."""
    http = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{http.server_port}/v1/chat/completions"
    finally:
        http.shutdown()
        http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A harness may open all its connections at once.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves a broken connection: that is what these tests are about."""


class StandIn:
    """The server.

    Args:
        answers: Completions that it gives before the fault; every later request waits until the server is closed.
    """

    def __init__(self, answers: int) -> None:
        self.left = answers
        self.asked = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        handler = type("_Bound", (_Handler,), {"stand_in": self})
        self._http = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1/chat/completions"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, connection: socket.socket) -> bool:
        """Count a completion; whether it is answered."""
        with self._lock:
            self.asked += 1
            self._open.add(connection)
            self.left -= 1
            return self.left >= 0

    def die(self) -> None:
        """Be gone as a killed server is: connections break off, and nobody listens any more."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.closing.is_set():
            self.die()


class _Handler(ChatHandler):
    stand_in: ClassVar[StandIn]

    def asked(self, body: bytes) -> None:
        if not self.stand_in.take(self.connection):
            self.stand_in.closing.wait()
            return
        self.complete("A short answer. " * 5)
