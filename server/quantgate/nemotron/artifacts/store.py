"""What a store of artifacts gives: the one interface of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .references import ArtifactReference


@dataclass(frozen=True)
class StoredArtifact:
    """One version of an artifact as its store describes it.

    Attributes:
        name: Its name there.
        version: Its version there, as `v3`.
        metadata: What its maker recorded with it; somebody's data.
        fetch: Brings its files to this machine, and says where they are. Called only when the metadata names no place.
    """

    name: str
    version: str
    fetch: Callable[[], Path]
    metadata: Mapping[str, Any] = field(default_factory=dict)


class ArtifactStore(Protocol):
    """A store that knows artifacts by name and version."""

    def find(self, reference: ArtifactReference) -> StoredArtifact:
        """One version of an artifact; the place where the network is asked first.

        Raises:
            UnknownName: It has no such artifact or version.
            TrackingError: It does not let us in, or does not answer.
            BadInput: It cannot be asked: a setting or a package is missing.
        """
        ...
