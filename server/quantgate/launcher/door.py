"""The door to NEL: everything that launches or dry-runs goes through a child process of ours.

The child has its own process group, a time limit, the secrets in its environment only, and no state left from an earlier call.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .. import children, errors, redact, scratch
from ..errors import LauncherError, NoAnswer
from ..system import processes
from . import commands, execdb, generated, here, launch_lock, stamp

DRY_RUN_SECONDS = 120.0
LAUNCH_SECONDS = 300.0
TAIL_LINES = 40
TAIL_CHARACTERS = 4000
HIDDEN = "<output_dir>"
"""Stands for a dry run's private directory in what is shown of it."""

# NEL's own masking leaves the last four characters of a secret.
_LAST_FOUR = re.compile(r"\*\*\*[^\s\"']{1,4}(?=[\"'\s]|$)")
# NEL passes its config to the container in base64; nobody reads that.
_BASE64 = re.compile(r"[A-Za-z0-9+/]{200,}={0,2}")


@dataclass(frozen=True)
class Answer:
    """What NEL said.

    Attributes:
        invocation_id: The id of the invocation; ours, as handed in.
        output_tail: The last lines that NEL printed, redacted.
        output: All that it printed, redacted.
        scripts: Of a dry run: what it generated, redacted.
    """

    invocation_id: str
    output_tail: str
    output: str
    scripts: tuple[generated.GeneratedFile, ...] = ()


def new_invocation_id() -> str:
    """A fresh invocation id of NEL's form: 16 hexadecimal digits."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Request:
    """What NEL is asked to do.

    Attributes:
        config: The launcher config.
        output_dir: Replaces the config's own; absolute.
        limit: Samples per task; 0 for all.
        tasks: Tasks to keep; empty for all.
        invocation_id: Chosen by us; the caller has already written it down.
        digest: `composition.digest` that the composed config must have; empty for any.
        trusted: What a person allowed the child to do.
        stamp: Laid into the run's directory before anything starts; None for a dry run.
        lock: Descriptor of the launch lock (`launch_lock.taken`), which the child inherits; -1 for none.
        directory: For a resume, the invocation's directory; None for others.
        again: For a resume, the names of the task directories to run again.
        address: For a cluster, the `user@host` that NEL's ssh gets; empty for others.
        comment: For a cluster, what its jobs carry in their comment.
    """

    config: Path
    output_dir: Path
    invocation_id: str
    limit: int = 0
    tasks: Sequence[str] = ()
    digest: str = ""
    trusted: commands.Trusted = commands.Trusted()  # noqa: RUF009 - frozen
    stamp: stamp.Stamp | None = None
    lock: int = -1
    directory: Path | None = None
    again: Sequence[str] = ()
    address: str = ""
    comment: str = ""


def dry_run(config: Path, env: Mapping[str, str], digest: str = "") -> Answer:
    """NEL's own dry run of a config, with its scripts written to a private directory that is wiped.

    Args:
        config: The launcher config.
        env: The child's environment.
        digest: `composition.digest` that the composed config must have; empty for any.

    Raises:
        LauncherError: NEL refused the config, or did not answer in time.
    """
    with scratch.private_directory() as private:
        request = Request(config, private, new_invocation_id(), digest=digest)
        answer = _ask("dry_run", request, env, DRY_RUN_SECONDS, hide=str(private))
        return replace(answer, scripts=generated.collect(private, HIDDEN))


def launch(request: Request, env: Mapping[str, str]) -> Answer:
    """Launch a config.

    Raises:
        LauncherError: NEL refused, failed or did not answer in time; the caller must then look whether the run exists.
    """
    here.require_launches()
    return _ask("launch", request, env, LAUNCH_SECONDS)


def resume(request: Request, env: Mapping[str, str]) -> Answer:
    """Take some tasks of an invocation up again, in its directory; the caller made sure that nothing of it runs.

    Args:
        request: As at the launch, with `directory` and `again`.
        env: The child's environment.

    Raises:
        LauncherError: NEL refused, failed or did not answer in time; the caller must then look whether they run.
    """
    here.require_launches()
    return _ask("resume", request, env, LAUNCH_SECONDS)


def _ask(verb: str, request: Request, env: Mapping[str, str], seconds: float, hide: str = "") -> Answer:
    with scratch.private_directory() as folder:
        answer_file = folder / "answer.json"
        message = {
            "verb": verb,
            "config": str(request.config.resolve()),
            "output_dir": str(request.output_dir),
            "limit": request.limit,
            "tasks": list(request.tasks),
            "invocation_id": request.invocation_id,
            "digest": request.digest,
            "trusted": asdict(request.trusted),
            "stamp": request.stamp.as_json() if request.stamp else None,
            "answer": str(answer_file),
            "seconds": seconds,
            "parent": os.getpid(),
            "directory": str(request.directory or ""),
            "again": list(request.again),
            "address": request.address,
            "comment": request.comment,
        }
        finished = children.run(
            # -P: a module of that name in the working directory must not stand in for a package.
            [sys.executable, "-P", "-m", "quantgate.launcher.child"],
            stdin=json.dumps(message).encode(),
            env=_child_environment(env, request.lock),
            seconds=seconds,
            pass_fds=(request.lock,) if request.lock >= 0 else (),
        )
        redact.register(env)
        output = redact.redact(finished.output.replace(hide, HIDDEN) if hide else finished.output)
        output = _LAST_FOUR.sub("***", output)
        if finished.timed_out:
            raise NoAnswer(f"NEL did not answer within {seconds:.0f} s ({verb})", fix=_last_words(output))
        if not answer_file.is_file():
            raise NoAnswer(
                f"The process that talks to NEL ended with status {finished.returncode}", fix=_last_words(output)
            )
        answer = json.loads(answer_file.read_text(encoding="utf-8"))
        _raise_if_refused(answer, verb)
        if verb == "launch" and answer.get("invocation_id") != request.invocation_id:
            raise NoAnswer(
                f"NEL started the run as {str(answer.get('invocation_id'))[:60]}, not under the id that it was given",
                fix="look for it in the output directory; this version of NEL is not one that quantgate knows",
            )
        return Answer(request.invocation_id, tail(output), output)


def _child_environment(env: Mapping[str, str], lock: int) -> dict[str, str]:
    # Telemetry is NEL's and on by default; here it is off unless the user chose a level.
    ours = {"NEMO_EVALUATOR_TELEMETRY_LEVEL": "0", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    return {**ours, **env, **processes.home_variables(execdb.home()), launch_lock.VARIABLE: str(lock)}


def _raise_if_refused(answer: dict[str, Any], verb: str) -> None:
    if answer["ok"]:
        return
    if "what" in answer:
        kind = getattr(errors, answer["class"], LauncherError)
        if kind is errors.UnknownName:
            kind = errors.BadInput
        raise kind(
            redact.redact(answer["what"]), where=redact.redact(answer["where"]), fix=redact.redact(answer["fix"])
        )
    text = redact.redact(answer["error"]).strip() or answer["class"]
    raise LauncherError(
        f"NEL's {verb.replace('_', ' ')} failed: {text[:1500]}",
        fix="mend the config where the message points and try again",
    )


def _last_words(output: str) -> str:
    return "the last of its output: " + " | ".join(output.strip().splitlines()[-3:])[:600]


def tail(output: str) -> str:
    """The last lines of an output, at most `TAIL_LINES` and `TAIL_CHARACTERS`."""
    readable = _BASE64.sub(lambda blob: f"<{len(blob[0])} characters of base64>", output)
    return "\n".join(readable.rstrip().splitlines()[-TAIL_LINES:])[-TAIL_CHARACTERS:]
