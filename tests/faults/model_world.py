"""The user's machine with a real small model behind the endpoint, instead of the stand-in."""

from __future__ import annotations

import sys
from pathlib import Path

from quantgate.demo import weights
from tests.conftest import SHARED_CACHE

from .enclosure import ROOT
from .world import PORT, World

PROGRAM = ROOT / "tests" / "integration" / "containers" / "serve_model.py"


class ModelWorld(World):
    """A world whose answers take as long as they take; who asked is not noted."""

    def start_endpoint(self) -> None:
        """Serve the weights that `quantgate demo` uses."""
        file: Path = weights.weights_path(SHARED_CACHE)
        model = ["--served-model-name", "small"]
        self.start_model_server([sys.executable, "-P", str(PROGRAM), str(file), "--port", str(PORT), *model])
