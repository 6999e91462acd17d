"""Where a run of the campaign happens: in namespaces of its own, so that nothing of it can be left behind.

The network has a loopback of its own (its ports meet nobody, packets can be dropped there), the process table shows only what
the run started, and what is mounted is gone with it. The kernel ends all of it with its first process.

`python -m tests.faults.enclosure KEEP TREE MODULE [ARGUMENT …]` is that first process.
"""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = Path("/mnt")
"""A file system in memory is mounted here."""
KEEP = PLACE / "keep"
"""The directory outside that a run may write into."""
PROGRAMS = ("unshare", "mount", "ip", "iptables-legacy")
_ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> str:
    """What this machine lacks for such namespaces; empty when it has everything."""
    absent = [p for p in PROGRAMS if shutil.which(p, path=_ADMIN_PATH) is None]
    if absent:
        return f"no {', '.join(absent)} here (Debian: util-linux, iproute2, iptables)"
    rule = "iptables-legacy -A INPUT -i lo -m statistic --mode random --probability 0.5 -j DROP"
    probe = [*_unshare(), "sh", "-c", f"mount -t tmpfs tmpfs {PLACE} && ip link set lo up && {rule}"]
    done = subprocess.run(probe, capture_output=True, timeout=20, check=False, env=_environment())
    return "" if done.returncode == 0 else "namespaces, mounts or iptables are not to be had here"


def command(keep: Path, tree: Path, module: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package inside.

    Args:
        keep: A directory that it can write to, as `KEEP`.
        tree: A copy of the repository to be used in the place of this one; this one itself for none.
        module: Its name.
        arguments: Of the module.
    """
    inner = [sys.executable, "-P", str(Path(__file__)), str(keep), str(tree), module, *arguments]
    return [*_unshare(), *inner]


def _unshare() -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_ADMIN_PATH}"}


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True, timeout=20)


def _furnish(keep: Path, tree: Path) -> None:
    if tree != ROOT:
        own = ROOT / ".venv"
        _mount("--bind", str(own), str(tree / ".venv"))
        _mount("--rbind", str(tree), str(ROOT))
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(PLACE))
    KEEP.mkdir()
    _mount("--bind", str(keep), str(KEEP))
    used = [ROOT, Path(sys.prefix), Path.home()]
    if not any(path.is_relative_to("/tmp") for path in used):
        _mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
    # glibc takes a machine with nothing but 127.0.0.1 for one without a network, and slurmdbd then cannot listen.
    for words in (["link", "set", "lo", "up"], ["address", "add", "192.0.2.1/32", "dev", "lo"]):
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


def main(arguments: Sequence[str]) -> int:
    """Furnish the place, run the module in a child, and take the exit status of every orphan, as an init does."""
    keep, tree, module, *rest = arguments
    os.environ.update(_environment())
    _furnish(Path(keep), Path(tree))
    os.chdir(ROOT)
    child = os.fork()
    if child == 0:
        sys.argv = [module, *rest]
        sys.path.insert(0, str(ROOT))
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return 0
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
