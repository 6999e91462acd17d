"""A config's paths off the container: a process run has no `/results`, and must not touch one on this machine.

Imported only in the child process that talks to NEL.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nemo_evaluator_launcher.common import helpers
from omegaconf import DictConfig, OmegaConf

from ..errors import BadInput

CONTAINER_RESULTS = helpers.CONTAINER_RESULTS_DIR
EVALUATOR_PART = "nemo_evaluator_config"
_RESULTS = re.compile(r"(?<![\w./-])" + re.escape(CONTAINER_RESULTS) + r"(?![\w.-])")
"""The container's directory as a path of its own or the beginning of one, also inside a longer argument."""


def refuse_commands(cfg: DictConfig, task: DictConfig) -> None:
    """Refuse commands of the config's own that use the container's directory.

    Raises:
        BadInput: With the place in the config.
    """
    for place in (cfg.evaluation, task):
        for name in ("pre_cmd", "post_cmd"):
            if _RESULTS.search(str(place.get(name) or "")):
                raise BadInput(
                    f"{name} uses the container's {CONTAINER_RESULTS}, which a process run must not touch on this machine",
                    where=f"{task.name}: {name}",
                    fix="use a relative path, or execution.type local (containers)",
                )


def moved(cfg: DictConfig, artifacts: Path) -> DictConfig:
    """The config with every `/results…` path in the evaluator's part moved to the task's artifacts."""

    def place_of(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: place_of(v) for k, v in value.items()}
        if isinstance(value, list):
            return [place_of(v) for v in value]
        return _RESULTS.sub(lambda _: str(artifacts), value) if isinstance(value, str) else value

    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    for place in (plain, plain.get("evaluation") or {}):
        if EVALUATOR_PART in place:
            place[EVALUATOR_PART] = place_of(place[EVALUATOR_PART])
    return DictConfig(plain)
