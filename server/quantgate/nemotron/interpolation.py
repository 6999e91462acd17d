"""Writing out `${…}` that the launcher could not resolve: what refers to `run`, to a Nemotron-only key or to an artifact.

Everything else (`${deployment.port}`, relative references) stays as it is written: NEL's own composition resolves it, with
its packaged defaults below. Only what is used is resolved; a reference in `run` that nobody reads costs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .. import redact
from ..errors import ConfigError, QuantgateError
from ..evalconfig import paths
from ..evalconfig.paths import Segment
from .change import Change, Config, Staged, copied

NEMOTRON_ONLY = ("run", "dry_run", "output_dir", "task_filters")
"""Top-level keys that the launcher must not see."""
MAX_CHARACTERS = 200_000
MAX_STEPS = 1_000
_INNERMOST = re.compile(r"(?<!\\)\$\{(?P<body>[^${}]*)\}")
_OPENED = re.compile(r"(?<!\\)\$\{")
_KEY = re.compile(r"[A-Za-z_][\w\-]*(?:\.[\w\-]+|\[\d+\])*")


class ArtifactResolver(Protocol):
    """Where artifacts come from."""

    def resolve(self, reference: str, field: str) -> str:
        """The value of an artifact's field, such as the path of its files.

        Args:
            reference: Such as `rl:latest`.
            field: Such as `path`.

        Raises:
            QuantgateError: It cannot be told, in one line.
        """


@dataclass
class Interpolator:
    """Resolves references into `whole`; each artifact is asked for once.

    Attributes:
        whole: The config with `run`.
        artifacts: None: a reference to an artifact stays as it is written.
        environment: What `${oc.env:…}` reads.
        source: The config's file, for messages.
        asked: Artifacts that were resolved, with their values.
    """

    whole: Config
    artifacts: ArtifactResolver | None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    source: str = ""
    asked: dict[tuple[str, str], str] = field(default_factory=dict)

    def written_out(self, value: Any, at: tuple[Segment, ...], chain: tuple[str, ...] = ()) -> Any:
        """A value with its references into `run` and to artifacts written out.

        Raises:
            ConfigError: A reference leads nowhere, to itself, or to a variable that is not set.
            QuantgateError: An artifact cannot be resolved.
        """
        if isinstance(value, dict):
            return {key: self.written_out(child, (*at, key), chain) for key, child in value.items()}
        if isinstance(value, list):
            return [self.written_out(child, (*at, index), chain) for index, child in enumerate(value)]
        return self._text(value, at, chain) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, at: tuple[Segment, ...], chain: tuple[str, ...]) -> Any:
        position = steps = 0
        while match := _INNERMOST.search(text, position):
            steps += 1
            if steps > MAX_STEPS:
                raise self._error("it has too many references", at)
            known, value = self._reference(match["body"].strip(), at, chain)
            if not known:
                # It stays; what is around it cannot be resolved before NEL has resolved it.
                position = match.end()
                continue
            if match.span() == (0, len(text)):
                return value
            if isinstance(value, dict | list):
                raise self._error(f"${{{match['body']}}} is a section, and stands inside a text", at)
            if value is None:
                raise self._error(f"${{{match['body']}}} is null, and stands inside a text", at)
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            text = text[: match.start()] + shown + text[match.end() :]
            # What a value brings is resolved already; only a reference around this one is still open.
            position = 0 if "${" in text[: match.start()] else match.start() + len(shown)
            if len(text) > MAX_CHARACTERS:
                raise self._error("it expands without bounds", at)
        if len(_OPENED.findall(text)) > text.count("}"):
            raise self._error("a ${ in it is not closed", at, "close it with }, or write \\${ for a plain ${")
        return text

    def _reference(self, body: str, at: tuple[Segment, ...], chain: tuple[str, ...]) -> tuple[bool, Any]:
        """Whether a reference is one of ours, and its value."""
        if body.startswith("oc.env:"):
            return self._variable(body.removeprefix("oc.env:"), at)
        if body.startswith("art:"):
            return self._artifact(body.removeprefix("art:"), at, chain)
        if not _KEY.fullmatch(body) or re.split(r"[.\[]", body)[0] not in NEMOTRON_ONLY:
            return False, None
        if body in chain:
            raise self._error("it refers to itself: " + " → ".join((*chain, body)), at)
        segments = [int(s) if isinstance(s, str) and s.isdecimal() else s for s in paths.parse(body)]
        container: Any = paths.dig(self.whole, *segments[:-1]) if len(segments) > 1 else self.whole
        if not paths.has(container, segments[-1]):
            raise self._error(f"${{{body}}} leads nowhere", at)
        value = paths.dig(container, segments[-1])
        if value == "???":
            raise self._error(f"${{{body}}} is not given yet", at, f"give {body}=…, or set it in the env.toml profile")
        return True, copied(self.written_out(value, at, (*chain, body)))

    def _variable(self, body: str, at: tuple[Segment, ...]) -> tuple[bool, Any]:
        """`${oc.env:V}`: written out, so that the snapshot is complete; but for variables of jobs, and for secrets."""
        name, comma, default = (part.strip() for part in body.partition(","))
        if "env_vars" in at or redact.is_secret_name(name):
            return False, None
        value = self.environment.get(name)
        if value is not None:
            if redact.redact(value) != value:
                return False, None
            return True, value
        if comma:
            return True, None if default == "null" else default.strip("'\"")
        raise self._error(f"the environment variable {name} is not set", at, f"export {name}=…, or write the value out")

    def _artifact(self, body: str, at: tuple[Segment, ...], chain: tuple[str, ...]) -> tuple[bool, Any]:
        key, _, named = (part.strip() for part in body.partition(","))
        wanted = named or "path"
        if not key:
            raise self._error(f"${{art:{body}}} names no artifact", at, "write ${art:model,path}")
        if self.artifacts is None:
            return False, None
        run = self.whole.get("run")
        if not isinstance(run, dict) or run.get(key) is None:
            raise self._error(
                f"${{art:{body}}} names run.{key[:80]}, which is not given", at, f"give run.{key[:80]}=NAME:VERSION"
            )
        reference = self.written_out(run[key], at, (*chain, f"run.{key}"))
        if not isinstance(reference, str):
            raise self._error(f"run.{key} is no artifact's name", at, "write NAME:VERSION, such as rl:latest")
        if (reference, wanted) not in self.asked:
            self.asked[reference, wanted] = self.artifacts.resolve(reference, wanted)
        return True, self.asked[reference, wanted]

    def _error(self, why: str, at: tuple[Segment, ...], fix: str = "") -> QuantgateError:
        return ConfigError(
            f"The interpolation at {paths.join(at)} cannot be resolved: {why}",
            where=self.source,
            fix=fix or "correct the ${…}, or write the value out",
        )


def resolve(config: Config, interpolator: Interpolator) -> Staged:
    """Write references out in everything but `run`, which is only read from.

    Raises:
        ConfigError, QuantgateError: As `Interpolator.written_out`.
    """
    result: Config = {}
    for key, value in config.items():
        result[key] = copied(value) if key == "run" else interpolator.written_out(value, (key,))
    changes = [
        Change(f"${{art:…}}: {reference} ({name}) is {redact.redact(value)[:300]}", "the launcher knows no artifacts")
        for (reference, name), value in interpolator.asked.items()
    ]
    return Staged(result, tuple(changes))
