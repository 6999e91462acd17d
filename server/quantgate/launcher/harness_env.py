"""The environment of a harness: its wheel in a virtual environment of its own, installed once and shared by all runs.

An installation happens in `builds/` and becomes visible by one rename of a link, so that a failed or interrupted one leaves
nothing that a later run would take for a harness; what it left in `builds/` is removed by the next installation of the same
harness. `python -m quantgate.launcher.harness_env HARNESS` installs one by hand.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from .. import redact, workspace
from ..errors import HarnessError, StorageError
from ..system.processes import KILL, signal_group
from .harnesses import HarnessWheel, require_wheel

INSTALL_SECONDS = 1800
LOCK_SECONDS = 1900
"""A second run waits this long for the first one's installation."""

FULL_BYTES = 16 << 20
"""A disk with less than this is full for an installation that just failed on it."""

_PATCHES = Path(__file__).with_name("harness_patches")
_PASSED = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "TERM",
        "LANG",
        "TZ",
        "TMPDIR",
        "TMP",
        "TEMP",
        "HF_HOME",
        "HF_HUB_OFFLINE",
    }
    | {"HF_DATASETS_CACHE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"}
)
_PASSED_PREFIXES = (
    "LC_",
    "XDG_",
    "SSL_",
    "NEMO_EVALUATOR_TELEMETRY",
    "NEMO_EVALUATOR_LOG",
    "NEMO_EVALUATOR_SHUTDOWN",
    "ADAPTER_",
)
_PASSED_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_BOUNDS = Path(__file__).with_name("harness_bounds.txt")
_DISK_FULL = ("No space left on device", "Errno 28", "Disk quota exceeded")


def environments_dir() -> Path:
    """Where harness environments are cached."""
    path = workspace.cache_dir() / "harnesses"
    path.mkdir(parents=True, exist_ok=True)
    return path


def key(wheel: HarnessWheel) -> str:
    """The name of a harness's environment: it changes with the requirements, the patches and the Python version."""
    version = f"py{sys.version_info.major}.{sys.version_info.minor}"
    content = "\n".join([*wheel.requirements, *wheel.alone, *wheel.patches, *_patch_texts(wheel)])
    return f"{wheel.harness}-{version}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _patch_texts(wheel: HarnessWheel) -> list[str]:
    return [(_PATCHES / f"{name}.py").read_text(encoding="utf-8") for name in wheel.patches]


def installed(wheel: HarnessWheel) -> Path | None:
    """The harness's environment if it is complete, else None."""
    link = environments_dir() / key(wheel)
    return link.resolve() if (link / "bin" / "nemo-evaluator").exists() else None


def ensure(wheel: HarnessWheel, log: TextIO) -> Path:
    """The harness's environment, installed first if need be.

    Args:
        wheel: What to install.
        log: Receives the progress, line by line; the last line is what `status` shows.

    Raises:
        StorageError: Not enough disk space for it.
        HarnessError: pip failed; the message ends with pip's own last word.
    """
    from filelock import FileLock, Timeout

    ready = installed(wheel)
    if ready:
        return ready
    _say(log, f"waiting for the lock of {key(wheel)}")
    try:
        with _terminable(), FileLock(environments_dir() / f"{key(wheel)}.lock", timeout=LOCK_SECONDS):
            return installed(wheel) or _install(wheel, log)
    except Timeout:
        raise HarnessError(
            f"Another installation of {wheel.harness} holds its lock since {LOCK_SECONDS // 60} minutes",
            where=str(environments_dir()),
            fix="wait for it, or end that process",
        ) from None


def _install(wheel: HarnessWheel, log: TextIO) -> Path:
    root = environments_dir()
    builds = root / "builds"
    builds.mkdir(exist_ok=True)
    for stale in builds.glob(f"{key(wheel)}-*"):
        shutil.rmtree(stale, ignore_errors=True)
    _require_space(wheel, root)
    build = builds / f"{key(wheel)}-{uuid.uuid4().hex[:8]}"
    complete = False
    try:
        _build(wheel, build, log)
        link = root / f".{build.name}"
        link.symlink_to(build)
        link.replace(root / key(wheel))
        complete = True
    except OSError as error:
        raise _storage_error(error, wheel, root) from None
    finally:
        if not complete:
            shutil.rmtree(build, ignore_errors=True)
    _say(log, f"installed {', '.join(wheel.requirements)}")
    return build


def _require_space(wheel: HarnessWheel, root: Path) -> None:
    free = shutil.disk_usage(root).free // (1 << 20)
    if free < wheel.megabytes:
        raise StorageError(
            f"Installing {wheel.harness} needs about {wheel.megabytes} MB and {free} MB are free",
            where=str(root),
            fix="free some space, or point QUANTGATE_HOME at a larger disk",
        )


def _storage_error(error: OSError, wheel: HarnessWheel, root: Path) -> StorageError:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    what = (
        f"The disk is full: {wheel.harness} was not installed"
        if full
        else f"Cannot install {wheel.harness}: {error.strerror}"
    )
    return StorageError(what, where=str(root), fix="free some space, or point QUANTGATE_HOME at a larger disk")


def _build(wheel: HarnessWheel, build: Path, log: TextIO) -> None:
    _say(log, f"creating a virtual environment for {wheel.harness}")
    _command([sys.executable, "-m", "venv", str(build)], wheel, log)
    pip = [str(build / "bin" / "python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    pip += ["--progress-bar", "off"]
    pip += ["--constraint", str(_BOUNDS)]
    _say(log, f"installing {' '.join(wheel.requirements)}")
    _command([*pip, *wheel.requirements], wheel, log)
    if wheel.alone:
        _command([*pip, "--no-deps", *wheel.alone], wheel, log)
    site = site_packages(build)
    for name in wheel.patches:
        shutil.copy(_PATCHES / f"{name}.py", site / f"_quantgate_{name}.py")
        (site / f"_quantgate_{name}.pth").write_text(f"import _quantgate_{name}\n", encoding="utf-8")
    if not (build / "bin" / "nemo-evaluator").exists():
        raise HarnessError(
            f"{wheel.requirements[0]} was installed but brought no nemo-evaluator command",
            where=str(build),
            fix="report it with the install.log of the task",
        )


def site_packages(environment: Path) -> Path:
    """The site-packages directory of a harness's environment."""
    return next((environment / "lib").glob("python3*/site-packages"))


def base_environment(*more: str) -> dict[str, str]:
    """What a harness and its installation see of this process's environment: no variable that a config must declare.

    Args:
        more: Further prefixes of names to pass.
    """
    prefixes = (*_PASSED_PREFIXES, *more)
    return {
        n: v for n, v in os.environ.items() if n in _PASSED or n.lower() in _PASSED_PROXIES or n.startswith(prefixes)
    }


def variables(wheel: HarnessWheel, environment: Path) -> dict[str, str]:
    """What the harness's processes need: its programs first on PATH, and the table's own variables."""
    site = str(site_packages(environment))
    extra = {name: value.replace("{site}", site) for name, value in wheel.environment.items()}
    return {"VIRTUAL_ENV": str(environment), "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}", **extra}


def _command(argv: list[str], wheel: HarnessWheel, log: TextIO) -> None:
    last = ""
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=base_environment("PIP_"),
        process_group=0,
    ) as process:
        assert process.stdout is not None
        # A pip that says nothing would otherwise be waited for without an end; what it started holds the pipe open too.
        limit = threading.Timer(INSTALL_SECONDS, signal_group, (process.pid, KILL))
        limit.start()
        try:
            for raw in process.stdout:
                line = redact.redact(raw.decode("utf-8", errors="replace").rstrip())
                if line and not line.startswith("WARNING: Location"):
                    _say(log, line)
                    last = line if "notice" not in line and ("ERROR" in line or "ERROR" not in last) else last
            code = process.wait()
        except BaseException:
            signal_group(process.pid, KILL)
            raise
        finally:
            limit.cancel()
    if code == 0:
        return
    # ensurepip fails on a full disk without saying why.
    full = shutil.disk_usage(environments_dir()).free < FULL_BYTES
    if full or any(sign in last for sign in _DISK_FULL):
        raise StorageError(
            f"The disk is full: {wheel.harness} was not installed",
            fix="free some space, or point QUANTGATE_HOME at a larger disk",
        )
    raise HarnessError(
        f"Installing {wheel.harness} failed: {last[:300]}",
        fix="check the network and pip's index settings; the task's install.log has the whole output (logs, source install)",
    )


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that an interrupted installation is cleaned up."""

    def stop(signum: int, frame: object) -> None:  # noqa: ARG001 - the shape of a signal handler
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: nobody sends it signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(log: TextIO, line: str) -> None:
    log.write(line + "\n")
    log.flush()


if __name__ == "__main__":
    sys.stdout.write(f"{ensure(require_wheel(sys.argv[1]), sys.stdout)}\n")
