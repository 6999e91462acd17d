"""Artifacts in MLflow: versions of registered models, and artifacts of runs (`runs:/RUN_ID/path`)."""

from __future__ import annotations

from pathlib import Path

from ... import workspace
from ...tracking import models
from .references import ArtifactReference
from .store import StoredArtifact


class MlflowStore:
    """The tracking server of this process's environment (MLFLOW_TRACKING_URI).

    Args:
        place: Where downloads are kept; None for quantgate's cache.
    """

    def __init__(self, place: Path | None = None) -> None:
        self._given = place

    def find(self, reference: ArtifactReference) -> StoredArtifact:
        """A version of the model registry, its tags as metadata; of an artifact of a run nothing is asked before it is fetched."""
        if reference.run:
            run, path = reference.run, reference.name
            return StoredArtifact(path, run, lambda: models.bring_artifact(run, path, self._place()))
        found = models.find(reference.name, reference.selector)
        return StoredArtifact(
            found.name,
            f"v{found.version}",
            lambda: models.bring_version(found, self._place()),
            found.tags,
        )

    def _place(self) -> Path:
        return self._given or workspace.cache_dir() / "artifacts" / "mlflow"
