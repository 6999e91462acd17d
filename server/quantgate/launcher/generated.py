"""The scripts that a dry run generated, made fit to be kept: nothing in base64, no path of the private directory, redacted.

NEL 0.2.6 writes plaintext secrets (`.secrets.env`) beside them: what is not named here is not read.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .. import redact

SCRIPTS = ("run.sub", "run.sh", "run_all.sequential.sh", "command.sh", "proxy.cfg.template")
"""Files of NEL's executors and of ours that say what would run."""

MAX_FILES = 200
MAX_FILE_CHARACTERS = 512 << 10
MAX_CHARACTERS = 8 << 20

_CUT = "\n# … cut here\n"
# NEL passes files into a container as `echo "<base64>" | base64 -d > NAME`.
_PASSED = re.compile(r'echo "(?P<blob>[A-Za-z0-9+/=]*)" \| base64 -d > (?P<name>[^\s&|;]+)')
_BLOB = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_LONG = 200
_PART = re.compile(r"[\w.\-]+")


@dataclass(frozen=True)
class GeneratedFile:
    """One generated text.

    Attributes:
        name: Its path below the invocation's directory (`ifbench.ifbench.0/command.sh`).
        text: Redacted, and cut to `MAX_FILE_CHARACTERS`.
    """

    name: str
    text: str


def collect(directory: Path, output_dir: str) -> tuple[GeneratedFile, ...]:
    """The generated scripts below a dry run's directory, and the files that they hold in base64, each as a text of its own.

    Args:
        directory: What NEL got as its output directory.
        output_dir: What stands for it in the texts.
    """
    files: dict[str, str] = {}
    for path in _scripts(directory):
        name = "/".join(path.relative_to(directory).parts[1:])
        text = path.read_text(encoding="utf-8", errors="replace")
        if len(path.relative_to(directory).parts) > 2:
            files.update(_passed_files(name.rpartition("/")[0], text))
        files[name] = _PASSED.sub(_note, text)
    kept: list[GeneratedFile] = []
    left = MAX_CHARACTERS
    for name, text in sorted(files.items())[:MAX_FILES]:
        # Redacted before it is cut: half a secret is one too.
        readable = redact.redact(_BLOB.sub(_unfolded, text.replace(str(directory), output_dir)))
        limit = min(MAX_FILE_CHARACTERS, left)
        kept.append(GeneratedFile(name, readable if len(readable) <= limit else readable[:limit] + _CUT))
        left = max(0, left - len(readable))
    return tuple(kept)


def _scripts(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        # One folder for the invocation, and at most one for the task below it.
        depth = len(path.relative_to(directory).parts)
        if path.name in SCRIPTS and depth in {2, 3} and path.is_file() and not path.is_symlink():
            yield path


def _passed_files(folder: str, text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _PASSED.finditer(text):
        name = match["name"].rpartition("/")[2]
        inner = _decoded(match["blob"])
        if inner and _PART.fullmatch(name) and not name.startswith("."):
            found[f"{folder}/{name}"] = inner
    return found


def _note(match: re.Match[str]) -> str:
    return f'echo "<{len(match["blob"])} characters of base64>" | base64 -d > {match["name"]}'


def _unfolded(match: re.Match[str]) -> str:
    """Any other base64: a long one says nothing to a reader, a short one may hold a secret."""
    inner = _decoded(match[0])
    if len(match[0]) >= _LONG or (inner and redact.redact(inner) != inner):
        return f"<{len(match[0])} characters of base64>"
    return match[0]


def _decoded(blob: str) -> str:
    try:
        return base64.b64decode(blob, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
