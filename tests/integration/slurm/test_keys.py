"""A host is reached with the keys and by the ways that ssh itself would use, and what ssh would refuse is refused."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from quantgate.cluster import connection
from quantgate.errors import BadInput, ClusterError, Unreachable

from .cluster import Cluster
from .sshd import another_sshd

PASSPHRASE = "not a secret"


def _key(place: Path, *options: str, passphrase: str = "") -> Path:
    argv = ["ssh-keygen", "-q", *(options or ("-t", "ed25519")), "-N", passphrase, "-C", place.name, "-f", str(place)]
    subprocess.run(argv, check=True, timeout=60)
    return place


@pytest.fixture
def accept(reached: Cluster) -> Iterator[object]:
    """Has the cluster accept a key, and only that one."""
    file = reached.base / "ssh" / "authorized_keys"
    before = file.read_text("utf-8")

    def only(key: Path) -> None:
        file.write_text(key.with_name(f"{key.name}.pub").read_text("utf-8"), "utf-8")

    connection.close_all()
    yield only
    file.write_text(before, "utf-8")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A real ssh-agent."""
    place = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not place.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
    yield place
    process.terminate()
    process.wait(timeout=10)


def _add(key: Path, agent: Path, tmp_path: Path) -> None:
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\necho '{PASSPHRASE}'\n", "utf-8")
    ask.chmod(0o700)
    env = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "SSH_AUTH_SOCK": str(agent)}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, timeout=20, env=env, stdin=subprocess.DEVNULL)


def _config(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *lines: str) -> str:
    """An ssh_config with an alias whose first lines are these."""
    port = cluster.ports.ssh
    text = [f"Host mine\n  HostName 127.0.0.1\n  Port {port}\n  User tester", *(f"  {line}" for line in lines)]
    text.append(f"  UserKnownHostsFile {cluster.base}/ssh/known_hosts")
    file = tmp_path / "ssh_config"
    file.write_text("\n".join([*text, "", cluster.ssh_config.read_text("utf-8")]), "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(file))
    return "mine"


def _answers(host: str) -> bool:
    return connection.connection(host).run(["echo", "in"]).out == "in\n"


@pytest.mark.parametrize(
    "kind", [("-t", "rsa", "-b", "3072"), ("-t", "ecdsa"), ("-t", "rsa", "-b", "2048", "-m", "PEM")]
)
def test_keys_of_every_common_kind_are_used(
    kind: tuple[str, ...], reached: Cluster, accept: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _key(tmp_path / "key", *kind)
    accept(key)  # type: ignore[operator]
    assert _answers(_config(reached, tmp_path, monkeypatch, f"IdentityFile {key}", "IdentitiesOnly yes"))


def test_a_key_that_only_the_agent_has_is_used(
    reached: Cluster, accept: object, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _key(tmp_path / "key")
    accept(key)  # type: ignore[operator]
    _add(key, agent, tmp_path)
    key.unlink()
    host = _config(reached, tmp_path, monkeypatch, "IdentityFile /absent")
    assert _answers(host)


def test_a_key_with_a_passphrase_is_used_from_the_agent_and_refused_without_it(
    reached: Cluster, accept: object, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _key(tmp_path / "key", passphrase=PASSPHRASE)
    accept(key)  # type: ignore[operator]
    host = _config(reached, tmp_path, monkeypatch, f"IdentityFile {key}", "IdentitiesOnly yes")
    with pytest.raises(ClusterError, match=r"has a passphrase, and no agent holds it.*ssh-add") as refused:
        _answers(host)
    assert not isinstance(refused.value, Unreachable)
    _add(key, agent, tmp_path)
    assert _answers(host)


def test_an_agent_at_another_place_is_used_and_none_is_none(
    reached: Cluster, accept: object, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _key(tmp_path / "key")
    accept(key)  # type: ignore[operator]
    _add(key, agent, tmp_path)
    key.unlink()
    monkeypatch.delenv("SSH_AUTH_SOCK")
    assert _answers(_config(reached, tmp_path, monkeypatch, f"IdentityAgent {agent}", "IdentityFile /absent"))
    connection.close_all()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    with pytest.raises(ClusterError, match=r"does not accept a key of ours.*no key"):
        _answers(_config(reached, tmp_path, monkeypatch, "IdentityAgent none", "IdentityFile /absent"))


def test_only_the_named_key_of_an_agent_is_shown_where_the_configuration_says_so(
    reached: Cluster, accept: object, agent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, other = _key(tmp_path / "named"), _key(tmp_path / "other")
    for key in (other, named):
        _add(key, agent, tmp_path)
    accept(other)  # type: ignore[operator]
    host = _config(reached, tmp_path, monkeypatch, f"IdentityFile {named}", "IdentitiesOnly yes")
    with pytest.raises(ClusterError, match=r"tried named \(agent\)\.") as refused:
        _answers(host)
    assert "other" not in refused.value.where
    accept(named)  # type: ignore[operator]
    assert _answers(host)


def test_an_agent_that_is_gone_does_not_stop_a_key_file(
    reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close_all()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert _answers(reached.alias)


def test_a_host_behind_a_proxy_command_is_reached_and_the_command_ends_with_the_connection(
    reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "ssh_config"
    through = f"ProxyCommand ssh -F {config} -W %h:%p testcluster 2>/dev/null"
    key = reached.base / "ssh" / "client_ed25519"
    host = _config(reached, tmp_path, monkeypatch, through, f"IdentityFile {key}", "IdentitiesOnly yes")
    assert _answers(host)

    def running() -> list[psutil.Process]:
        return [p for p in psutil.Process().children(recursive=True) if "-W" in " ".join(p.cmdline())]

    assert len(running()) == 1
    connection.close_all()
    assert running() == []
    bad = _config(reached, tmp_path, monkeypatch, "ProxyCommand false", f"IdentityFile {key}")
    before = time.monotonic()
    with pytest.raises(Unreachable, match="mine cannot be reached"):
        _answers(bad)
    assert time.monotonic() - before < 15


def test_a_host_name_that_a_shell_would_read_does_not_reach_a_proxy_command(
    reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    config = tmp_path / "ssh_config"
    config.write_text("Host *\n  ProxyCommand nc %h %p\n", "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
    with pytest.raises((BadInput, ClusterError)):
        _answers(f"x;touch${{IFS}}{made}")
    assert not made.exists()


@pytest.mark.parametrize("hashed", [False, True])
def test_a_key_under_an_alias_or_hashed_is_known(
    hashed: bool, reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (reached.base / "ssh" / "host_ed25519.pub").read_text("utf-8").strip()
    known = tmp_path / "known"
    known.write_text(f"a-name-of-mine {key}\n", "utf-8")
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, timeout=10, stderr=subprocess.DEVNULL)
        assert "a-name-of-mine" not in known.read_text("utf-8")
    lines = (f"UserKnownHostsFile {known}", f"IdentityFile {reached.base}/ssh/client_ed25519")
    assert _answers(_config(reached, tmp_path, monkeypatch, "HostKeyAlias a-name-of-mine", *lines))
    connection.close_all()
    with pytest.raises(ClusterError, match="Nobody has accepted the key"):
        _answers(_config(reached, tmp_path, monkeypatch, *lines))


def test_patterns_several_keys_and_lines_of_other_kinds_in_known_hosts_are_read_as_ssh_does(
    reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known"
    key = (reached.base / "ssh" / "host_ed25519.pub").read_text("utf-8").strip()
    node = _key(tmp_path / "node").with_name("node.pub").read_text("utf-8").strip()
    place = f"[127.0.0.?]:{reached.ports.ssh}"
    known.write_text(f"# ours\n@cert-authority * {node}\nbroken\n{place} {node}\n!x,{place} {key}\n", "utf-8")
    lines = (f"UserKnownHostsFile {known}", f"IdentityFile {reached.base}/ssh/client_ed25519")
    host = _config(reached, tmp_path, monkeypatch, *lines)
    connection.close_all()
    assert _answers(host)
    plain = ["ssh", "-F", str(tmp_path / "ssh_config"), "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", host]
    subprocess.run([*plain, "true"], check=True, timeout=20)
    for text, said in ((f"@cert-authority * {node}\n", "Nobody has accepted"), (f"{place} {node}\n", "has changed")):
        known.write_text(text, "utf-8")
        connection.close_all()
        with pytest.raises(ClusterError, match=said):
            _answers(host)


def test_a_key_that_is_revoked_is_refused_although_it_was_accepted(
    reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known"
    accepted = (reached.base / "ssh" / "known_hosts").read_text("utf-8")
    key = (reached.base / "ssh" / "host_ed25519.pub").read_text("utf-8").strip()
    known.write_text(f"{accepted}@revoked * {key}\n", "utf-8")
    lines = (f"UserKnownHostsFile {known}", f"IdentityFile {reached.base}/ssh/client_ed25519")
    connection.close_all()
    with pytest.raises(ClusterError, match="was revoked"):
        _answers(_config(reached, tmp_path, monkeypatch, *lines))


def test_a_host_that_wants_a_second_factor_is_told_as_such(reached: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("AuthenticationMethods publickey,password", "PasswordAuthentication yes")
    with another_sshd(reached, *lines) as config:
        monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
        with pytest.raises(ClusterError, match="took a key and asks for more: password"):
            _answers("other")


def test_a_host_with_another_kind_of_key_is_known_by_it(
    reached: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [_key(reached.base / "ssh" / f"host_{kind}", "-t", kind) for kind in ("ecdsa", "rsa")]
    lines = [f"HostKey {reached.base}/ssh/host_ed25519", *(f"HostKey {key}" for key in keys)]
    with another_sshd(reached, *lines) as config:
        monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
        (known,) = (reached.base / "ssh").glob("sshd-*.known")
        shown = known.read_text("utf-8").splitlines()
        assert len([line for line in shown if not line.startswith("#")]) == 3
        for kind in ("ecdsa-sha2-nistp256", "ssh-rsa", "ssh-ed25519"):
            known.write_text("".join(f"{line}\n" for line in shown if f" {kind} " in line), "utf-8")
            connection.close_all()
            assert _answers("other"), kind


@contextlib.contextmanager
def _start_up_file(cluster: Cluster, text: str) -> Iterator[None]:
    file = cluster.home / ".bashrc"
    file.write_text(text, "utf-8")
    try:
        yield
    finally:
        file.unlink()


def test_a_login_shell_that_prints_a_banner_is_understood_and_its_words_are_kept_apart(reached: Cluster) -> None:
    connection.close_all()
    with _start_up_file(reached, "echo Welcome to the cluster\necho '@end'\n"):
        done = connection.connection(reached.alias).run(["echo", "answer"])
    assert (done.out, done.noise) == ("answer\n", "Welcome to the cluster\n@end\n")


def test_file_transfer_that_a_banner_breaks_is_told_as_such(reached: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    server = shutil.which("sftp-server", path="/usr/lib/openssh:/usr/libexec/openssh")
    assert server is not None
    with another_sshd(reached, f"Subsystem sftp {server}") as config:
        monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
        link = connection.connection("other")
        with link.sftp() as transfer:
            assert transfer.listdir(str(reached.home)) is not None
        with _start_up_file(reached, "echo Welcome to the cluster\n"):
            with (
                pytest.raises(ClusterError, match=r"offers no file transfer.*must print nothing") as refused,
                link.sftp(),
            ):
                pass
            assert not isinstance(refused.value, Unreachable)
            assert link.run(["echo", "still"]).out == "still\n"


def test_an_account_that_may_run_nothing_is_told_in_its_own_words(
    reached: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_sshd(reached, "ForceCommand echo This account is closed; exit 1") as config:
        monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
        with pytest.raises(ClusterError, match="runs no commands: This account is closed"):
            _answers("other")
