"""Reading a model from the hub, which the build machines cannot reach: `hub_stand_in` answers in its place over HTTP."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantgate.checkpoint.headers.safetensors import read_header
from quantgate.checkpoint.hub import fetch as hub
from quantgate.checkpoint.hub.client import Limits
from quantgate.checkpoint.hub.copy import find
from quantgate.checkpoint.hub.listing import read_listing
from quantgate.checkpoint.identity import identify
from quantgate.checkpoint.inspection import inspect_model
from quantgate.checkpoint.source import ModelSource, resolve_model
from quantgate.errors import CheckpointError

from .hub_stand_in import COMMIT, HANDLE, Hub, running, sparse_shards
from .made import checkpoint, safetensors

TOKEN = "hf_" + "T0ken" * 5
FP8 = {"quant_method": "modelopt", "quant_algo": "FP8"}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What the repository holds: config files, a large tokenizer, three shards of 5 GB together."""
    directory = checkpoint(tmp_path / "repository", FP8)
    (directory / "README.md").write_text("# Widget\nUse temperature 0.6.\n")
    (directory / "chat_template.jinja").write_text("{{ messages }}")
    (directory / "tokenizer_config.json").write_text("{}")
    (directory / "tokenizer.json").write_text(" " * 3_000_000)
    (directory / "weights.bin.index.json").write_text(" " * 2_000_000)
    (directory / "modeling_widget.py").write_text("raise SystemExit")
    (directory / "original").mkdir()
    (directory / "original" / "consolidated.00.pth").write_bytes(b"x")
    sparse_shards(directory)
    return directory


@pytest.fixture
def stand_in(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub's address in the environment, empty caches, and no token."""
    for name in (
        "HF_HUB_CACHE",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_TOKEN_PATH",
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELOPT_WORKSPACE_ROOT", str(tmp_path / "workspaces"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running(files) as stand_in:
        monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
        yield stand_in
    gc.collect()


def refused(limits: Limits | None = None) -> str:
    with pytest.raises(CheckpointError) as caught:
        hub.fetch(HANDLE, tried="the local hub cache, /somewhere", limits=limits)
    return str(caught.value)


def test_a_handle_is_read_by_config_files_and_header_ranges_alone(stand_in: Hub, files: Path) -> None:
    source = resolve_model(HANDLE, reach_hub=True)
    apparent = sum(p.stat().st_size for p in files.rglob("*.safetensors"))
    assert apparent > 5_000_000_000
    assert stand_in.sent < 500_000
    assert (source.kind, source.handle, source.revision) == ("hf_handle", HANDLE, COMMIT)
    read = {p.rpartition("/")[2].partition("?")[0] for p in stand_in.paths()}
    assert {"config.json", "README.md", "chat_template.jinja", "model.safetensors.index.json"} <= read
    assert read.isdisjoint({"tokenizer.json", "weights.bin.index.json", "modeling_widget.py", "consolidated.00.pth"})
    ranges = [a.headers.get("Range") for a in stand_in.asked if a.path.partition("?")[0].endswith(".safetensors")]
    assert len(ranges) == 6
    assert all(ranges)


def test_what_was_read_has_the_layout_that_the_weights_reader_expects(stand_in: Hub, files: Path) -> None:
    source = resolve_model(HANDLE, reach_hub=True)
    assert source.listing is not None
    for path in files.glob("*.safetensors"):
        header = (source.path / (path.name + ".header")).read_bytes()
        with path.open("rb") as stream:
            assert header == stream.read(len(header))
        assert len(header) == 8 + len(read_header(path).raw)
        assert source.listing[path.name] == path.stat().st_size
    assert (source.path / "config.json").read_bytes() == (files / "config.json").read_bytes()


def test_a_model_on_the_hub_is_inspected_as_if_it_lay_here(stand_in: Hub, files: Path) -> None:
    there, here = inspect_model(HANDLE, reach_hub=True), inspect_model(str(files))
    assert (there.record.algorithm, there.record.parameters) == ("FP8", here.record.parameters)
    assert there.record.weights_bytes == sum(p.stat().st_size for p in files.glob("*.safetensors"))
    assert there.record.missing_shards == ()
    assert "its weights are not on this machine" in there.warnings[0]
    assert COMMIT[:12] in there.warnings[0]


def test_files_that_were_not_read_are_still_known_to_be_there(stand_in: Hub, tmp_path: Path) -> None:
    source = resolve_model(HANDLE, reach_hub=True)
    assert source.has("tokenizer.json")
    assert not (source.path / "tokenizer.json").exists()
    assert not source.has("tokenizer.model")
    assert ModelSource("checkpoint", "x", tmp_path / "repository").has("tokenizer.json")


def test_the_users_hub_cache_is_not_written(stand_in: Hub, tmp_path: Path) -> None:
    resolve_model(HANDLE, reach_hub=True)
    assert not (tmp_path / "hf").exists()
    assert not list((tmp_path / "cache").rglob(".partial-*"))


def test_a_header_longer_than_the_first_guess_takes_a_second_range(stand_in: Hub, files: Path) -> None:
    for path in files.glob("model*"):
        path.unlink()
    tensors = {f"model.layers.{n}.mlp.up_proj.weight": ("U8", (1,)) for n in range(300)}
    safetensors(files / "model.safetensors", tensors)
    copy, _ = hub.fetch(HANDLE, tried="", limits=Limits(first_bytes=4096))
    whole = (files / "model.safetensors").read_bytes()
    assert (copy.path / "model.safetensors.header").read_bytes() == whole[: 8 + int.from_bytes(whole[:8], "little")]
    ranges = [a.headers["Range"] for a in stand_in.asked if a.host == "store"]
    assert ranges[0] == "bytes=0-4095"
    assert ranges[1].startswith("bytes=4096-")


def test_the_token_goes_to_the_hub_and_not_to_another_host(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="quantgate")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    source = resolve_model(HANDLE, reach_hub=True)
    by_host = {
        host: [a.headers.get("Authorization") for a in stand_in.asked if a.host == host] for host in ("hub", "store")
    }
    assert set(by_host["hub"]) == {f"Bearer {TOKEN}"}
    assert by_host["store"]
    assert set(by_host["store"]) == {None}
    kept = b"".join(p.read_bytes() for p in source.path.rglob("*"))
    assert TOKEN.encode() not in kept
    assert TOKEN not in "".join(capfd.readouterr()) + caplog.text + source.note


def test_the_token_file_of_the_hub_client_is_used(stand_in: Hub, tmp_path: Path) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(TOKEN + "\n")
    resolve_model(HANDLE, reach_hub=True)
    assert stand_in.asked[0].headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_token_is_not_sent_over_an_unencrypted_line_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    from quantgate.checkpoint.hub.client import HubClient

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for address, expected in (("http://mirror.example", ""), ("https://mirror.example", TOKEN)):
        client = HubClient(address, HANDLE, Limits())
        assert client.token == expected
        client.close()


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (
            401,
            {},
            [
                "has no model acme/Widget-9B-FP8, or does not show it (401)",
                "without a hub token",
                "set a valid HF_TOKEN",
            ],
        ),
        (401, {"X-Error-Code": "RepoNotFound"}, ["has no model"]),
        (401, {"X-Error-Code": "GatedRepo"}, ["gated or not allowed", "ask for access on that page"]),
        (403, {"X-Error-Code": "GatedRepo"}, ["(403, gated or not allowed)", "/acme/Widget-9B-FP8", "HF_TOKEN"]),
        (404, {}, ["has no model acme/Widget-9B-FP8 (404)", "check the spelling"]),
        (429, {"Retry-After": "37"}, ["limits the rate of requests for 37 s (429)", "/somewhere", "try again"]),
        (429, {"RateLimit": '"api";r=0;t=55'}, ["for 55 s"]),
        (500, {}, ["has a failure of its own (500)", "/somewhere"]),
        (503, {}, ["(503)"]),
        (418, {}, ["not expected (418)"]),
    ],
)
def test_a_refusal_says_which_and_what_to_do(
    stand_in: Hub, status: int, headers: dict[str, str], says: list[str]
) -> None:
    stand_in.status, stand_in.headers = status, headers
    message = refused()
    assert all(part in message for part in says), message
    assert len(stand_in.asked) == 1


def test_a_gated_model_whose_files_are_refused_leaves_nothing_behind(stand_in: Hub, tmp_path: Path) -> None:
    stand_in.status_of_files, stand_in.headers = 403, {"X-Error-Code": "GatedRepo"}
    assert "ask for access" in refused()
    assert find(HANDLE, stand_in.url) is None
    assert not [p for p in (tmp_path / "cache" / "hub").rglob("*") if p.is_file()]


def test_a_server_that_ignores_ranges_is_cut_off(stand_in: Hub) -> None:
    stand_in.ignores_range = True
    began = time.monotonic()
    message = refused()
    assert "does not serve ranges" in message
    assert time.monotonic() - began < 10
    assert stand_in.sent < 100_000_000  # what the sockets take before the close, of 5 GB


@pytest.mark.parametrize(
    "content_range",
    [
        "bytes 1-131072/1699999744",
        "bytes 0-131071/99",
        "bytes 1-131072/*",
        "bytes 0-131070/*",
        "bytes 0-9/1699999744",
        "bytes */7",
        "nonsense",
        " ",
    ],
)
def test_a_range_that_was_not_asked_for_is_refused(stand_in: Hub, content_range: str) -> None:
    stand_in.content_range = content_range
    assert "came with other bytes than" in refused()


def test_a_slow_server_does_not_hold_the_caller(stand_in: Hub) -> None:
    stand_in.seconds_per_byte = 0.05
    began = time.monotonic()
    message = refused(Limits(total_seconds=0.6, request_seconds=0.4))
    assert time.monotonic() - began < 2.5
    assert "was not done after 0.6 s" in message


def test_a_silent_server_does_not_hold_the_caller(stand_in: Hub) -> None:
    stand_in.seconds_per_byte = 5
    began = time.monotonic()
    assert "did not answer in time" in refused(Limits(total_seconds=3, request_seconds=0.3))
    assert time.monotonic() - began < 2


def test_a_server_that_drips_its_headers_does_not_hold_the_caller(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                for _ in range(200):
                    connection.sendall(b"a")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{listener.getsockname()[1]}")
        began = time.monotonic()
        assert "The hub http://127.0.0.1" in refused(Limits(total_seconds=0.6, request_seconds=0.4))
        assert time.monotonic() - began < 2.5
        thread.join(5)
        assert not thread.is_alive()  # the connection was closed


def test_a_proxy_that_cannot_be_used_is_said(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://user:hunter2hunter2@proxy")
    message = refused()
    assert "cannot be asked with this machine's settings" in message
    assert "hunter2" not in message


def test_a_config_file_of_another_size_than_listed_is_refused(stand_in: Hub) -> None:
    stand_in.siblings = [{**s, "size": s["size"] + 5} if s["rfilename"] == "README.md" else s for s in stand_in.names()]
    assert "README.md of acme/Widget-9B-FP8 came with" in refused()


def test_what_a_killed_process_left_is_removed(stand_in: Hub, tmp_path: Path) -> None:
    left = tmp_path / "cache" / "hub" / HANDLE.replace("/", "--") / ".partial-dead"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    resolve_model(HANDLE, reach_hub=True)
    assert not left.exists()


def test_an_older_commit_goes_when_a_newer_one_is_kept(stand_in: Hub, tmp_path: Path) -> None:
    old = tmp_path / "cache" / "hub" / HANDLE.replace("/", "--") / ("a" * 40)
    old.mkdir(parents=True)
    os.utime(old, (0, 0))
    (old.parent / ("b" * 40)).mkdir()  # younger than a day: somebody may be reading it
    found = resolve_model(HANDLE, reach_hub=True)
    assert {path.name for path in old.parent.iterdir()} == {"b" * 40, found.revision}


def test_a_hub_that_cannot_be_reached_is_said_with_what_was_tried(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    message = refused()
    assert "http://127.0.0.1:9 cannot be reached" in message
    assert "the local hub cache, /somewhere" in message


def test_a_compressed_answer_is_not_unpacked(stand_in: Hub) -> None:
    stand_in.compressed = True
    assert "compressed" in refused()


@pytest.mark.parametrize("address", ["ftp://hub", "hub", "https://", "http://hub:99999", "https://hub/?q=1"])
def test_an_endpoint_that_is_no_address_is_refused(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert "HF_ENDPOINT is not the address of a hub" in refused()


def test_a_password_in_the_endpoint_is_not_shown(stand_in: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", stand_in.url.replace("//", "//user:hunter2hunter2@"))
    stand_in.status = 500
    assert "hunter2" not in refused()


def test_a_redirect_to_another_scheme_or_in_a_circle_is_refused(stand_in: Hub) -> None:
    stand_in.redirect_to = "file:///etc/passwd"
    assert "redirected to something that is not http" in refused()
    stand_in.redirect_to = f"{stand_in.url}/{HANDLE}/resolve/{COMMIT}/model-00001-of-00003.safetensors"
    assert "redirected more than 5 times" in refused()


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 0, 1, 200_000_000])
def test_a_hostile_header_length_costs_one_range(stand_in: Hub, files: Path, length: int) -> None:
    for path in files.glob("model*"):
        path.unlink()
    with (files / "model.safetensors").open("wb") as stream:
        stream.write(struct.pack("<Q", length))
        stream.truncate(1_000_000_000)
    assert f"claims a header of {length} bytes" in refused()
    assert stand_in.sent < 300_000


def test_a_header_that_its_file_is_too_short_for_is_refused(stand_in: Hub, files: Path) -> None:
    for path in files.glob("model*"):
        path.unlink()
    (files / "model.safetensors").write_bytes(struct.pack("<Q", 5000) + b"{" * 100)
    assert "is cut short: its header has 5000 bytes, the file 108" in refused()


def test_headers_are_bounded_together(stand_in: Hub) -> None:
    assert "larger than what is read from the hub" in refused(Limits(header_bytes=200_000))


def test_hostile_names_of_files_are_left_out(stand_in: Hub, tmp_path: Path) -> None:
    hostile = [
        "../../evil.json",
        "/etc/evil.json",
        "..",
        ".hidden.json",
        "a/b.json",
        "a\\b.json",
        "nul\0.json",
        "line\n.json",
    ]
    hostile += ["x" * 300 + ".json", "", "listing.json.header", "model.safetensors.header", 7, None]
    stand_in.siblings = (
        stand_in.names() + [{"rfilename": n, "size": 5} for n in hostile] + ["text", {"rfilename": "a.json"}]
    )
    stand_in.siblings += [{"rfilename": "b.json", "size": n} for n in (-1, 2**63, True, "9")]
    source = resolve_model(HANDLE, reach_hub=True)
    assert source.listing is not None
    assert not set(source.listing) & {str(n) for n in hostile}
    assert {"a.json", "b.json"}.isdisjoint(source.listing)
    assert not list(tmp_path.rglob("evil.json"))


def test_a_file_named_like_our_own_listing_does_not_replace_it(stand_in: Hub, files: Path) -> None:
    (files / "listing.json").write_text('{"files": {}}')
    assert resolve_model(HANDLE, reach_hub=True).listing
    assert not any(path.endswith("/listing.json") for path in stand_in.paths())


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"sha": "main", "siblings": []},
        {"sha": "../" * 14, "siblings": []},
        {"sha": COMMIT, "siblings": {}},
        {"sha": COMMIT.upper(), "siblings": []},
        {"sha": COMMIT, "siblings": [{"rfilename": f"{n}.json", "size": 1} for n in range(10_001)]},
    ],
)
def test_an_answer_that_is_no_listing_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(CheckpointError):
        read_listing(json.dumps(answer).encode(), HANDLE)


def test_a_second_call_is_one_request(stand_in: Hub) -> None:
    first = resolve_model(HANDLE, reach_hub=True)
    stand_in.asked.clear()
    second = resolve_model(HANDLE, reach_hub=True)
    assert stand_in.paths() == [f"/api/models/{HANDLE}?blobs=true"]
    assert (second.path, second.listing) == (first.path, first.listing)


def test_a_new_commit_is_read_anew(stand_in: Hub, files: Path) -> None:
    first = resolve_model(HANDLE, reach_hub=True)
    stand_in.commit = "f" * 40
    (files / "config.json").write_text(json.dumps({"model_type": "new"}))
    second = resolve_model(HANDLE, reach_hub=True)
    assert second.revision == "f" * 40
    assert json.loads((second.path / "config.json").read_text()) == {"model_type": "new"}
    assert first.path.exists()


def test_a_damaged_copy_is_read_anew(stand_in: Hub) -> None:
    first = resolve_model(HANDLE, reach_hub=True)
    (first.path / "listing.json").write_text("{")
    second = resolve_model(HANDLE, reach_hub=True)
    assert second.path == first.path
    assert second.listing == first.listing


@pytest.mark.parametrize("fault", ["offline", "unreachable", "limited"])
def test_without_the_hub_the_kept_copy_is_used_and_said(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    first = resolve_model(HANDLE, reach_hub=True)
    stand_in.asked.clear()
    if fault == "offline":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    else:
        stand_in.status = 503 if fault == "unreachable" else 429
    source = resolve_model(HANDLE, reach_hub=True)
    assert source.path == first.path
    assert "this may not be the newest commit" in source.note
    assert f"commit {COMMIT[:12]}" in source.note
    assert len(stand_in.asked) == (0 if fault == "offline" else 1)


def test_a_model_that_the_hub_no_longer_shows_is_not_taken_from_the_kept_copy(stand_in: Hub) -> None:
    resolve_model(HANDLE, reach_hub=True)
    stand_in.status = 404
    with pytest.raises(CheckpointError, match="404"):
        resolve_model(HANDLE, reach_hub=True)


@pytest.mark.parametrize("variable", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_and_uncached_says_so_without_a_request(
    stand_in: Hub, monkeypatch: pytest.MonkeyPatch, variable: str, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set, so the hub was not asked") as caught:
        resolve_model(HANDLE, reach_hub=True)
    assert str(tmp_path / "hf" / "hub" / "models--acme--Widget-9B-FP8") in str(caught.value)
    assert stand_in.asked == []


def test_the_hub_is_not_asked_unless_that_is_allowed(stand_in: Hub) -> None:
    with pytest.raises(CheckpointError, match="is not on this machine"):
        resolve_model(HANDLE)
    assert stand_in.asked == []


def test_a_copy_that_was_read_before_is_found_without_the_hub(stand_in: Hub) -> None:
    first = resolve_model(HANDLE, reach_hub=True)
    stand_in.asked.clear()
    second = resolve_model(HANDLE)
    assert (second.path, second.listing) == (first.path, first.listing)
    assert stand_in.asked == []


def _snapshot(tmp_path: Path, **config: str) -> Path:
    snapshot = tmp_path / "hf" / "hub" / "models--acme--Widget-9B-FP8" / "snapshots" / ("a" * 40)
    return checkpoint(snapshot, **config)


def test_the_local_hub_cache_comes_first(stand_in: Hub, tmp_path: Path) -> None:
    snapshot = _snapshot(tmp_path)
    source = resolve_model(HANDLE, reach_hub=True)
    assert (source.path, source.listing, source.revision) == (snapshot, None, "a" * 40)
    assert "which holds no weights" in source.note
    assert stand_in.asked == []


def test_a_cached_snapshot_without_config_gives_way_to_the_hub(stand_in: Hub, tmp_path: Path) -> None:
    snapshot = _snapshot(tmp_path)
    (snapshot / "config.json").rename(snapshot / "tokenizer.json")
    with pytest.raises(CheckpointError, match=r"its cached snapshot has no config\.json"):
        resolve_model(HANDLE)
    assert resolve_model(HANDLE, reach_hub=True).revision == COMMIT


def test_a_repository_of_gguf_files_is_refused_with_a_next_step(stand_in: Hub, files: Path) -> None:
    for path in files.glob("*.safetensors"):
        path.unlink()
    (files / "original" / "Widget-Q4_K_M.gguf").write_bytes(b"GGUF")
    message = refused()
    assert "repository of GGUF files" in message
    assert f"hf download {HANDLE}" in message
    assert "original/Widget-Q4_K_M.gguf" in message


def test_a_repository_without_config_is_refused_with_what_it_holds(stand_in: Hub, files: Path) -> None:
    (files / "config.json").unlink()
    assert "not a Transformers checkpoint" in refused()
    assert "model-00001-of-00003.safetensors" in refused()


def test_the_identity_of_a_model_on_the_hub_is_its_commit_and_listing(stand_in: Hub) -> None:
    with pytest.raises(CheckpointError):
        identify(HANDLE)
    source = resolve_model(HANDLE, reach_hub=True)
    first = identify(HANDLE)
    (source.path / "model-00001-of-00003.safetensors.header").write_bytes(b"")
    listing = json.loads((source.path / "listing.json").read_text())
    (source.path / "listing.json").write_text(json.dumps(listing | {"fetched": "2001-01-01"}))
    assert identify(HANDLE) == first
    stand_in.commit = "e" * 40
    resolve_model(HANDLE, reach_hub=True)
    assert identify(HANDLE) != first


def test_importing_the_reader_does_not_load_a_http_client() -> None:
    import subprocess
    import sys

    code = "import sys, quantgate.checkpoint.hub, quantgate.checkpoint.source; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
