"""Further sshds in the test cluster, each with a configuration of its own, and packets that the kernel drops."""

from __future__ import annotations

import contextlib
import ctypes
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from quantgate.cluster.connection import Connection

from .cluster import Cluster

_SO_ATTACH_FILTER = 26
_count = iter(range(10_000))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def another_sshd(cluster: Cluster, *lines: str, alias: str = "other", client: str = "") -> Iterator[Path]:
    """An sshd whose first lines of configuration are these; gives an ssh_config that knows it by an alias.

    The first line for a keyword counts, in sshd's configuration as in the client's.
    """
    name, port = f"sshd-{next(_count)}", _free_port()
    etc = cluster.base / "etc"
    own = (etc / "sshd_config").read_text("utf-8")
    own = re.sub(r"(?m)^Port .*\n", "", own)
    for line in lines:
        if line.split()[0] in {"Subsystem", "HostKey"}:
            own = re.sub(rf"(?m)^{line.split()[0]} .*\n", "", own)
    config = etc / f"{name}.conf"
    config.write_text("\n".join([*lines, f"Port {port}", own]), "utf-8")
    argv = ["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
    cluster._ask("start", name=name, argv=argv, env=cluster.environment, log=str(cluster.base / "log" / f"{name}.out"))
    try:
        _until_open(port)
        known = cluster.base / "ssh" / f"{name}.known"
        shown = subprocess.run(
            ["ssh-keyscan", "-p", str(port), "127.0.0.1"], capture_output=True, text=True, check=True, timeout=20
        )
        known.write_text(shown.stdout, "utf-8")
        written = etc / f"{name}.ssh_config"
        written.write_text(
            f"Host {alias}\n  {client}\n  HostName 127.0.0.1\n  Port {port}\n  User tester\n"
            f"  IdentityFile {cluster.base}/ssh/client_ed25519\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {known}\n\n" + cluster.ssh_config.read_text("utf-8"),
            "utf-8",
        )
        yield written
    finally:
        end_sessions(cluster)
        cluster._ask("send", name=name, signal=int(signal.SIGKILL), group=False)
        (cluster.base / "ssh" / f"{name}.known").unlink(missing_ok=True)


def _until_open(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            if link.recv(4) == b"SSH-":
                return
        assert time.monotonic() < deadline, "the sshd did not come up"
        time.sleep(0.05)


def end_sessions(cluster: Cluster, signal_name: str = "KILL") -> None:
    """Signal every session of every sshd of the cluster (the daemons themselves go on)."""
    cluster.run("pkill", f"-{signal_name}", "-f", "^sshd: tester")


def sessions(cluster: Cluster) -> int:
    """How many connections are logged in."""
    return int(cluster.run("sh", "-c", "pgrep -fc '^sshd: tester' || true").output.split()[0])


@contextlib.contextmanager
def later(seconds: float, cluster: Cluster) -> Iterator[None]:
    """While the block runs, every session is killed, once."""
    timer = threading.Timer(seconds, end_sessions, [cluster])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def drop_packets(end: socket.socket) -> None:
    """Have the kernel drop every packet that arrives for a socket, also those that would open a connection to a listening one."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF: return 0
    end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(code)))


def drop_answers(link: Connection) -> None:
    """From now on no packet of the host arrives over this connection."""
    assert link._link is not None
    transport = link._link._client.get_transport()
    assert transport is not None
    assert isinstance(transport.sock, socket.socket)
    drop_packets(transport.sock)


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port at which every packet is dropped."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        drop_packets(server)
        port: int = server.getsockname()[1]
        yield port
