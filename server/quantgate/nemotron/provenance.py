"""The snapshots of a launch: job.yaml, what was given, and eval.yaml, which is the very file that the launcher reads."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from .. import origins
from ..errors import ConfigError, StorageError
from ..evalconfig import atomic_file
from ..evalconfig.document import located
from .change import Config
from .compiling import Compiled

FOLDER = Path(".nemotron") / "jobs"
LAUNCHED = "launched.yaml"
MARK = "# Compiled by quantgate"
MOST_IN_ONE_SECOND = 1000


@dataclass(frozen=True)
class Saved:
    """Where the snapshots lie."""

    launcher_config: Path
    job_config: Path


def save(compiled: Compiled, output: str = "", base: Path | None = None) -> Saved:
    """Save both snapshots, before anything is launched.

    Args:
        compiled: What was compiled; a config with a secret in it was refused before.
        output: The launcher config's file; job.yaml gets its name with `.job` before the ending. Empty: both go into
            `.nemotron/jobs/<YYYYmmdd-HHMMSS>-<recipe>/`, so that a baseline and a later run lie side by side.
        base: The directory in which `.nemotron` lies; None for the working directory.

    Raises:
        ConfigError: `output` does not end in .yaml, or is a file that was not compiled here.
        StorageError: They cannot be written.
    """
    if output:
        launcher = located(output)
        if launcher.suffix != ".yaml":
            raise ConfigError("`output` must end in .yaml: NEL reads no other file", where=str(launcher))
        job = launcher.with_name(f"{launcher.stem}.job.yaml")
        for file in (launcher, job):
            _refuse_foreign(file)
        _make(launcher.parent)
    else:
        folder = _new_folder((base or Path.cwd()) / FOLDER, compiled.name)
        launcher, job = folder / "eval.yaml", folder / "job.yaml"
    atomic_file.replace(job, _text(compiled.job_config, compiled, "what was given, with its profile"), expected=None)
    atomic_file.replace(launcher, _text(compiled.launcher_config, compiled, "what the launcher gets"), expected=None)
    _note_source(launcher, compiled.source)
    return Saved(launcher, job)


def note_launch(saved: Saved, kind: str, invocation_id: str) -> None:
    """Write the id of a run that was launched from a snapshot beside it, so that the folder names its runs.

    Raises:
        StorageError: It cannot be written.
    """
    file = saved.launcher_config.with_name(LAUNCHED)
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(f"{kind}: {invocation_id}\n")
    except OSError as error:
        raise StorageError(f"Cannot write {file.name}: {error.strerror}", where=str(file)) from None


def _note_source(launcher: Path, source: Path) -> None:
    """Keys are looked for beside the user's own file too, and not only beside the snapshot."""
    try:
        origins.remember(launcher, source)
    except OSError as error:
        raise StorageError(
            f"Cannot note where a config comes from: {error.strerror}", where=str(launcher), fix="see QUANTGATE_HOME"
        ) from None


def _text(config: Config, compiled: Compiled, what: str) -> bytes:
    source = " ".join(str(compiled.source).split())
    body = yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"{MARK} from {source}: {what}.\n{body}".encode()


class _Dumper(yaml.SafeDumper):
    """Quotes also the texts that are numbers to OmegaConf, or in YAML 1.2, and not to this library: `12345e67`, `0o17`."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?\Z|0o[0-7]+\Z"),
    list("-+.0123456789"),
)


def _refuse_foreign(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            ours = opened.read(len(MARK)) == MARK.encode()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"Cannot read {file.name}: {error.strerror}", where=str(file)) from None
    if not ours:
        raise ConfigError(
            "`output` is a file that was not compiled here; it was left alone", where=str(file), fix="name a new file"
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_made(folder, error) from None


def _not_made(folder: Path, error: OSError) -> StorageError:
    return StorageError(
        f"Cannot make the folder of the snapshots: {error.strerror}",
        where=str(folder),
        fix="make it writable, or start in another directory",
    )


def _new_folder(jobs: Path, name: str) -> Path:
    """A folder of its own, also for two launches within one second."""
    _make(jobs)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1, MOST_IN_ONE_SECOND):
        folder = jobs / (f"{stamp}-{name}" if number == 1 else f"{stamp}-{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_made(folder, error) from None
        return folder
    raise StorageError("Too many launches within one second", where=str(jobs))
