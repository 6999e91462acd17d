"""How Megatron lays checkpoints out: iterations below a parent, each with its sharded weights.

Names: Megatron Bridge 0.3.1, training/utils/checkpoint_utils.py and training/checkpointing.py; Megatron Core's
`dist_checkpointing` writes `metadata.json`, `.metadata`, `common.pt` and `__<rank>_<n>.distcp`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import CheckpointError
from ..config_json import read_bytes

RUN_CONFIG = "run_config.yaml"
TRACKERS = ("latest_checkpointed_iteration.txt", "latest_train_state.pt")
MAX_NAMED = 10
"""Most iterations that an error lists."""
_ITERATION = re.compile(r"iter_(\d{1,18})\Z", re.ASCII)
_RELEASE = "release"


def is_iteration(path: Path, names: Sequence[str]) -> bool:
    """Whether a directory is one Megatron iteration, by its name or by what lies in it.

    Args:
        path: The directory.
        names: The names in it.
    """
    if _ITERATION.match(path.resolve().name):
        return True
    held = set(names)
    return any(n.endswith(".distcp") for n in names) or (
        RUN_CONFIG in held and not held.isdisjoint((".metadata", "common.pt"))
    )


def refuse_parent(path: Path, names: Sequence[str]) -> None:
    """Refuse the parent of iterations: an evaluation wants one of them, by its own path.

    Raises:
        CheckpointError: It is a parent; the message names its iterations, the latest first.
    """
    found = sorted(((int(m[1]), n) for n in names if (m := _ITERATION.match(n))), reverse=True)
    iterations = [n for _, n in found if (path / n).is_dir()]
    if _RELEASE in names and (iterations or set(TRACKERS) & set(names)) and (path / _RELEASE).is_dir():
        iterations.append(_RELEASE)
    if not iterations:
        if set(TRACKERS) & set(names):
            raise CheckpointError(
                f"{path.name} is the parent of Megatron iterations, but none is in it",
                where=str(path),
                fix="give the directory of an iteration (`iter_*`); the copy may not be complete",
            )
        return
    more = f" and {len(iterations) - MAX_NAMED} older" if len(iterations) > MAX_NAMED else ""
    raise CheckpointError(
        f"{path.name} is the parent of {len(iterations)} Megatron iterations, not a checkpoint{_tracked(path, iterations)}",
        where=str(path),
        fix="give one of them: " + ", ".join(str(path / n) for n in iterations[:MAX_NAMED]) + more,
    )


def _tracked(path: Path, iterations: Sequence[str]) -> str:
    """What the tracker file says of the latest iteration, when it is not the first of the list."""
    try:
        text = read_bytes(path / TRACKERS[0], 64).decode("ascii").strip()
    except (CheckpointError, UnicodeDecodeError):
        return ""
    if not (text == _RELEASE or (text.isdecimal() and len(text) <= 18)):
        return ""
    name = text if text == _RELEASE else f"iter_{int(text):07d}"
    if name == iterations[0]:
        return ""
    state = "which is here" if name in iterations else "which is not here"
    return f"; {TRACKERS[0]} names {name} as the latest, {state}"
