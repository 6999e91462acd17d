"""Tokens, addresses and limits of the server over HTTP, without a socket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quantgate import cli
from quantgate.errors import BadInput
from quantgate.redact import redact
from quantgate.server.http import address, limits, tokens


def test_a_made_token_is_admitted_by_its_line_alone_and_stands_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tokens"
    assert cli.main(["http-token", "anna", "--file", str(file)]) == 0
    assert cli.main(["http-token", "ci", "--read-only", "--file", str(file)]) == 0
    anna, ci = capsys.readouterr().out.split()
    assert anna not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    holders = tokens.from_file(file)
    assert [(h.name, h.read_only) for h in holders] == [("anna", False), ("ci", True)]
    assert tokens.holder_of(anna, holders) is holders[0]
    assert tokens.holder_of(ci, holders) is holders[1]
    assert tokens.holder_of(anna + "x", holders) is None
    assert tokens.holder_of("", holders) is None


def test_a_name_has_one_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tokens"
    assert cli.main(["http-token", "anna", "--file", str(file)]) == 0
    before = file.read_text()
    assert cli.main(["http-token", "anna", "--file", str(file)]) == 1
    assert "already" in capsys.readouterr().err
    assert file.read_text() == before


def test_a_line_is_appended_to_whatever_a_person_left_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    first, second = (tokens.make(name, read_only=False).line for name in ("anna", "bert"))
    for before, names in (("", ["anna"]), ("# who\n", ["anna"]), ("# who", ["anna"]), (second, ["bert", "anna"])):
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(before)
        tokens.append(file, first)
        assert [holder.name for holder in tokens.from_file(file)] == names


def test_the_directory_of_a_fresh_machine_is_made_and_is_private(tmp_path: Path) -> None:
    file = tmp_path / "config" / "quantgate" / "tokens"
    tokens.append(file, tokens.make("anna", read_only=False).line)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert len(tokens.from_file(file)) == 1


def test_no_token_is_added_with_which_the_server_would_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    file = tmp_path / "tokens"
    for name in ("anna", "bert"):
        tokens.append(file, tokens.make(name, read_only=False).line)
    with pytest.raises(BadInput, match="holds 2 tokens, which is the most"):
        tokens.append(file, tokens.make("carl", read_only=False).line)
    monkeypatch.setattr(tokens, "MOST_TOKENS", 200)
    monkeypatch.setattr(tokens, "MOST_BYTES", file.stat().st_size)
    with pytest.raises(BadInput, match="too large"):
        tokens.append(file, tokens.make("carl", read_only=False).line)
    assert [holder.name for holder in tokens.from_file(file)] == ["anna", "bert"]


def test_one_token_has_one_holder() -> None:
    anna = tokens.Holder("anna", False, b"1")
    with pytest.raises(BadInput, match="anna and ci have the same token"):
        tokens.require_distinct([anna, tokens.Holder("ci", True, b"1")], "the variables")
    tokens.require_distinct([anna, tokens.Holder("ci", True, b"2")], "the variables")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    tokens.append(file, tokens.make("anna", read_only=False).line)
    file.chmod(mode)
    with pytest.raises(BadInput, match="chmod 600"):
        tokens.from_file(file)


@pytest.mark.parametrize(
    "line",
    [
        "anna full qg_plaintext-token-plaintext-token-plain",
        "anna admin sha256:" + "0" * 64,
        "anna full sha256:" + "0" * 63,
        "anna full",
        "../x full sha256:" + "0" * 64,
    ],
)
def test_a_line_of_another_form_is_named_and_not_shown(line: str, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.touch(mode=0o600)
    file.write_text(f"# who\n\n{line}\n")
    with pytest.raises(BadInput) as refused:
        tokens.from_file(file)
    assert line not in str(refused.value)
    assert "plaintext" not in str(refused.value)
    if ".." not in line:
        assert "line 3" in str(refused.value)


def test_an_empty_file_a_missing_one_and_a_pipe_are_refused(tmp_path: Path) -> None:
    empty, pipe = tmp_path / "empty", tmp_path / "pipe"
    empty.touch(mode=0o600)
    os.mkfifo(pipe, 0o600)
    for file, says in ((empty, "holds 0 tokens"), (tmp_path / "none", "http-token"), (pipe, "no plain file")):
        with pytest.raises(BadInput, match=says):
            tokens.from_file(file)


def test_tokens_of_variables_leave_the_environment_and_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.make("x", read_only=False).token
    monkeypatch.setenv(tokens.VARIABLE, token)
    monkeypatch.setenv(tokens.READ_ONLY_VARIABLE, token[::-1])
    holders = tokens.from_environment()
    assert tokens.VARIABLE not in os.environ
    assert tokens.READ_ONLY_VARIABLE not in os.environ
    assert [h.read_only for h in holders] == [False, True]
    assert token not in redact(f"a text with {token} in it")


def test_a_short_token_in_a_variable_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tokens.VARIABLE, "hunter2hunter2")
    with pytest.raises(BadInput) as refused:
        tokens.from_environment()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8765", "127.0.0.1", 8765, True),
        ("localhost:1", "127.0.0.1", 1, True),
        ("[::1]:8765", "::1", 8765, True),
        ("127.9.9.9:0", "127.9.9.9", 0, True),
        ("0.0.0.0:80", "0.0.0.0", 80, False),
        ("[::]:80", "::", 80, False),
        ("10.0.0.4:80", "10.0.0.4", 80, False),
        ("eval.example.org:80", "eval.example.org", 80, False),
        # It resolves to loopback where nobody has changed it, which is not known here.
        ("localhost.localdomain:80", "localhost.localdomain", 80, False),
    ],
)
def test_an_address_tells_whether_only_this_machine_reaches_it(text: str, host: str, port: int, loopback: bool) -> None:
    found = address.parse(text)
    assert (found.host, found.port, found.loopback) == (host, port, loopback)


@pytest.mark.parametrize(
    "text", ["", "8765", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "http://x:80", "a b:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="HOST:PORT"):
        address.parse(text)


def test_hosts_and_origins_are_those_of_the_address_and_those_given() -> None:
    loopback, one, every = (address.parse(t) for t in ("127.0.0.1:1", "10.0.0.4:1", "0.0.0.0:1"))
    assert "localhost:*" in address.allowed_hosts(loopback, [])
    assert "127.9.9.9:*" in address.allowed_hosts(address.parse("127.9.9.9:1"), [])
    assert "http://127.9.9.9:*" in address.allowed_origins(address.parse("127.9.9.9:1"), [])
    assert address.allowed_hosts(every, ["Eval.Example.org"]) == ["eval.example.org", "eval.example.org:*"]
    assert address.allowed_origins(every, ["https://Eval.Example.org"]) == ["https://eval.example.org"]
    assert address.allowed_hosts(one, ["a.example:8443"]) == ["10.0.0.4", "10.0.0.4:*", "a.example:8443"]
    assert address.allowed_hosts(every, ["a.example"]) == ["a.example", "a.example:*"]
    assert address.allowed_origins(one, []) == []
    for host in ("*", "a b", "http://a.example", ""):
        with pytest.raises(BadInput, match="no host"):
            address.allowed_hosts(one, [host])
    for origin in ("*", "a.example", "https://a.example/path", "null"):
        with pytest.raises(BadInput, match="no origin"):
            address.allowed_origins(one, [origin])


def test_a_bucket_empties_fills_again_and_belongs_to_one_key() -> None:
    now = [0.0]
    limit = limits.RateLimit(60, clock=lambda: now[0])
    assert [limit.wait("a") for _ in range(12)] == [0] * 12
    assert limit.wait("a") == 1
    assert limit.wait("b") == 0
    now[0] += 1.0
    assert limit.wait("a") == 0
    assert limit.wait("a") == 1
    now[0] += 3600
    assert [limit.wait("a") for _ in range(12)] == [0] * 12
    assert limit.wait("a") == 1


def test_very_many_peers_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_KEYS", 10)
    limit = limits.RateLimit(60)
    for number in range(100):
        assert limit.wait(f"peer {number}") == 0
    assert len(limit._buckets) == 10
