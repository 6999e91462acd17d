"""`models:/name/version`, aliases and artifacts of runs, resolved against a real MLflow server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import TrackingUnreachable, UnknownName
from quantgate.nemotron.artifacts import settings

NAME = "nemotron-rl"
PLACE = "/shared/rl/iter_0001000"


@pytest.fixture
def registered(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model with two versions: of the first the files are on the server, of the second a tag says where they are."""
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    checkpoint = tmp_path / "iter_0000500"
    checkpoint.mkdir()
    (checkpoint / "run_config.yaml").write_text("model: {}\n")
    run = client.create_run(client.create_experiment(f"training-{tmp_path.name}")).info.run_id
    client.log_artifacts(run, str(checkpoint), "iter_0000500")
    if not client.search_registered_models(f"name='{NAME}'"):
        client.create_registered_model(NAME)
    uri = f"{client.get_run(run).info.artifact_uri}/iter_0000500"
    first = client.create_model_version(NAME, uri, run_id=run)
    second = client.create_model_version(NAME, uri, run_id=run, tags={"absolute_path": PLACE})
    client.set_registered_model_alias(NAME, "best", first.version)
    assert int(second.version) == int(first.version) + 1
    return str(run)


def test_the_registry_gives_versions_aliases_and_the_latest(registered: str) -> None:
    resolver = settings.resolver({"backend": "mlflow"})
    assert resolver.resolve(f"{NAME}:latest") == PLACE
    assert resolver.resolve(f"models:/{NAME}/2") == PLACE
    fetched = Path(resolver.resolve(f"{NAME}:best"))
    assert (fetched / "run_config.yaml").read_text() == "model: {}\n"
    assert resolver.resolve(f"{NAME}:best") == settings.resolver({"backend": "mlflow"}).resolve(f"models:/{NAME}@best")


def test_an_artifact_of_a_run_keeps_the_name_of_its_iteration(registered: str) -> None:
    place = Path(settings.resolver({"backend": "mlflow"}).resolve(f"runs:/{registered}/iter_0000500"))
    assert place.name == "iter_0000500"
    assert (place / "run_config.yaml").is_file()


def test_what_is_not_there_and_a_server_that_is_down_are_one_line_each(
    registered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for reference in (f"{NAME}:v99", f"{NAME}:worst", "no-such-model:latest"):
        with pytest.raises(UnknownName, match="model of the registry"):
            settings.resolver({"backend": "mlflow"}).resolve(reference)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingUnreachable, match="does not answer"):
        settings.resolver({"backend": "mlflow"}).resolve(f"{NAME}:v1")
