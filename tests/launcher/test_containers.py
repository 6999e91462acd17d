"""What an engine says of itself and of images. `docker` is a small script here: it stands for clients whose answers a test machine
cannot give (no daemon, a registry that refuses, another processor); tests/integration/containers asks a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.errors import LauncherError
from quantgate.launcher import containers


def _engine(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, name: str = "docker") -> None:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f'#!/bin/sh\necho "$@" >> "{folder}/asked"\n{script}\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def _absent(says: str, code: int = 1) -> str:
    return f'case "$1" in image) echo "Error: No such image: x"; exit 1;; *) echo "{says}"; exit {code};; esac'


def test_no_engine_is_told_with_the_way_that_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = containers.look()
    assert (engine.engine, engine.usable) == ("", False)
    assert "execution.type process needs none" in engine.reason


def test_a_client_without_a_daemon_is_not_usable_although_it_exits_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _engine(tmp_path, monkeypatch, 'echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."; exit 0')
    engine = containers.look()
    assert not engine.usable
    assert "Cannot connect" in engine.reason
    with pytest.raises(LauncherError, match=r"Cannot connect.*nothing was launched"):
        containers.require_engine()


def test_podman_alone_is_not_usable_because_nel_calls_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _engine(tmp_path, monkeypatch, "echo '{}'", name="podman")
    engine = containers.look()
    assert (engine.engine, engine.usable) == ("podman", False)
    assert "link docker to podman" in engine.reason


def test_an_image_that_is_here_is_not_asked_of_its_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _engine(tmp_path, monkeypatch, f'echo "{containers._machine()}"')
    containers.require_images(["nvcr.io/a/b:1", "", "nvcr.io/a/b:1"])
    assert (tmp_path / "asked").read_text().splitlines() == [
        "image inspect --format {{.Architecture}} -- nvcr.io/a/b:1"
    ]


def test_an_image_for_another_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "_EMULATION", tmp_path / "none")
    _engine(tmp_path, monkeypatch, "echo riscv64")
    with pytest.raises(LauncherError, match=r"nvcr.io/a/b:1 is built for riscv64.*nothing was launched"):
        containers.require_images(["nvcr.io/a/b:1"])


def test_an_image_for_another_processor_runs_where_that_is_emulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "_EMULATION", tmp_path)
    (tmp_path / "qemu-riscv64").touch()
    _engine(tmp_path, monkeypatch, "echo riscv64")
    containers.require_images(["nvcr.io/a/b:1"])
    assert "manifest" not in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    "says",
    [
        "errors: manifest unknown",
        "no such manifest: nvcr.io/a/b:1",
        "unauthorized: authentication required",
        "denied: requested access to the resource is denied",
    ],
)
def test_an_image_that_its_registry_does_not_give_is_refused(
    says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _engine(tmp_path, monkeypatch, _absent(says))
    with pytest.raises(LauncherError, match=r"not on this machine, and its registry does not give it.*docker pull"):
        containers.require_images(["nvcr.io/a/b:1"])


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ('{ \\"schemaVersion\\": 2 }', 0),
        ("dial tcp: lookup nvcr.io: no such host", 1),
        ("error getting credentials: executable file not found", 1),
        ("open /root/.docker/config.json: permission denied", 1),
        ("docker: 'manifest' is not a docker command", 1),
    ],
)
def test_an_image_that_may_be_pulled_is_not_refused(
    says: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _engine(tmp_path, monkeypatch, _absent(says, code))
    containers.require_images(["nvcr.io/a/b:1"])
    assert "manifest inspect -- nvcr.io/a/b:1" in (tmp_path / "asked").read_text()


def test_a_registry_on_this_machine_that_nobody_serves_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _engine(tmp_path, monkeypatch, _absent("dial tcp 127.0.0.1:443: connect: connection refused"))
    with pytest.raises(LauncherError, match="localhost/a:1 is not on this machine"):
        containers.require_images(["localhost/a:1"])


def test_a_registry_that_does_not_answer_in_time_refuses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "REGISTRY_SECONDS", 0.3)
    _engine(tmp_path, monkeypatch, _absent("denied").replace('echo "denied"', '/bin/sleep 20; echo "denied"'))
    containers.require_images(["nvcr.io/a/b:1"])
    assert "manifest" in (tmp_path / "asked").read_text()
