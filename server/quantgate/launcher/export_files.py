"""The files of a task as they may leave this machine: the originals, but for secrets that stand in settings and in harness output.

NEL 0.2.6 uploads the files as they lie there. metadata.yaml holds the whole config, and tau2's results hold the API keys of agent,
user and judge in clear text (`info.*.llm_args.api_key`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from .. import redact

SETTINGS = ("metadata.yaml", "run_config.yml", "config.yml")
MOST_SETTINGS = 8 << 20
MOST_RESULTS = 1 << 30
"""Bytes of a file of results that is looked through for keys; a larger one is left out."""
_KEY = re.compile(rb'("[A-Za-z_]*api_?key"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_MASKED = rb'\1"' + redact.MASK.encode() + b'"'
_NAMED = re.compile(rb"api_?key", re.IGNORECASE)


def stage(artifacts: Path, place: Path) -> Path:
    """A copy of a task's artifacts without its secrets and links; what has none is the same file (a hard link), not a second one.

    Args:
        artifacts: The task's own directory, which is not changed.
        place: A directory that does not exist yet, on the same file system where possible.
    """
    from nemo_evaluator_launcher.exporters.utils import get_copytree_ignore

    unwanted = get_copytree_ignore()

    def left_out(folder: str, names: list[str]) -> set[str]:
        # A link may lead anywhere on this machine, and what it leads to would be uploaded.
        return {*unwanted(folder, names), *(name for name in names if Path(folder, name).is_symlink())}

    shutil.copytree(artifacts, place, ignore=left_out, copy_function=_link)
    for name in SETTINGS:
        _mask_settings(place / name)
    for file in place.rglob("*.json"):
        _mask_keys(file)
    return place


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _mask_settings(file: Path) -> None:
    """Mask what stands under a secret's name; a file that cannot be read as settings is left out."""
    if not file.is_file():
        return
    masked: Any = None
    with contextlib.suppress(OSError, ValueError, yaml.YAMLError, RecursionError):
        if file.stat().st_size <= MOST_SETTINGS:
            found = yaml.safe_load(file.read_text(encoding="utf-8"))
            masked = redact.redact_config(found)
            if masked == found:
                return
    file.unlink()
    if masked is not None:
        file.write_text(yaml.safe_dump(masked, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _mask_keys(file: Path) -> None:
    if file.stat().st_size > MOST_RESULTS:
        file.unlink()
        return
    raw = file.read_bytes()
    if not _NAMED.search(raw):
        return
    masked = _KEY.sub(_MASKED, raw)
    if masked != raw:
        # Written anew, not over: it may be the same file as the original.
        file.unlink()
        file.write_bytes(masked)
