"""Podman under Docker's name, with a storage of its own: the images and containers of this machine's user are never touched."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

PODMAN_SECONDS = 60
_MOST = 4096


@dataclass(frozen=True)
class Engine:
    """A container engine as NEL finds it.

    Attributes:
        folder: Where its configuration and its images are.
        env: What a process needs so that `docker` is this engine: PATH, CONTAINERS_CONF, CONTAINERS_STORAGE_CONF.
    """

    folder: Path
    env: dict[str, str]

    def run(self, *arguments: str, seconds: float = PODMAN_SECONDS) -> subprocess.CompletedProcess[str]:
        """`docker ARGUMENTS`, bounded in time; a failure is the caller's to judge."""
        return subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def popen(self, command: list[str], output: TextIO) -> subprocess.Popen[bytes]:
        """Start a command that finds this engine as `docker`, with a pipe to its input."""
        return subprocess.Popen(
            command,
            env={**os.environ, **self.env},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def running(self) -> list[str]:
        """Names of the containers that run."""
        return self.run("ps", "--format", "{{.Names}}").stdout.split()

    def present(self) -> list[str]:
        """Names of all containers, also of those that have ended."""
        return self.run("ps", "--all", "--format", "{{.Names}}").stdout.split()

    def remove(self, names: list[str]) -> None:
        """End and remove containers by name."""
        if names:
            self.run("rm", "--force", "--time", "2", *names)


def prepare(folder: Path) -> tuple[Engine | None, str]:
    """Write the engine's configuration and ask whether it works.

    Args:
        folder: Takes configuration, images and containers.

    Returns:
        The engine and an empty reason, or None and the reason.
    """
    podman = shutil.which("podman")
    if podman is None:
        return None, "podman is not installed (on Debian: apt-get install --no-install-recommends podman runc)"
    shims = folder / "bin"
    shims.mkdir(parents=True, exist_ok=True)
    docker = shims / "docker"
    if not docker.is_symlink() or docker.readlink() != Path(podman):
        docker.unlink(missing_ok=True)
        docker.symlink_to(podman)
    env = {
        "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
    }
    engine = Engine(folder, env)
    (folder / "containers.conf").write_text(_containers_conf(folder), encoding="utf-8")
    said = ""
    for driver in ("overlay", "vfs"):
        # A database of podman is bound to its driver.
        (folder / "storage.conf").write_text(_storage_conf(folder, driver), encoding="utf-8")
        try:
            answer = engine.run("info", "--format", "{{.Store.GraphDriverName}}")
        except subprocess.TimeoutExpired:
            return None, f"`podman info` did not answer within {PODMAN_SECONDS} s"
        if answer.returncode == 0 and answer.stdout.strip() == driver:
            return engine, ""
        said = (answer.stderr.strip().splitlines() or ["no answer"])[-1]
    return None, f"podman does not work here: {said[:300]}"


def _runtime_folder(folder: Path) -> Path:
    """A short path: podman refuses a runroot of more than 50 characters."""
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    path = Path(tempfile.gettempdir(), f"quantgate-podman-{os.getuid()}-{mark}")
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user")
    return path


def _storage_conf(folder: Path, driver: str) -> str:
    run = _runtime_folder(folder)
    return f'[storage]\ndriver = "{driver}"\ngraphroot = "{folder / driver}"\nrunroot = "{run / driver}"\n'


def _containers_conf(folder: Path) -> str:
    run = _runtime_folder(folder)
    runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
    # Bridges need rights that a CI machine seldom gives. A limit may not be raised, and runc
    # 1.1.5 refuses more than it has itself, so they are low ones.
    # NEL's adapter starts 2048 threads: with podman's own limit of processes it hangs for ever (podman 4.3, NEL 0.2.6).
    return (
        "[containers]\n"
        f'default_ulimits = ["nofile={_limit(resource.RLIMIT_NOFILE)}", "nproc={_limit(resource.RLIMIT_NPROC)}"]\n'
        'pids_limit = 0\nnetns = "host"\n'
        "[engine]\n"
        f'{runtime}cgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
        f'tmp_dir = "{run / "libpod"}"\nimage_copy_tmp_dir = "{folder}"\n'
    )


def _limit(kind: int) -> str:
    hard = resource.getrlimit(kind)[1]
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    return f"{most}:{most}"
