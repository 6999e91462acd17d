"""Artifacts in Weights & Biases, asked for in a child process with a time limit; the package `wandb` is optional."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import children, redact, scratch, workspace
from ...errors import BadInput, QuantgateError, TrackingError, TrackingUnreachable, UnknownName
from .references import ArtifactReference
from .store import StoredArtifact

VARIABLES = ("WANDB_API_KEY", "WANDB_ENTITY", "WANDB_PROJECT")
FIND_SECONDS = 60.0
BRING_SECONDS = 6 * 3600.0
REQUEST_SECONDS = 20
_QUIET = {"WANDB_SILENT": "true", "WANDB_CONSOLE": "off", "WANDB_ERROR_REPORTING": "false", "PYTHONWARNINGS": "ignore"}
_NOT_LOGGED_IN = re.compile(
    r"api[_ ]key not configured|no api[_ ]key|not logged in|unauthori[sz]ed|\b401\b|AuthenticationError", re.I
)
_NO_ANSWER = re.compile(r"failed to execute api request|did not respond in time", re.I)
"""wandb 0.31 verifies the key first, and calls it an AuthenticationError when the server cannot be reached."""
_NO_SUCH = re.compile(r"not found|does not exist|no artifact|could not find|unable to (?:fetch|find)|\b404\b", re.I)
_LINK_ERRORS = frozenset({"ConnectionError", "ConnectTimeout", "ReadTimeout", "Timeout", "SSLError", "ProxyError"})
"""Of the package requests, which wandb lets through."""
_FORBIDDEN = re.compile(r"permission|forbidden|\b403\b", re.I)
_NO_NETWORK = re.compile(r"connection|timed? ?out|resolve|unreachable|network|\b50[234]\b", re.I)


@dataclass(frozen=True)
class WandbProject:
    """Whose artifacts are meant where a reference does not say it: WANDB_ENTITY and WANDB_PROJECT, or `[wandb]` of env.toml."""

    entity: str = ""
    project: str = ""

    def or_environment(self, environment: Mapping[str, str]) -> WandbProject:
        """The same with what an environment says in the place of what is empty."""
        entity, project = (environment.get(name, "").strip() for name in ("WANDB_ENTITY", "WANDB_PROJECT"))
        return WandbProject(self.entity or entity, self.project or project)


class WandbStore:
    """Weights & Biases.

    Args:
        of: Entity and project of references that name none.
        place: Where downloads are kept; None for quantgate's cache.
        variables: Those of `VARIABLES` that a `.env` file sets; they come before this process's own.
    """

    def __init__(
        self, of: WandbProject | None = None, place: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self._of = of or WandbProject()
        self._given = place
        self._variables = dict(variables or {})

    def find(self, reference: ArtifactReference) -> StoredArtifact:
        """A version of an artifact, with the metadata that its maker recorded."""
        if reference.run:
            raise BadInput(
                f"{reference} is an artifact of MLflow", fix='set backend = "mlflow" in [artifacts] of env.toml'
            )
        of = self._of.or_environment({**os.environ, **self._variables})
        request = {
            "verb": "find",
            "name": reference.name,
            "selector": reference.selector,
            "project": reference.project or of.project,
            "entity": reference.entity or of.entity,
        }
        answer = _ask(request, FIND_SECONDS, reference, self._variables)
        version = str(answer["version"])[:40]

        def fetch() -> Path:
            return self._bring(request, version, reference)

        return StoredArtifact(reference.name, version, fetch, dict(answer["metadata"]))

    def _bring(self, request: dict[str, str], version: str, reference: ArtifactReference) -> Path:
        folder = self._given or workspace.cache_dir() / "artifacts" / "wandb"
        named = "-".join(re.sub(r"[^A-Za-z0-9_.]", "_", request[key]) or "own" for key in ("entity", "project", "name"))
        # What `latest` was is asked for by its number: it may be another one meanwhile. wandb verifies what is there already.
        wanted = {**request, "verb": "bring", "selector": version, "place": str(folder / f"{named}-{version}")}
        return Path(_ask(wanted, BRING_SECONDS, reference, self._variables)["path"])


def _ask(
    request: dict[str, str], seconds: float, reference: ArtifactReference, variables: Mapping[str, str]
) -> dict[str, Any]:
    with scratch.private_directory() as folder:
        answer_file = folder / "answer.json"
        asked = {**request, "timeout": REQUEST_SECONDS, "answer": str(answer_file)}
        finished = children.run(
            [sys.executable, "-P", "-m", "quantgate.nemotron.artifacts.wandb_child"],
            stdin=json.dumps(asked).encode(),
            env={**os.environ, **variables, **_QUIET, "WANDB_DIR": str(folder)},
            seconds=seconds,
            cwd=folder,
        )
        if finished.timed_out:
            raise _unreachable(reference, f"no answer within {seconds:.0f} s")
        if not answer_file.is_file():
            said = " ".join(redact.redact(finished.output.strip()[-300:]).split())
            raise TrackingError(
                f"The process that talks to Weights & Biases ended with status {finished.returncode}",
                fix=f"it said: {said}",
            )
        answer: dict[str, Any] = json.loads(answer_file.read_text(encoding="utf-8"))
    if not answer["ok"]:
        raise _error(reference, str(answer["problem"]), str(answer["said"]))
    return answer


def _unreachable(reference: ArtifactReference, why: str) -> TrackingUnreachable:
    return TrackingUnreachable(
        f"Weights & Biases does not answer, so {reference} cannot be resolved: {why}",
        fix="try again with a network, or give the path itself: deployment.checkpoint_path=/path/of/iter_0001000",
    )


def _error(reference: ArtifactReference, problem: str, said: str) -> QuantgateError:
    text = " ".join(redact.redact(said).split())[:200]
    if problem == "package":
        return BadInput(
            f"{reference} lies in Weights & Biases, and the package {text} is not installed",
            fix="pip install 'quantgate[wandb]' into the environment of quantgate, or give the path itself",
        )
    if problem == "project":
        return BadInput(
            f"It is not known whose artifact {reference} is",
            fix="set project and entity in [wandb] of env.toml, or WANDB_PROJECT and WANDB_ENTITY, or write entity/project/name:v3",
        )
    both = f"{problem} {said}"
    if _NO_ANSWER.search(said):
        return _unreachable(reference, text)
    if _NOT_LOGGED_IN.search(both):
        return TrackingError(
            f"Not logged in to Weights & Biases, so {reference} cannot be resolved: {text}",
            fix="a person runs `wandb login`, or sets WANDB_API_KEY in quantgate's environment",
        )
    if problem in _LINK_ERRORS:
        return _unreachable(reference, text)
    if _NO_SUCH.search(said):
        return UnknownName(
            "artifact",
            str(reference),
            where=f"Weights & Biases: {text}",
            fix="look at its versions and aliases in the project",
        )
    if _FORBIDDEN.search(both):
        return TrackingError(
            f"Weights & Biases does not let this login read {reference}", fix="ask the project's owner"
        )
    if _NO_NETWORK.search(both):
        return _unreachable(reference, text)
    return TrackingError(f"Weights & Biases refused {reference}: {text}", fix="look at it in the project")
