"""Rules about secrets: commands that print them, values in the file, and files that others can read."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from ... import redact
from ...checkpoint.source import expanded
from .. import paths
from ..paths import Segment
from .environment import variables_of
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

OWN = "quantgate: a config is shared, copied into run directories and exported"
_TRACE = re.compile(
    r"(?:^|[\s;&|(])(?:set\s+(?:-\w+\s+){0,5}(?:-o\s+xtrace|-[a-wyz]*x[a-z]*\b)|(?:ba|z|k)?sh\s+-[a-wyz]*x[a-z]*\b)"
)
_DUMP = re.compile(
    r"(?:^|[;&|(\n])[ \t]*(?:printenv\b|export\s+-p\b|declare\s+-[xp]\b|(?:env|set)[ \t]*(?:$|[;&|>\n]))"
)
_FILE = re.compile(
    r"(?:^|[;&|(\n\s])(?:cat|less|more|head|tail|strings|xxd|base64|grep)[ \t][^;&|\n]{0,200}?"
    r"(?:\.netrc|(?<=[/\s\"'])\.env\b|\.secrets\.env|/\.ssh/id_|[/.]credentials\b|\.docker/config\.json|huggingface/token"
    r"|\.git-credentials)"
)
_ECHO = re.compile(
    r"(?:echo|printf|tee|logger)\b[^;&|\n$]{0,200}\$\{?(?P<name>[A-Za-z_]\w{0,100})[^;&|\n]{0,200}(?P<then>\|?)"
)
_RANDOM = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])[A-Za-z0-9_\-+/=.]{16,}")
_RUNS_LOOKED_AT = 200


def _commands(subject: Subject) -> Iterator[tuple[str, str]]:
    places: list[tuple[Segment, ...]] = [("deployment", key) for key in ("command", "pre_cmd", "extra_args")]
    places += [("evaluation", key) for key in ("pre_cmd", "post_cmd")]
    places += [("evaluation", "tasks", task.index, key) for task in subject.tasks for key in ("pre_cmd", "post_cmd")]
    places += [
        ("auxiliary_deployments", str(n), k)
        for n in as_mapping(subject.at("auxiliary_deployments"))
        for k in ("command", "pre_cmd")
    ]
    places.append(("execution", "auto_export", "launcher_install_cmd"))
    for place in places:
        value = subject.at(*place)
        if isinstance(value, str):
            yield paths.join(place), value


def printed_secret(subject: Subject) -> Iterable[Hit]:
    """A command that writes secrets into a log."""
    for path, command in _commands(subject):
        why = _prints(command)
        if why:
            yield Hit(path, f"{path} {why}: secrets get into the log", cause="T38")


def _prints(command: str) -> str:
    if _TRACE.search(command):
        return "traces its commands (set -x or sh -x)"
    if _DUMP.search(command):
        return "prints the whole environment"
    if _FILE.search(command):
        return "prints a file with credentials"
    # What goes into a pipe, such as a login that reads a password, is not printed.
    shown = next((m["name"] for m in _ECHO.finditer(command) if not m["then"] and redact.is_secret_name(m["name"])), "")
    return f"prints ${shown[:60]}" if shown else ""


def secret_in_file(subject: Subject) -> Iterable[Hit]:
    """A secret that stands in the config itself."""
    for path, name, value in variables_of(subject):
        constant = value.removeprefix("lit:")
        looks = redact.is_secret_name(name) and _RANDOM.fullmatch(constant)
        if value.startswith("lit:") and (looks or redact.redact(constant) != constant):
            message = f"{path} holds a secret as a constant (not shown)"
            yield Hit(path, message, f"write host:{name}, keep the value in `.env`, and take this key for compromised")
    for at, value in paths.walk(subject.written):
        if (
            isinstance(value, str)
            and "env_vars" not in at
            and not value.startswith(("host:", "lit:"))
            and _is_secret(at, value)
        ):
            path = paths.join(at)
            yield Hit(
                path,
                f"{path} holds what looks like a secret (not shown)",
                "keep it in `.env` and name its variable here",
            )


def key_in_command(subject: Subject) -> Iterable[Hit]:
    """The server's own key as a word of its command, which every log of the job shows."""
    for key in ("command", "extra_args"):
        value = paths.dig(subject.written, "deployment", key)
        if isinstance(value, str) and _SERVER_KEY.search(value):
            path = f"deployment.{key}"
            fix = "write --api-key $NAME, and NAME: host:NAME under deployment.env_vars"
            yield Hit(path, f"{path} holds the server's key (not shown)", fix, cause="P10.key")


_SERVER_KEY = re.compile(r"(?<![\w-])--api[-_]key[ =]+[\"']?(?![\"'$\s<-])\S")


def _is_secret(at: tuple[Segment, ...], value: str) -> bool:
    name = str(at[-1]) if at else ""
    if name in ("api_key", "api_key_name"):
        return False  # C11 and T03 look at these
    return redact.redact(value) != value and "${" not in value


def readable_secrets(subject: Subject) -> Iterable[Hit]:
    """Files with plain secrets of earlier runs that others can read."""
    value = subject.at("execution", "output_dir")
    if subject.composed.executor not in ("local", "process") or not isinstance(value, str) or "???" in value:
        return
    found = list(_readable_secret_files(expanded(value)))
    if found:
        message = f"{len(found)} files with plain secrets under {value[:80]} are readable by others, such as {found[0]}"
        fix = f"chmod 600 them, or remove those of dry runs: find {value[:80]} -name .secrets.env -delete"
        yield Hit("execution.output_dir", message, fix, cause="S14")


def _readable_secret_files(directory: Path) -> Iterator[Path]:
    """`.secrets.env` that others can read, of the first runs that the directory lists, two levels down as NEL writes them."""
    with contextlib.suppress(OSError, ValueError):
        runs = [entry for _, entry in zip(range(_RUNS_LOOKED_AT), os.scandir(directory), strict=False)]
        for run in runs:
            files = Path(run.path).glob("*/.secrets.env") if run.is_dir(follow_symlinks=False) else ()
            yield from (file for file in files if _others_read(file))


def _others_read(file: Path) -> bool:
    try:
        mode = file.stat().st_mode
    except OSError:  # of a dry run that has just ended
        return False
    return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))


RULES = (
    Rule(
        "P10",
        "error",
        "Secret in the config",
        "keep it in `.env` and write host:NAME",
        OWN,
        lambda s: (*secret_in_file(s), *key_in_command(s)),
    ),
    Rule("T38", "error", "Command that prints secrets", "remove it", FACTS, printed_secret),
    Rule(
        "S14",
        "warning",
        "Readable files with secrets",
        "tighten their mode",
        FACTS,
        readable_secrets,
    ),
)
