"""A small real model behind an OpenAI-compatible endpoint on this machine's CPU.

`python -m quantgate.demo.small_model --port 8080` serves it in the foreground; `serving` runs the same as a child.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .. import workspace
from ..errors import BadInput, EndpointError, QuantgateError
from ..redact import redact
from ..system import processes
from .weights import FILE_NAME, TERMS, require_extra, weights_path

LOAD_SECONDS = 90
"""Longest wait for the model to answer; it takes under two seconds on an idle machine."""

CHAT_TEMPLATE = "{{ messages[-1]['content'] }}"
"""A base model gets the prompt as it stands. Its file has no template, and llama.cpp would take ChatML, which these
weights have never seen: `verify_run` found tokens of it in half of the answers."""

STOP_SECONDS = 5
_WATCH_SECONDS = 0.5
_TAIL = 500
_READY_LINE = re.compile(r"^Serving \S+ at (http://\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Endpoint:
    """A served model: its chat-completions URL, the name it answers to (the file's own), and the file behind it."""

    url: str
    model_id: str
    weights: Path
    pid: int


@dataclass(frozen=True)
class Serving:
    """How the model is served: CPU threads, tokens of context over all slots, requests answered at once."""

    threads: int = 2
    context: int = 8192
    slots: int = 4


@contextmanager
def serving(
    weights: Path, log: Path, how: Serving | None = None, load_seconds: float = LOAD_SECONDS
) -> Iterator[Endpoint]:
    """Serve the weights from a child process on a free loopback port until the block ends.

    The child has its own process group, so that a Ctrl-C in the terminal reaches only the parent, and ends by itself
    when the parent dies.

    Args:
        weights: A GGUF file.
        log: File that takes the child's output; overwritten.
        how: Threads, context and slots.
        load_seconds: Longest wait for `/v1/models` to answer.

    Raises:
        BadInput: The `demo` extra is not installed.
        EndpointError: The child ended or did not answer in time; the message has the end of its output.
    """
    require_extra()
    how = how or Serving()
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", __name__, "--port", "0", "--parent", str(os.getpid()), "--weights", str(weights)]
    command += ["--threads", str(how.threads), "--context", str(how.context), "--slots", str(how.slots)]
    with log.open("w", encoding="utf-8") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **processes.own_group()
        )
    try:
        url = _wait_until_up(child, log, load_seconds, weights.stem)
        yield Endpoint(url, weights.stem, weights, child.pid)
    finally:
        processes.end_child(child, STOP_SECONDS)


def _wait_until_up(child: subprocess.Popen[bytes], log: Path, load_seconds: float, model_id: str) -> str:
    deadline = time.monotonic() + load_seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        ready = _READY_LINE.search(log.read_text(encoding="utf-8", errors="replace"))
        if ready and _answers(ready[1], model_id):
            return ready[1]
        time.sleep(0.1)
    ended = (
        f"ended with code {child.returncode}" if child.poll() is not None else f"did not answer in {load_seconds:.0f} s"
    )
    tail = redact(log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]).strip()
    raise EndpointError(
        f"The demo's model server {ended}; its last output was {tail!r}",
        where=str(log),
        fix="read the log; if the process was killed, free 1 GB of memory",
    )


def _answers(url: str, model_id: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        listed: dict[str, Any] = json.loads(response.read())
        return response.status == 200 and any(row.get("id") == model_id for row in listed.get("data", []))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _serve(weights: Path, port: int, how: Serving) -> Any:
    require_extra()
    if not weights.is_file():
        raise BadInput(f"No weights at {str(weights)!r}", fix="give a GGUF file with --weights, or leave it out")
    try:
        import xllamacpp
    except ImportError as error:
        raise BadInput(f"xllamacpp cannot be loaded: {error}", fix="reinstall it for this machine and Python") from None
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {weights.stem}
    params.port = port
    params.n_ctx = how.context
    params.n_parallel = how.slots
    params.cpuparams.n_threads = how.threads
    params.verbosity = 1
    params.ui = False
    params.use_jinja = True
    params.chat_template = CHAT_TEMPLATE
    try:
        return xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise BadInput(
            f"The weights cannot be served: {error}",
            where=str(weights),
            fix="give a whole GGUF file and a port that is free",
        ) from None


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m quantgate.demo.small_model", description=__doc__, epilog=TERMS)
    parser.add_argument("--port", type=int, required=True, help="loopback port; 0 takes a free one")
    parser.add_argument("--threads", type=int, default=Serving.threads, help="CPU threads")
    parser.add_argument("--context", type=int, default=Serving.context, help="tokens of context over all slots")
    parser.add_argument("--slots", type=int, default=Serving.slots, help="requests answered at once")
    parser.add_argument("--weights", type=Path, help=f"a GGUF file; {FILE_NAME} is assembled when left out")
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or the death of the parent process; returns the exit code."""
    options = _parse(arguments)
    # A parent that died before this line is seen too: `serving` passes its own id.
    parent = options.parent or os.getppid()
    stopped = threading.Event()
    for sign in processes.ENDING:
        signal.signal(sign, lambda *_: stopped.set())
    try:
        weights = options.weights or weights_path(workspace.cache_dir() / "demo")
        server = _serve(weights, options.port, Serving(options.threads, options.context, options.slots))
    except QuantgateError as error:
        print(error, file=sys.stderr)
        return 1
    print(TERMS)
    print(f"Serving {weights.stem} at {server.listening_address}/v1/chat/completions", flush=True)
    while not stopped.wait(_WATCH_SECONDS) and processes.has_parent(parent):
        pass
    sys.stdout.flush()
    # The server's destructor would finish the answers in flight first.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
