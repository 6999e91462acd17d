"""A model server for the campaign, as a program of its own that can be killed and frozen.

`python endpoint.py PORT SECONDS LOG` stands for an OpenAI-compatible server with one model. It answers a question always with the
same words, as a model at temperature 0 does, and writes one line for each question that it was asked and for each answer that it
got rid of: who asked, by the run directory in the asking process. The key that it must be given is in ENDPOINT_KEY.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MODEL_ID = "small"
RUN_DIRECTORY = re.compile(r"\d{8}_\d{6}-([0-9a-f]{16})")
JOB = re.compile(r"SLURM_JOB_ID=(\d+)\0")
WORDS = [
    "time",
    "year",
    "people",
    "way",
    "day",
    "man",
    "thing",
    "woman",
    "life",
    "child",
    "world",
    "school",
    "state",
    "family",
    "student",
    "group",
    "country",
    "problem",
]
_ESTABLISHED = "01"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    log: Path
    seconds: float

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves a broken connection."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send({"data": [{"id": MODEL_ID, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        question = str(body["messages"][-1]["content"])
        number = hashlib.sha256(question.encode()).hexdigest()[:12]
        who = asking(self.client_address[1])
        key = self.headers.get("Authorization", "").removeprefix("Bearer ") == os.environ.get("ENDPOINT_KEY", "")
        self._note("asked", number, who, key=key)
        time.sleep(self.server.seconds)
        text = words(number)
        message = {"role": "assistant", "content": text}
        self._send(
            {
                "id": number,
                "object": "chat.completion",
                "created": int(time.time()),
                "model": MODEL_ID,
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60},
            }
        )
        self._note("answered", number, who)

    def _note(self, event: str, question: str, who: str, **more: Any) -> None:
        line = json.dumps({"time": time.time(), "event": event, "question": question, "run": who, **more}) + "\n"
        with self.server.log.open("a", encoding="utf-8") as file:
            file.write(line)

    def _send(self, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, *args: Any) -> None:
        pass


def words(number: str) -> str:
    """The answer to a question: some words that depend on it alone."""
    rng = random.Random(number)
    return " ".join(rng.choice(WORDS) for _ in range(40)).capitalize() + "."


def asking(port: int) -> str:
    """Which run (or else which scheduler's job) asks at the other end of a loopback connection; empty when it cannot be seen."""
    inode = ""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text("ascii").splitlines()[1:] if Path(table).exists() else ():
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == _ESTABLISHED:
                inode = fields[9]
    if not inode:
        return ""
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and _has(process, f"socket:[{inode}]"):
            return run_of(process) or job_of(process)
    return ""


def _has(process: Path, link: str) -> bool:
    try:
        return any(os.readlink(fd) == link for fd in (process / "fd").iterdir())  # noqa: PTH115 - no path
    except OSError:
        return False


def job_of(process: Path) -> str:
    """The scheduler's job that a process belongs to; empty for none."""
    try:
        found = JOB.search((process / "environ").read_text("utf-8", "replace"))
    except OSError:
        return ""
    return found[1] if found else ""


def run_of(process: Path) -> str:
    """The invocation whose directory a process has as its place, in its command or in its environment."""
    try:
        text = os.readlink(process / "cwd") + (process / "cmdline").read_text("utf-8", "replace")  # noqa: PTH115
        text += (process / "environ").read_text("utf-8", "replace")
    except OSError:
        return ""
    found = RUN_DIRECTORY.search(text)
    return found[1] if found else ""


def main(port: int, seconds: float, log: Path) -> None:
    """Serve until killed."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.log, server.seconds = log, seconds
    server.serve_forever(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]))
