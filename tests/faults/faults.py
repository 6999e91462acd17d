"""The faults: what each does, and how it is undone after the block."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import truth
from .plan import Fault
from .world import World

TARGET_SECONDS = 3.0
"""How long a fault waits for the process that it is to end."""
POINT_SECONDS = 12.0
"""How long a server keeps the point at which its launches end, before it is killed and started without."""


class Missed(Exception):
    """What was to be hit was not there."""


def _until(look: Callable[[], list[int]]) -> list[int]:
    """What is found within `TARGET_SECONDS`.

    Raises:
        Missed: Nothing.
    """
    deadline = time.monotonic() + TARGET_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Missed
        time.sleep(0.03)
    return found


def _signal(pids: list[int], signum: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def _server_pid(world: World) -> list[int]:
    return [world.server.process.pid] if world.server is not None and world.server.alive else []


@contextlib.contextmanager
def server_kill(world: World, fault: Fault) -> Iterator[None]:
    """The server is gone from one moment to the next."""
    _signal(_until(lambda: _server_pid(world)), signal.SIGKILL)
    yield


@contextlib.contextmanager
def server_term(world: World, fault: Fault) -> Iterator[None]:
    """The server is told to end."""
    _signal(_until(lambda: _server_pid(world)), signal.SIGTERM)
    yield


@contextlib.contextmanager
def server_eof(world: World, fault: Fault) -> Iterator[None]:
    """The client goes away."""
    _until(lambda: _server_pid(world))
    assert world.server is not None
    world.server.hang_up()
    yield


@contextlib.contextmanager
def server_stop(world: World, fault: Fault) -> Iterator[None]:
    """The server stands still for a while (a suspended laptop, a debugger, a starved machine)."""
    pids = _until(lambda: _server_pid(world))
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _kill(choose: Callable[[truth.Process], bool]) -> None:
    def look() -> list[int]:
        return [p.pid for p in truth.processes() if not p.zombie and choose(p)]

    _signal(_until(look), signal.SIGKILL)


@contextlib.contextmanager
def child_kill(world: World, fault: Fault) -> Iterator[None]:
    """The process that talks to NEL is killed (by the kernel, when memory is short)."""
    _kill(lambda process: process.child)
    yield


@contextlib.contextmanager
def runner_kill(world: World, fault: Fault) -> Iterator[None]:
    """The process that runs the tasks is killed; its harness goes on alone."""
    _kill(lambda process: process.runner)
    yield


@contextlib.contextmanager
def harness_kill(world: World, fault: Fault) -> Iterator[None]:
    """The evaluation itself is killed, under its runner or in its job."""
    names = {"nemo-evaluator", "harness.py"}
    _kill(lambda process: any(Path(word).name in names for word in process.command[:3]))
    yield


@contextlib.contextmanager
def power_cut(world: World, fault: Fault) -> Iterator[None]:
    """Everything on the machine is gone at once; the model server comes back."""
    own = world.own_pids() | {os.getppid()}
    world.kill_endpoint()
    _signal([p.pid for p in truth.processes() if p.pid not in own], signal.SIGKILL)
    world.start_endpoint()
    yield


@contextlib.contextmanager
def endpoint_kill(world: World, fault: Fault) -> Iterator[None]:
    """The model server is killed, and comes back after a while."""
    world.kill_endpoint()
    try:
        yield
    finally:
        world.start_endpoint()


@contextlib.contextmanager
def endpoint_stop(world: World, fault: Fault) -> Iterator[None]:
    """The model server takes connections and says nothing for a while."""
    assert world.endpoint is not None
    pid = [world.endpoint.pid]
    _signal(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pid, signal.SIGCONT)


@contextlib.contextmanager
def _full(place: Path) -> Iterator[None]:
    ballast, over = place / ".ballast", threading.Event()

    def fill() -> None:
        with ballast.open("ab", buffering=0) as file:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    while file.write(b"x" * 65536) == 65536:
                        pass
                    while file.write(b"x" * 64):
                        pass
                over.wait(0.02)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        ballast.unlink()


@contextlib.contextmanager
def disk_results(world: World, fault: Fault) -> Iterator[None]:
    """The disk of the run directories is full for a while, again and again as soon as something is freed."""
    with _full(world.results):
        yield


@contextlib.contextmanager
def disk_state(world: World, fault: Fault) -> Iterator[None]:
    """The same with the disk of the ledger and of NEL's record."""
    with _full(world.state):
        yield


@contextlib.contextmanager
def packets(world: World, fault: Fault) -> Iterator[None]:
    """A share of all packets is lost: the kernel drops them on this enclosure's loopback."""
    rule = ["INPUT", "-i", "lo", "-m", "statistic", "--mode", "random", "--probability", fault.detail, "-j", "DROP"]
    subprocess.run(["iptables-legacy", "-A", *rule], check=True, capture_output=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run(["iptables-legacy", "-D", *rule], check=True, capture_output=True, timeout=20)


@contextlib.contextmanager
def sshd_kill(world: World, fault: Fault) -> Iterator[None]:
    """The login node lets nobody in, and has ended every connection; after a while it does again."""
    world.kill_daemon("sshd")
    world.end_sessions()
    try:
        yield
    finally:
        world.start_daemon("sshd")


@contextlib.contextmanager
def sessions_kill(world: World, fault: Fault) -> Iterator[None]:
    """Every connection breaks; new ones are possible."""
    world.end_sessions()
    yield


@contextlib.contextmanager
def slurmctld_kill(world: World, fault: Fault) -> Iterator[None]:
    """The scheduler is killed, and comes back after a while."""
    world.kill_daemon("slurmctld")
    try:
        yield
    finally:
        world.start_daemon("slurmctld")
        world.resume_node()


@contextlib.contextmanager
def slurmd_kill(world: World, fault: Fault) -> Iterator[None]:
    """The node's daemon is killed under its jobs, and comes back after a while."""
    world.kill_daemon("slurmd")
    try:
        yield
    finally:
        world.start_daemon("slurmd")


@contextlib.contextmanager
def point(world: World, fault: Fault) -> Iterator[None]:
    """The first server, or its child, ends at a place in a launch that has a name."""
    first = world.servers[0]
    deadline = time.monotonic() + POINT_SECONDS * world.pace
    while first.running and time.monotonic() < deadline:
        time.sleep(0.1)
    if first.running:
        first.process.kill()
    yield


KINDS: dict[str, Callable[[World, Fault], contextlib.AbstractContextManager[None]]] = {
    function.__name__: function
    for function in (
        server_kill, server_term, server_eof, server_stop, child_kill, runner_kill, harness_kill, power_cut,
        endpoint_kill, endpoint_stop, disk_results, disk_state, packets, point, sshd_kill, sessions_kill,
        slurmctld_kill, slurmd_kill,
    )
}  # fmt: skip
