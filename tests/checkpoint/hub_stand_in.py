"""A stand-in for the Hugging Face hub and its file store, over HTTP on loopback: the build machines cannot reach the hub.

It answers the two addresses that huggingface_hub 2.4.0 uses (`/api/models/<handle>`, `/<handle>/resolve/…`), redirects weight
files to the store as the hub does, and counts every byte that it sends. What the real hub does beyond that is not proved.
"""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HANDLE = "acme/Widget-9B-FP8"


@dataclass
class Asked:
    """One request."""

    host: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Hub:
    """The stand-in: its files, its faults, and what it was asked."""

    files: Path
    url: str = ""
    store_url: str = ""
    commit: str = COMMIT
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0
    status: int = 0
    """Answer every request with it."""
    status_of_files: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    ignores_range: bool = False
    content_range: str = ""
    seconds_per_byte: float = 0
    siblings: list[Any] | None = None
    redirect_to: str = ""
    compressed: bool = False

    def names(self) -> list[Any]:
        if self.siblings is not None:
            return self.siblings
        return [
            {"rfilename": str(p.relative_to(self.files)), "size": p.stat().st_size}
            for p in sorted(self.files.rglob("*"))
            if p.is_file()
        ]

    def paths(self) -> list[str]:
        return [a.path for a in self.asked]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub
    host: str

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        hub = self.hub
        hub.asked.append(Asked(self.host, self.path, dict(self.headers.items())))
        path = self.path.partition("?")[0]
        with suppress(ConnectionError):  # the client cuts what it does not want
            if hub.status:
                self._send(hub.status, b"no", hub.headers)
            elif path.startswith("/api/models/"):
                self._send(200, json.dumps({"sha": hub.commit, "siblings": hub.names()}).encode(), {})
            elif hub.status_of_files:
                self._send(hub.status_of_files, b"no", hub.headers)
            else:
                self._file(path.rpartition("/")[2])

    def _file(self, name: str) -> None:
        hub = self.hub
        if name.endswith(".safetensors") and self.host == "hub":
            target = hub.redirect_to or f"{hub.store_url}/store/{name}?signature=secret"
            self._send(302, b"", {"Location": target})
            return
        path = hub.files / name
        size = path.stat().st_size
        wanted = self.headers.get("Range", "")
        if hub.ignores_range or not wanted:
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self._stream(path, 0, size)
            return
        begin, end = (int(n) for n in wanted.removeprefix("bytes=").split("-"))
        end = min(end, size - 1)
        self.send_response(206)
        self.send_header("Content-Length", str(end - begin + 1))
        self.send_header("Content-Range", hub.content_range or f"bytes {begin}-{end}/{size}")
        self.end_headers()
        self._stream(path, begin, end + 1)

    def _stream(self, path: Path, begin: int, end: int) -> None:
        with path.open("rb") as stream:
            stream.seek(begin)
            while begin < end:
                piece = stream.read(min(end - begin, 1 if self.hub.seconds_per_byte else 65536))
                time.sleep(self.hub.seconds_per_byte)
                self.wfile.write(piece)
                self.hub.sent += len(piece)
                begin += len(piece)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.hub.compressed:
            self.send_header("Content-Encoding", "gzip")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for at in range(0, len(body), 1 if self.hub.seconds_per_byte else 65536):
            time.sleep(self.hub.seconds_per_byte)
            self.wfile.write(body[at : at + (1 if self.hub.seconds_per_byte else 65536)])
        self.hub.sent += len(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that leave in the middle are part of the tests."""


@contextmanager
def running(files: Path) -> Iterator[Hub]:
    """The hub and its store, until the block ends."""
    hub = Hub(files)
    servers = []
    for host in ("hub", "store"):
        handler = type("Handler", (_Handler,), {"hub": hub, "host": host})
        server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    hub.url, hub.store_url = (f"http://127.0.0.1:{s.server_address[1]}" for s in servers)
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def sparse_shards(directory: Path, shards: int = 3, gigabytes_each: float = 1.7) -> int:
    """Write safetensors shards of this apparent size (holes on disk) and their index; returns the bytes of all headers."""
    weight_map, headers = {}, 0
    for number in range(1, shards + 1):
        name = f"model-{number:05d}-of-{shards:05d}.safetensors"
        rows = int(gigabytes_each * 1e9) // 2 // 1024
        tensors = {f"model.layers.{number}.mlp.up_proj.weight": ("F8_E4M3", [2 * rows, 1024])}
        header, at = {}, 0
        for tensor, (dtype, shape) in tensors.items():
            size = shape[0] * shape[1]
            header[tensor] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
            at += size
            weight_map[tensor] = name
        text = json.dumps(header).encode()
        with (directory / name).open("wb") as stream:
            stream.write(struct.pack("<Q", len(text)) + text)
            stream.truncate(8 + len(text) + at)
        headers += 8 + len(text)
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return headers
