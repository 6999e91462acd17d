"""A host is resolved as the user's own ssh does it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.cluster import ssh_settings
from quantgate.errors import BadInput, ClusterError


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "ssh_config"
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(path))
    return path


def test_alias_port_key_user_and_includes_are_those_of_ssh(config: Path) -> None:
    key, known = config.parent / "key", config.parent / "known"
    key.write_text("", "utf-8")
    known.write_text("", "utf-8")
    (config.parent / "more").mkdir()
    (config.parent / "more" / "a.conf").write_text(
        f"Host login\n  HostName 10.1.2.3\n  Port 2222\n  User me\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {known}\n  ProxyJump one,you@two:2200\n",
        "utf-8",
    )
    config.write_text(f"Include {config.parent}/more/*.conf\nHost *\n  Port 22\n", "utf-8")
    found = ssh_settings.resolve("login")
    assert (found.hostname, found.port, found.user, found.identities_only) == ("10.1.2.3", 2222, "me", True)
    assert found.identity_files == (key,)
    assert known in found.known_hosts
    assert found.proxy_jump == ("one", "you@two:2200")
    assert found.known_as == "[10.1.2.3]:2222"
    assert ssh_settings.resolve_jump("you@two:2200").port == 2200
    assert ssh_settings.resolve("other@login").user == "other"


def test_only_a_host_that_is_named_is_known_from_the_config(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative Include lies below ~/.ssh, wherever the file with it is (ssh_config(5))."""
    monkeypatch.setenv("HOME", str(config.parent / "home"))
    (config.parent / "home" / ".ssh").mkdir(parents=True)
    (config.parent / "home" / ".ssh" / "more.conf").write_text("Host=dgx-?? *.cluster.example !dgx-99\n", "utf-8")
    (config.parent / "more.conf").write_text("Host elsewhere\n", "utf-8")
    config.write_text("Host *\n  User me\nInclude more.conf\nHost login\n", "utf-8")
    known = [
        h
        for h in ("login", "me@login", "dgx-01", "dgx-99", "a.cluster.example", "elsewhere")
        if ssh_settings.named_in_config(h)
    ]
    assert known == ["login", "me@login", "dgx-01", "a.cluster.example"]


def test_an_include_of_itself_ends(config: Path) -> None:
    config.write_text(f"Include {config}\nHost login\n", "utf-8")
    assert ssh_settings.named_in_config("login")


@pytest.mark.parametrize("host", ["-oProxyCommand=touch /tmp/x", "a b", "a@b@c", "a\nb", ""])
def test_what_is_no_host_never_reaches_ssh(config: Path, host: str) -> None:
    config.write_text("", "utf-8")
    with pytest.raises(BadInput):
        ssh_settings.resolve(host)


def test_a_broken_config_is_an_error_with_its_file(config: Path) -> None:
    config.write_text("Bogus yes\n", "utf-8")
    with pytest.raises(ClusterError, match=str(config)):
        ssh_settings.resolve("login")
