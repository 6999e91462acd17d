"""What is taken from a model registry that cannot be trusted; the client here is made: it has the versions that a test wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from quantgate.errors import UnknownName
from quantgate.tracking import child, client, models, registry, settings

RUN = "0123456789abcdef0123456789abcdef"
SERVER = "https://mlflow.internal"


@dataclass
class Client:
    """Stands for mlflow's client."""

    versions: tuple[str, ...] = ("1", "9", "10")
    uri: str = f"runs:/{RUN}/model"
    run_uri: str = "mlflow-artifacts:/1/x/artifacts"
    link: bool = False
    created: int = 1
    asked: list[str] = field(default_factory=list)

    def _version(self, number: str) -> Any:
        return SimpleNamespace(
            version=number, tags={"absolute_path": "/shared/iter_1"}, run_id=RUN, creation_timestamp=self.created
        )

    def get_model_version(self, name: str, version: str) -> Any:
        return self._version(version)

    def get_model_version_by_alias(self, name: str, alias: str) -> Any:
        self.asked.append(alias)
        return self._version("9")

    def get_registered_model(self, name: str) -> Any:
        return SimpleNamespace(name=name)

    def search_model_versions(self, query: str, max_results: int) -> list[Any]:
        return [self._version(number) for number in self.versions]

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        return self.uri

    def get_run(self, run_id: str) -> Any:
        return SimpleNamespace(info=SimpleNamespace(artifact_uri=self.run_uri))

    def download_artifacts(self, run_id: str, path: str, dst_path: str) -> str:
        self.asked.append(path)
        target = Path(dst_path) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.link:
            target.symlink_to("/etc")
        else:
            target.mkdir()
            (target / "weights").write_text("w")
        return str(target)


def _bring(made: Client, place: Path, **what: str) -> dict[str, Any]:
    return registry.bring(made, {"place": str(place), "url": SERVER, **what}, child._may_read)


def test_the_latest_version_is_the_highest_number_and_not_the_last_as_text() -> None:
    assert registry.find(Client(), {"name": "rl", "selector": "latest"})["version"] == "10"
    assert registry.find(Client(), {"name": "rl", "selector": "v3"})["version"] == "3"
    made = Client()
    assert registry.find(made, {"name": "rl", "selector": "best"})["tags"] == {"absolute_path": "/shared/iter_1"}
    assert made.asked == ["best"]
    with pytest.raises(registry.NoSuchVersion):
        registry.find(Client(versions=()), {"name": "rl", "selector": "latest"})


def test_a_version_is_downloaded_whole_and_once(tmp_path: Path) -> None:
    made = Client()
    place = tmp_path / "rl-v3"
    answer = _bring(made, place, name="rl", version="3")
    assert [entry.name for entry in place.iterdir()] == ["model"]
    assert (place / "model" / "weights").read_text() == "w"
    assert (answer["fetched"], _bring(made, place, name="rl", version="3")["fetched"]) == (True, False)
    assert made.asked == ["model"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["rl-v3"]


@pytest.mark.parametrize("uri", ["file:///etc", "/etc", "http://elsewhere.example/x", "mlflow-artifacts://elsewhere/1"])
def test_files_are_read_only_from_the_server_itself(tmp_path: Path, uri: str) -> None:
    for made in (Client(uri=uri), Client(run_uri=uri)):
        with pytest.raises(registry.ForeignStore):
            _bring(made, tmp_path / "x", name="rl", version="3")
        assert made.asked == []
    assert not list(tmp_path.iterdir())


def test_a_link_and_a_name_that_is_no_path_are_no_artifacts(tmp_path: Path) -> None:
    with pytest.raises(registry.ForeignStore, match="link"):
        _bring(Client(link=True), tmp_path / "x", run_id=RUN, path="model")
    with pytest.raises(registry.ForeignStore, match="no path"):
        _bring(Client(), tmp_path / "x", run_id=RUN, path="../model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("RESOURCE_DOES_NOT_EXIST", "Model Version (name=rl, version=3) not found"),
        ("INVALID_PARAMETER_VALUE", "Registered model alias worst not found."),
        ("version", "it has no version yet"),
    ],
)
def test_a_model_that_the_registry_does_not_have_is_an_unknown_name(problem: str, said: str) -> None:
    server = settings.TrackingServer(SERVER, SERVER)
    error = client._error(server, {"verb": "find", "name": "rl", "selector": "v3"}, problem, said)
    assert isinstance(error, UnknownName)
    assert "'rl:v3'" in str(error)


def test_a_version_that_was_registered_anew_is_downloaded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the child: the registry forgot version 1, and has another of that number now."""
    made = Client()
    monkeypatch.setattr(settings, "configured", lambda: settings.TrackingServer(SERVER, SERVER))

    def ask(server: Any, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        if request["verb"] == "find":
            return registry.find(made, request)
        return registry.bring(made, {**request, "url": SERVER}, child._may_read)

    monkeypatch.setattr(client, "ask", ask)
    first = models.find("rl", "v1")
    assert models.bring_version(first, tmp_path) == models.bring_version(models.find("rl", "v1"), tmp_path)
    made.created = 2
    assert models.bring_version(models.find("rl", "v1"), tmp_path) != models.bring_version(first, tmp_path)
    assert made.asked == ["model", "model"]
