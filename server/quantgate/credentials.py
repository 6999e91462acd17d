"""Where a credential comes from: the server's environment, else `.env` beside the config, else `.env` of the workspace.

The key of Weights & Biases may also be where `wandb login` leaves it, for a config that says `host:WANDB_API_KEY`.

For a config that was compiled from another file, the `.env` beside that file counts too: its own folder was made by quantgate.

Answers name where a variable was found, never its value. Trust switches count only from the server's own environment: an
agent can write a `.env` file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from . import origins, redact, wandb_login, workspace
from .errors import BadInput
from .system.files import open_plain

TRUST_SWITCHES = frozenset({"NEMO_EVALUATOR_TRUST_PRE_CMD", "NEMO_EVALUATOR_TRUST_UNLISTED_TASKS"})
_STEERS_PROGRAMS = re.compile(
    r"PATH|HOME|SHELL|IFS|ENV|BASH.*|SHELLOPTS|PROMPT_COMMAND|PS4|LD_.*|DYLD_.*|GCONV_PATH|PYTHON.*|PERL.*|RUBY.*|NODE_.*|PIP_.*"
    r"|VIRTUAL_ENV|NEMO_EVALUATOR_(?:TRUST|EXEC_DB).*|QUANTGATE_.*",
    re.IGNORECASE,
)
_WHERE_KEYS_GO = frozenset({"NETRC", "WANDB_BASE_URL"})
"""Whoever writes a `.env` file must not choose which key of netrc is taken, and for which host."""
MAX_ENV_FILE = 1 << 20
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WANDB_BY_NAME = re.compile(rf"host:{wandb_login.KEY}\b")


@dataclass(frozen=True)
class Found:
    """One variable: whether it is set, and in which place it was found (never its value)."""

    name: str
    set: bool
    found_in: str


def env_places(config: Path | None) -> list[Path]:
    """Where `.env` files count for a config, in the order in which they are asked, whether they are there or not."""
    places = [config.resolve().parent / ".env"] if config else []
    source = origins.source_of(config) if config else None
    if source is not None:
        places.append(source.parent / ".env")
    places.append(workspace.workspace_root() / ".env")
    return list(dict.fromkeys(places))


def env_files(config: Path | None) -> list[Path]:
    """The `.env` files that there are for a config, in the order in which they are asked; no file twice."""
    return [place for place in env_places(config) if place.is_file()]


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of one `.env` file, without interpolation; secret values are registered for redaction.

    Raises:
        BadInput: The file cannot be read, is over 1 MiB, or is not UTF-8.
    """
    try:
        with open_plain(path) as file:
            raw = file.read(MAX_ENV_FILE + 1)
        if len(raw) > MAX_ENV_FILE:
            raise BadInput(f"{path} is too large for a .env file", fix="keep only NAME=value lines in it")
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"Cannot read {path}: {type(error).__name__}", fix="make it a readable UTF-8 text file"
        ) from None
    values = {k: v for k, v in dotenv_values(stream=StringIO(text), interpolate=False).items() if v is not None}
    redact.register(values)
    return values


def steers_programs(name: str) -> bool:
    """Whether a variable of this name can make a program load or run something else (`LD_PRELOAD`, `BASH_ENV`, `PATH` …)."""
    return bool(_STEERS_PROGRAMS.fullmatch(name))


def _of_a_file(values: Mapping[str, str]) -> dict[str, str]:
    """What may come from a `.env` file: nothing that steers programs, no trust switch, and nothing that says where keys go."""
    return {n: v for n, v in values.items() if not steers_programs(n) and n not in _WHERE_KEYS_GO}


def environment(config: Path) -> dict[str, str]:
    """The environment for a child that launches this config: the server's own, with gaps filled from `.env` files.

    From a file come only variables that the config names, and of these as `_of_a_file`: an agent can write both files. The
    key of `wandb login` comes last.
    """
    text = config.read_text(encoding="utf-8", errors="replace")
    named = set(_IDENTIFIER.findall(text))
    merged: dict[str, str] = {}
    files = [read_env_file(file) for file in reversed(env_files(config))]
    for values in files:
        merged.update({n: v for n, v in _of_a_file(values).items() if n in named})
    merged.update({n: v for n, v in os.environ.items() if v or n not in merged})
    if not merged.get(wandb_login.KEY) and (key := _wandb(text, files).key):
        merged[wandb_login.KEY] = key
    return merged


def _wandb(text: str, env_file_values: Iterable[Mapping[str, str]]) -> wandb_login.Login:
    """What `wandb login` left for a config with this text: nothing when a `.env` file would send the key to another host.

    The process's own environment says which file and which host's entry.
    """
    steered = any(_WHERE_KEYS_GO & values.keys() for values in env_file_values)
    return wandb_login.find(os.environ) if _WANDB_BY_NAME.search(text) and not steered else wandb_login.Login()


class Filled(MutableMapping[str, str]):
    """This process's environment with gaps filled from the `.env` files of a config; what is set stays in here.

    For lookups by a name that the config gives.

    Args:
        config: The file as the user wrote it.

    Raises:
        BadInput: As `read_env_file`.
    """

    def __init__(self, config: Path) -> None:
        self._gaps: dict[str, str] = {}
        self._set: dict[str, str] = {}
        for file in reversed(env_files(config)):
            self._gaps.update(_of_a_file(read_env_file(file)))

    def __getitem__(self, name: str) -> str:
        return self._set.get(name) or os.environ.get(name) or self._gaps.get(name) or os.environ[name]

    def __setitem__(self, name: str, value: str) -> None:
        self._set[name] = value

    def __delitem__(self, name: str) -> None:
        del self._set[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._gaps, **os.environ, **self._set})

    def __len__(self) -> int:
        return len(list(iter(self)))


def locate(names: Iterable[str], config: Path | None = None) -> list[Found]:
    """For each name, where its value would come from; `found_in` is empty when it is not set anywhere."""
    files = [(file, read_env_file(file)) for file in env_files(config)]
    found: list[Found] = []
    for name in names:
        if os.environ.get(name):
            found.append(Found(name, True, "environment"))
            continue
        place = next((str(f) for f, values in files if _of_a_file(values).get(name)), "")
        if not place and name == wandb_login.KEY and config is not None and config.is_file():
            text = config.read_text(encoding="utf-8", errors="replace")
            place = _wandb(text, [values for _, values in files]).found_in
        found.append(Found(name, bool(place), place))
    return found
