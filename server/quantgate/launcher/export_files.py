"""The files of a task as they may leave this machine: the originals, but for links and for secrets that are known by their value,
stand in settings or under `api_key`. What is packed (`.gz`, parquet) is not looked into.

NEL 0.2.6 uploads the files as they lie there. metadata.yaml holds the whole config, and tau2's results hold the API keys of agent,
user and judge in clear text (`info.*.llm_args.api_key`).
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from .. import redact

SETTINGS = ("metadata.yaml", "run_config.yml", "config.yml")
MOST_SETTINGS = 8 << 20
MOST_BYTES = 1 << 30
"""Of a file in which a secret is to be masked; a larger one is left out."""
_KEY = re.compile(rb'("[A-Za-z_]*api_?key"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
_MASKED = rb'\1"' + redact.MASK.encode() + b'"'
_NAMED = re.compile(rb"api_?key", re.IGNORECASE)
_JSON = (".json", ".jsonl")


def stage(folder: Path, place: Path) -> Path:
    """A copy of a task's artifacts or logs without secrets and links; what has none is the same file (a hard link).

    Args:
        folder: The task's own directory, which is not changed.
        place: A directory that does not exist yet, on the same file system where possible.
    """
    from nemo_evaluator_launcher.exporters.utils import get_copytree_ignore

    unwanted = get_copytree_ignore()

    def left_out(below: str, names: list[str]) -> set[str]:
        # A link may lead anywhere on this machine, and what it leads to would be uploaded.
        return {*unwanted(below, names), *(name for name in names if not _is_plain(Path(below, name)))}

    shutil.copytree(folder, place, ignore=left_out, copy_function=_link)
    known = [form for value in redact.known_values() for form in {value.encode(), json.dumps(value)[1:-1].encode()}]
    for file in [found for found in place.rglob("*") if found.is_file()]:
        if file.name in SETTINGS:
            _mask_settings(file)
        if file.exists() and file.stat().st_size:
            _mask(file, known)
    return place


def _is_plain(path: Path) -> bool:
    return not path.is_symlink() and (path.is_dir() or path.is_file())


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


def _mask(file: Path, known: list[bytes]) -> None:
    """Mask the known secrets, and what stands under `api_key` in JSON; what is no text and holds one is left out."""
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as view:
        held = [value for value in known if view.find(value) >= 0]
        named = file.suffix in _JSON and _NAMED.search(view)
        if not held and not named:
            return
        raw = view[:] if len(view) <= MOST_BYTES and view.find(b"\0") < 0 else None
    # Written anew, not over: it may be the same file as the original.
    file.unlink()
    if raw is not None:
        for value in held:
            raw = raw.replace(value, redact.MASK.encode())
        file.write_bytes(_KEY.sub(_MASKED, raw) if named else raw)
