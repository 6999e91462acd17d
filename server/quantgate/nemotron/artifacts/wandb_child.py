"""The child process that talks to Weights & Biases: one request as JSON on standard input, the answer as JSON in a file.

The package's prints, its threads and its waiting stay in here. It finds its credentials by itself: WANDB_API_KEY, else what
`wandb login` left in ~/.netrc. No value of them is read or written by quantgate.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

MOST_METADATA = 1 << 20
MOST_TEXT = 2_000


def _find(wandb: Any, request: dict[str, Any]) -> dict[str, Any]:
    api = wandb.Api(timeout=request["timeout"])
    entity = request["entity"] or api.default_entity or ""
    if not entity or not request["project"]:
        return {"ok": False, "problem": "project", "said": ""}
    artifact = api.artifact(f"{entity}/{request['project']}/{request['name']}:{request['selector']}")
    if request["verb"] == "bring":
        return {"ok": True, "path": str(Path(artifact.download(root=request["place"])))}
    metadata = dict(artifact.metadata or {})
    if len(json.dumps(metadata, default=str)) > MOST_METADATA:
        metadata = {key: metadata[key] for key in ("absolute_path", "iteration") if key in metadata}
    return {"ok": True, "version": str(artifact.version), "metadata": metadata}


def _problem(error: Exception) -> dict[str, Any]:
    return {"ok": False, "problem": type(error).__name__, "said": str(error)[:MOST_TEXT]}


def _do(request: dict[str, Any]) -> dict[str, Any]:
    try:
        import wandb
    except ImportError as error:
        return {"ok": False, "problem": "package", "said": str(error.name or "wandb")[:100]}
    try:
        return _find(wandb, request)
    except Exception as error:  # noqa: BLE001 - the outer boundary of this process: what the package raises is its own affair
        return _problem(error)


def main() -> None:
    """Serve one request and exit."""
    request = json.load(sys.stdin)
    os.umask(0o077)
    answer = Path(request["answer"])
    temporary = answer.with_name(f"{answer.name}.part")
    temporary.write_text(json.dumps(_do(request), default=str), encoding="utf-8")
    temporary.replace(answer)


if __name__ == "__main__":
    main()
