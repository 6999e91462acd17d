"""Artifact references: what they say, where they lead, and that nothing is asked without need."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput, ConfigError, TrackingError, TrackingUnreachable, UnknownName
from quantgate.nemotron.artifacts import settings, wandb_store
from quantgate.nemotron.artifacts.references import ArtifactReference, parse
from quantgate.nemotron.artifacts.resolver import Resolver
from quantgate.nemotron.artifacts.store import ArtifactStore, StoredArtifact

ITERATION = "/shared/rl/checkpoints/iter_0001000"


class Made:
    """Stands for a store: it has every artifact, and counts what it is asked."""

    def __init__(self, metadata: dict[str, Any] | None = None) -> None:
        self.metadata = metadata or {}
        self.found: list[str] = []
        self.fetched = 0

    def find(self, reference: ArtifactReference) -> StoredArtifact:
        self.found.append(str(reference))
        return StoredArtifact(reference.name, "v7", self._fetch, self.metadata)

    def _fetch(self) -> Path:
        self.fetched += 1
        return Path("/cache/rl-v7/iter_0001000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rl", ArtifactReference("rl", "latest")),
        ("rl:latest", ArtifactReference("rl", "latest")),
        ("sft:v2", ArtifactReference("sft", "v2")),
        ("sft:best-so-far", ArtifactReference("sft", "best-so-far")),
        ("nemotron/rl:v3", ArtifactReference("rl", "v3", "nemotron")),
        ("team/nemotron/ModelArtifact-rl:v3", ArtifactReference("ModelArtifact-rl", "v3", "nemotron", "team")),
        ("models:/rl/3", ArtifactReference("rl", "v3")),
        ("models:/rl@best", ArtifactReference("rl", "best")),
        (f"runs:/{'a' * 32}/ckpt/iter_5", ArtifactReference("ckpt/iter_5", run="a" * 32)),
    ],
)
def test_a_reference_is_read_as_it_is_written(text: str, expected: ArtifactReference) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":v3", "rl:", "a/b/c/d:v1", "rl:v1:v2", "rl model", "rl:../x", "$(id)", f"runs:/{'a' * 32}/../x", "a//b"],
)
def test_what_is_no_reference_is_told_with_the_forms(text: str) -> None:
    with pytest.raises(BadInput, match="write "):
        parse(text)


def test_an_explicit_path_opens_no_store_and_keeps_its_iteration() -> None:
    def never() -> ArtifactStore:
        raise AssertionError("the store was opened")

    resolver = Resolver(never)
    assert resolver.resolve(ITERATION, "path") == ITERATION
    assert resolver.resolve("~/ckpt/iter_5", "path") == "~/ckpt/iter_5"
    assert resolver.resolve(ITERATION, "iteration") == "1000"
    with pytest.raises(BadInput, match="a path has no field"):
        resolver.resolve(ITERATION, "version")


def test_an_unused_reference_costs_nothing_and_a_used_one_is_asked_for_once() -> None:
    store, opened = Made(), []

    def open_store() -> ArtifactStore:
        opened.append(1)
        return store

    resolver = Resolver(open_store)
    assert (opened, resolver.asked) == ([], ())
    assert resolver.resolve("rl:latest", "version") == "v7"
    assert store.fetched == 0
    assert resolver.resolve("rl:latest", "path") == resolver.resolve("rl", "path") == "/cache/rl-v7/iter_0001000"
    assert (len(opened), store.found, store.fetched) == (1, ["rl:latest"], 1)
    assert resolver.asked == ("rl:latest is rl:v7",)


def test_the_recorded_place_comes_before_a_download_and_keeps_its_iteration() -> None:
    store = Made({"absolute_path": ITERATION, "training": {"step": 1000}})
    resolver = Resolver(lambda: store)
    assert resolver.resolve("rl:v3", "path") == ITERATION
    assert resolver.resolve("rl:v3", "iteration") == "1000"
    assert resolver.resolve("rl:v3", "training.step") == resolver.resolve("rl:v3", "metadata.training.step") == "1000"
    assert store.fetched == 0
    with pytest.raises(UnknownName, match="absolute_path, training"):
        resolver.resolve("rl:v3", "size")


@pytest.mark.parametrize("place", ["relative/x", "/a/../etc", "/a\n/b", "/x:/y", "/a,b", "${oc.env:HOME}", 5, ["/x"]])
def test_a_recorded_place_that_is_no_plain_absolute_path_is_refused(place: Any) -> None:
    with pytest.raises(BadInput, match="no plain absolute path"):
        Resolver(lambda: Made({"absolute_path": place})).resolve("rl:v3", "path")


def _directory(root: Path) -> Path:
    for version in ("v2", "v9", "v10"):
        (root / "rl" / version / "iter_0001000").mkdir(parents=True)
    (root / "rl" / "best").symlink_to("v9")
    (root / "rl" / "v2" / "metadata.json").write_text(json.dumps({"absolute_path": ITERATION}))
    return root


def test_a_directory_is_a_store_whose_latest_is_the_highest_number(tmp_path: Path) -> None:
    root = _directory(tmp_path / "artifacts")
    resolver = settings.resolver({"root": "artifacts"}, base=tmp_path)
    assert resolver.resolve("rl:latest") == str(root / "rl" / "v10")
    assert (resolver.resolve("rl:best"), resolver.resolve("rl:best", "version")) == (str(root / "rl" / "v9"), "v9")
    assert resolver.resolve("rl:v2") == ITERATION
    with pytest.raises(UnknownName, match="rl:v10"):
        resolver.resolve("rl:v3")
    with pytest.raises(UnknownName, match="did you mean rl"):
        resolver.resolve("sft")


def test_a_json_index_is_a_store(tmp_path: Path) -> None:
    rows = {"v1": {"path": "one/iter_5"}, "v2": {"metadata": {"absolute_path": ITERATION}}, "v3": {}}
    index = {"rl": {"versions": rows, "aliases": {"best": "v1"}}, "odd": []}
    (tmp_path / "index.json").write_text(json.dumps(index))
    resolver = settings.resolver({"backend": "index", "index": "index.json"}, base=tmp_path)
    assert resolver.resolve("rl:best") == str(tmp_path / "one" / "iter_5")
    assert resolver.resolve("rl:v2") == ITERATION
    with pytest.raises(BadInput, match="no path in the index"):
        resolver.resolve("rl:latest")
    for name in ("rl:v4", "rl:worst", "sft", "odd"):
        with pytest.raises(UnknownName):
            resolver.resolve(name)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"rl": {"versions": 5}}'])
def test_a_broken_index_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(BadInput, match=r"index\.json"):
        settings.resolver({"index": str(tmp_path / "index.json")}).resolve("rl:v1")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"backend": "s3"}, "unknown backend"),
        ({"backend": "index"}, "has no index"),
        ({"backend": "directory"}, "has no root"),
        ({"rot": "/x"}, "unknown key"),
        ({"backend": 5}, "no text"),
    ],
)
def test_artifacts_of_env_toml_are_checked_before_anything_is_opened(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        settings.resolver(given)


WANDB = """
import json, os
# Stands for the package wandb 0.31: `Api().artifact(name)` with metadata, version and download.
class Artifact:
    metadata = json.loads(os.environ.get("MADE_METADATA", "{}"))
    version = "v12"
    def download(self, root):
        os.makedirs(root, exist_ok=True)
        print("wandb:   1 of 1 files downloaded.")
        return root
class CommError(Exception):
    pass
class Api:
    default_entity = "default-team"
    def __init__(self, timeout):
        if os.environ.get("MADE_LOGIN"):
            raise CommError(os.environ["MADE_LOGIN"])
    def artifact(self, name):
        with open(os.environ["MADE_ASKED"], "a") as file:
            file.write(name + "\\n")
        if os.environ.get("MADE_ERROR"):
            raise CommError(os.environ["MADE_ERROR"])
        return Artifact()
"""


@pytest.fixture
def made_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "wandb.py").write_text(WANDB)
    ours = os.pathsep.join([str(tmp_path / "site"), str(Path(wandb_store.__file__).parents[3])])
    monkeypatch.setenv("PYTHONPATH", ours)
    monkeypatch.setenv("MADE_ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    for name in ("WANDB_ENTITY", "WANDB_PROJECT", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_weights_and_biases_gives_the_recorded_place_or_else_a_download(
    made_wandb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = settings.resolver({}, {"entity": None, "project": "nemotron"})
    assert resolver.resolve("rl:latest", "version") == "v12"
    place = resolver.resolve("rl:latest")
    assert Path(place) == made_wandb / "cache" / "artifacts" / "wandb" / "own-nemotron-rl-v12"
    assert Path(place).is_dir()
    monkeypatch.setenv("MADE_METADATA", json.dumps({"absolute_path": ITERATION}))
    assert settings.resolver({"entity": "team", "project": "p"}).resolve("rl:v3") == ITERATION
    # What `latest` is was asked once; its files are those of the number that it had.
    asked = ["default-team/nemotron/rl:latest", "default-team/nemotron/rl:v12", "team/p/rl:v3"]
    assert (made_wandb / "asked").read_text().split() == asked


@pytest.mark.parametrize(
    ("variable", "said", "kind", "says"),
    [
        ("MADE_LOGIN", "api_key not configured (no-tty). call wandb login", TrackingError, "Not logged in"),
        ("MADE_ERROR", "artifact 'rl:v3' not found in 'team/p'", UnknownName, "Unknown artifact 'rl:v3'"),
        (
            "MADE_ERROR",
            "HTTPSConnectionPool: Max retries exceeded: Connection refused",
            TrackingUnreachable,
            "does not answer",
        ),
        ("MADE_ERROR", "Unable to fetch artifact with name 'team/p/rl:v3'", UnknownName, "Unknown artifact"),
        ("MADE_ERROR", "permission denied", TrackingError, "ask the project's owner"),
    ],
)
def test_what_weights_and_biases_does_not_give_is_one_clear_line(
    made_wandb: Path, monkeypatch: pytest.MonkeyPatch, variable: str, said: str, kind: type[Exception], says: str
) -> None:
    monkeypatch.setenv(variable, said)
    with pytest.raises(kind, match=says) as refused:
        settings.resolver({"entity": "team", "project": "p"}).resolve("rl:v3")
    assert "\n" not in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_an_unknown_project_and_a_missing_package_are_told(made_wandb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="WANDB_PROJECT"):
        settings.resolver().resolve("rl:v3")
    (made_wandb / "site" / "wandb.py").write_text("raise ImportError(name='wandb')\n")
    with pytest.raises(BadInput, match=r"pip install 'quantgate\[wandb\]'"):
        settings.resolver().resolve("rl:v3")
