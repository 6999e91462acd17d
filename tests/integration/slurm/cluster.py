"""A real Slurm cluster of one node, with accounting and sshd, in namespaces of its own: started in seconds, gone with its test.

The daemons are Debian's own and run without privileges as the user `tester`, who exists only in there. Everything that they
write lies below one directory. Tests reach the cluster as a user does: through ssh on a loopback port.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import settings

HERE = Path(__file__).parent
PROGRAMS = (
    "unshare", "munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacctmgr", "sshd",
    "ssh-keygen", "ssh", "rsync", "gcc",
)  # fmt: skip
START_SECONDS = 60.0
COMMAND_SECONDS = 60.0
PMIX = "/usr/lib/x86_64-linux-gnu/pmix2/lib"
_ADMIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def missing() -> str:
    """What this machine lacks for a test cluster; empty when it has everything."""
    absent = [p for p in PROGRAMS if shutil.which(p, path=_ADMIN_PATH) is None]
    if absent:
        return f"no {', '.join(absent)} here (scripts/bootstrap.sh dev installs them as root on Debian)"
    if not Path("/usr/include/slurm/spank.h").exists():
        return "no slurm/spank.h here (Debian's libslurm-dev)"
    probe = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"],
        capture_output=True,
        timeout=20,
        check=False,
    )
    return "" if probe.returncode == 0 else "no user namespaces here"


def _free_ports() -> settings.Ports:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    numbers = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return settings.Ports(*numbers)


@dataclass(frozen=True)
class Done:
    """A finished command of the cluster."""

    code: int
    output: str


class Cluster:
    """A cluster; use it as a context manager.

    Args:
        base: An empty directory with a short path (sockets lie in it).
        changes: Parameters of slurm.conf to set, or to remove with None.
        images: Names of container images that the cluster knows, with the directory of their programs or "-".
        accounting: Whether slurmdbd keeps a record of jobs.
    """

    alias = "testcluster"

    def __init__(
        self,
        base: Path,
        *,
        changes: Mapping[str, str | None] | None = None,
        images: Mapping[str, str] | None = None,
        accounting: bool = True,
    ) -> None:
        self.base = base
        self.ports = _free_ports()
        self.accounting = accounting
        self.home = base / "home"
        self._changes = dict(changes or {})
        if not accounting:
            self._changes |= {
                "AccountingStorageType": "accounting_storage/none",
                "AccountingStorageEnforce": None,
                "AccountingStorageHost": None,
                "AccountingStoragePort": None,
                "AccountingStoragePass": None,
            }
        self._images = dict(images or {})
        self._first: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    @property
    def ssh_config(self) -> Path:
        """The client's ssh_config with the alias of this cluster."""
        return self.base / "etc" / "ssh_config"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the daemons and of `run`."""
        return {
            "PATH": f"{self.base}/bin:{_ADMIN_PATH}",
            "SLURM_CONF": f"{self.base}/etc/slurm.conf",
            "HOME": str(self.home),
            "USER": settings.USER,
            "LANG": "C.UTF-8",
        }

    def __enter__(self) -> Cluster:
        try:
            self._prepare()
            self._enter_namespaces()
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End everything: the kernel ends a namespace with its first process."""
        if self._first is not None:
            with contextlib.suppress(OSError):
                assert self._first.stdin is not None
                self._first.stdin.close()
            try:
                self._first.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._first.kill()
                self._first.wait()
            assert self._first.stdout is not None
            self._first.stdout.close()
            self._first = None

    def _prepare(self) -> None:
        for name in ("run", "etc", "log", "db", "ssh", "bin", "home", "pmix", "state/controller", "state/node"):
            (self.base / name).mkdir(parents=True, mode=0o755, exist_ok=True)
        host = socket.gethostname().split(".")[0]
        etc = self.base / "etc"
        texts = {
            "slurm.conf": settings.slurm_conf(self.base, self.ports, host, self._changes),
            "slurmdbd.conf": settings.slurmdbd_conf(self.base, self.ports, host),
            "gres.conf": "Name=gpu File=/dev/tty[1-8]\n",
            "my.cnf": settings.my_cnf(self.base),
            "sshd_config": settings.sshd_config(self.base, self.ports, self.environment["PATH"]),
            "ssh_config": settings.ssh_config(self.base, self.ports, self.alias),
            "plugstack.conf": f"required {self.base}/run/container_stand_in.so {etc}/images.map\n",
            "images.map": "".join(f"{name} {programs}\n" for name, programs in self._images.items()),
            "passwd": f"root:x:0:0:root:/root:/bin/bash\n{settings.USER}:x:1000:1000::{self.home}:/bin/bash\n",
            "group": f"root:x:0:\n{settings.USER}:x:1000:\n",
        }
        for name, text in texts.items():
            file = etc / name
            file.write_text(text, encoding="utf-8")
            file.chmod(0o600 if name == "slurmdbd.conf" else 0o644)
        self._make_keys()
        self._make_pmix()
        source, plugin = HERE / "container_stand_in.c", self.base / "run" / "container_stand_in.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(plugin), str(source)], check=True, timeout=60)
        (self.base / "run" / "munge.key").write_bytes(os.urandom(1024))
        (self.base / "run" / "munge.key").chmod(0o600)

    def _make_keys(self) -> None:
        ssh = self.base / "ssh"
        for name in ("host_ed25519", "client_ed25519"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(ssh / name)], check=True, timeout=30
            )
        shutil.copy(ssh / "client_ed25519.pub", ssh / "authorized_keys")
        key = (ssh / "host_ed25519.pub").read_text("utf-8").strip()
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{self.ports.ssh} {key}\n", "utf-8")

    def _make_pmix(self) -> None:
        # NEL always asks for `srun --mpi pmix`, and Debian's Slurm looks for the name without a version.
        for file in Path(PMIX).glob("libpmix.so.*"):
            shutil.copy(file, self.base / "pmix" / file.name)
        link = self.base / "pmix" / "libpmix.so"
        if not link.is_symlink():
            link.symlink_to("libpmix.so.2")
        plugins = Path(PMIX) / "pmix"
        if plugins.is_dir() and not (self.base / "pmix" / "pmix").exists():
            shutil.copytree(plugins, self.base / "pmix" / "pmix")

    def _enter_namespaces(self) -> None:
        etc = self.base / "etc"
        inner = ["unshare", "--user", "--map-user=1000", "--map-group=1000", sys.executable, str(HERE / "inside.py")]
        mounts = (
            f'mount --bind "{etc}/passwd" /etc/passwd && mount --bind "{etc}/group" /etc/group && '
            f'mount --bind "{self.base}/pmix" {PMIX} && exec "$@"'
        )
        self._first = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
             "bash", "-c", mounts, "bash", *inner],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )  # fmt: skip
        assert self._first.stdout is not None
        assert self._first.stdout.readline().strip() == "{}", "the namespaces could not be entered"

    def _ask(self, verb: str, **request: Any) -> dict[str, Any]:
        assert self._first is not None
        assert self._first.stdin is not None
        assert self._first.stdout is not None
        with self._lock:
            self._first.stdin.write(json.dumps({"verb": verb, **request}) + "\n")
            self._first.stdin.flush()
            line = self._first.stdout.readline()
        assert line, "the cluster is gone"
        answer: dict[str, Any] = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer

    def run(self, *argv: str, seconds: float = COMMAND_SECONDS) -> Done:
        """Run a command in the cluster, as its user."""
        answer = self._ask("command", argv=list(argv), env=self.environment, seconds=seconds)
        return Done(answer["code"], answer["output"])

    def checked(self, *argv: str) -> str:
        """The output of a command that must succeed."""
        done = self.run(*argv)
        assert done.code == 0, f"{argv[0]} ended with {done.code}: {done.output}"
        return done.output

    def start(self, name: str) -> None:
        """Start one daemon: munged, mariadbd, slurmdbd, slurmctld, slurmd or sshd."""
        etc, run = self.base / "etc", self.base / "run"
        argv = {
            "munged": ["munged", "--foreground", "--force", f"--key-file={run}/munge.key", f"--socket={run}/munge.sock",
                       f"--pid-file={run}/munged.pid", f"--log-file={self.base}/log/munged.log",
                       f"--seed-file={run}/munged.seed"],
            "mariadbd": ["mariadbd", f"--defaults-file={etc}/my.cnf"],
            "slurmdbd": ["slurmdbd", "-D"],
            "slurmctld": ["slurmctld", "-D"],
            "slurmd": ["slurmd", "-D"],
            "sshd": ["/usr/sbin/sshd", "-D", "-e", "-f", f"{etc}/sshd_config"],
        }[name]  # fmt: skip
        env = self.environment | ({"MYSQL_UNIX_PORT": f"{run}/mysql.sock"} if name == "slurmdbd" else {})
        self._ask("start", name=name, argv=argv, env=env, log=str(self.base / "log" / f"{name}.out"))

    def kill(self, name: str, signum: int = signal.SIGKILL, *, group: bool = False) -> None:
        """Signal a daemon; `group` also its children (the sessions of sshd are in groups of their own)."""
        self._ask("send", name=name, signal=int(signum), group=group)

    def alive(self, name: str) -> bool:
        """Whether a daemon runs."""
        return bool(self._ask("alive", name=name)["alive"])

    def _start_all(self) -> None:
        run = self.base / "run"
        self.start("munged")
        if self.accounting:
            self._make_database()
            self.start("mariadbd")
            _until((run / "mysql.sock").exists, "MariaDB's socket")
            _until(lambda: self._sql("SELECT 1").code == 0, "MariaDB")
            self._sql("CREATE DATABASE IF NOT EXISTS accounting")
            self._sql(f"CREATE USER IF NOT EXISTS '{settings.USER}'@'localhost' IDENTIFIED BY 'unused'")
            self._sql(f"GRANT ALL ON accounting.* TO '{settings.USER}'@'localhost'")
        _until((run / "munge.sock").exists, "munge's socket")
        if self.accounting:
            self.start("slurmdbd")
            _until(lambda: self.run("sacctmgr", "-n", "list", "cluster").code == 0, "slurmdbd")
            user = ["user", settings.USER, f"account={settings.ACCOUNT}"]
            for what in (["cluster", settings.CLUSTER], ["account", settings.ACCOUNT], user):
                self.run("sacctmgr", "-i", "add", *what)
        self.start("slurmctld")
        self.start("slurmd")
        self.start("sshd")
        _until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T").output, "the node")
        _until(self._ssh_answers, "sshd")

    def _make_database(self) -> None:
        options = (f"--defaults-file={self.base}/etc/my.cnf", "--auth-root-authentication-method=normal")
        if self.run("mariadb-install-db", *options, "--skip-test-db").code != 0:
            # Seen when several clusters started at once; the second attempt worked each time.
            shutil.rmtree(self.base / "db")
            (self.base / "db").mkdir(mode=0o755)
            self.checked("mariadb-install-db", *options, "--skip-test-db")

    def _sql(self, statement: str) -> Done:
        return self.run("mariadb", f"--socket={self.base}/run/mysql.sock", "-u", "root", "-e", statement)

    def _ssh_answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.ports.ssh), timeout=1) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def logs(self) -> str:
        """The ends of the daemons' logs, for the message of a failed test."""
        parts = []
        for file in sorted((self.base / "log").glob("*")):
            parts.append(f"== {file.name}\n" + "\n".join(file.read_text("utf-8", "replace").splitlines()[-15:]))
        return "\n".join(parts)


def _until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come up within {seconds:.0f} s"
        time.sleep(0.1)
