"""The command that copies a checkpoint of this machine to a cluster. A person runs it: it moves much, and writes there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ..checkpoint.source import expanded
from ..cluster import words
from . import paths

if TYPE_CHECKING:
    from ..cluster.preflight import PathSeen, Sight


def command(config: Mapping[str, Any], sight: Sight, wanted: str, seen: PathSeen) -> tuple[str, str]:
    """The command, and the directory on the cluster that it fills; both empty when the checkpoint is not on this machine.

    Args:
        config: The composed config.
        sight: Of the cluster.
        wanted: The checkpoint's path as the config gives it.
        seen: What is known of it on the cluster.

    Raises:
        BadInput: A path has control characters.
    """
    local = _local(config, wanted)
    if local is None:
        return "", ""
    target = wanted
    if not seen.writable:
        output = str(paths.dig(config, "execution", "output_dir") or "")
        if not output.startswith("/"):
            return "", ""
        target = str(PurePosixPath(output) / "checkpoints" / PurePosixPath(wanted).name)
    for value, what in ((str(local), "path"), (target, "path"), (sight.host, "host")):
        words.operand(value, what)
    # Twice quoted: once for the shell here, once for the one that ssh starts there. `-s` keeps rsync's paths from the latter.
    made = shlex.join(["ssh", sight.host, shlex.join(["mkdir", "-p", "--", target])])
    copied = shlex.join(
        ["rsync", "-aLs", "--partial", "--info=progress2", "--", f"{local}/", f"{sight.host}:{target}/"]
    )
    return f"{made} && {copied}", target


def _local(config: Mapping[str, Any], wanted: str) -> Path | None:
    """The checkpoint on this machine: under the path of the config, or as the config declares it for its rules."""
    declared = paths.dig(config, "quantgate", "checkpoint")
    for text in (wanted, declared):
        try:
            if isinstance(text, str) and text.startswith(("/", "~")) and (here := expanded(text)).is_dir():
                return here
        except (OSError, ValueError):
            continue
    return None
