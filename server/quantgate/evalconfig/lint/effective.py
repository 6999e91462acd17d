"""What would serve the model: the effective command of a deployment, its framework and its flags, wherever they stand.

NEL runs `deployment.command`; the packaged commands take their flags from sibling fields such as `tensor_parallel_size`
and `extra_args` (NEL 0.2.6 configs/deployment/*.yaml). A program that is not recognised has no framework, and then no
rule speaks of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from ...checkpoint.inspection import Inspection
from ...errors import BadInput
from .. import paths
from ..command_flags import ALONE, ServingCommand, canonical, whole_number
from ..command_words import segments
from ..programs import table
from .rule import Subject

COMMAND = "deployment.command"
EXTRA_ARGS = "deployment.extra_args"
_SHELLS = ("bash", "sh")


@dataclass(frozen=True)
class Serving:
    """The command that serves.

    Attributes:
        framework: vllm, sglang or trtllm.
        command: As NEL would run it, the config's interpolations resolved.
        written: The user's own command before that, or empty when NEL's packaged one is used.
        extra: `deployment.extra_args`, resolved.
    """

    framework: str
    command: ServingCommand
    written: str
    extra: str

    @property
    def own(self) -> bool:
        """Whether the command is the user's, and does not build on NEL's packaged one."""
        return bool(self.written) and "base_command}" not in self.written

    def get(self, *flags: str) -> str | None:
        """The value of the first of these flags that is there; "" for a switch."""
        return next((value for flag in flags if (value := self.command.get(flag)) is not None), None)

    def has(self, *flags: str) -> bool:
        """Whether one of these flags is there."""
        return any(self.command.has(flag) for flag in flags)

    def number(self, *flags: str, default: int = 0) -> int | None:
        """A flag's whole number (`32k` too), `default` when it is absent, None when it is none (a shell variable)."""
        value = self.get(*flags)
        return default if value is None else whole_number(value)

    def place(self, *flags: str) -> str:
        """The key of the config that holds a flag, or where it would go."""
        if any(flags_of(self.written).get(canonical(flag)) is not None for flag in flags):
            return COMMAND
        if any(flags_of(ALONE + self.extra).get(canonical(flag)) is not None for flag in flags):
            return EXTRA_ARGS
        for field, flag in table().fields.flags.items():
            if not self.own and any(canonical(flag) == canonical(wanted) for wanted in flags):
                return f"deployment.{field}"
        return COMMAND if self.own else EXTRA_ARGS

    def add(self, flag: str, value: str = "") -> str:
        """What to type so that the command gets a flag."""
        text = f"{flag} {value}".strip()
        if self.own:
            return f"add `{text}` to deployment.command"
        return f"edit_config(set=[{f'{EXTRA_ARGS}={self.extra} {text}'.replace('= ', '=')!r}])"

    def drop(self, flag: str) -> str:
        """What to type so that the command loses a flag."""
        place = self.place(flag)
        return f"remove {flag} from {place}" if place in (COMMAND, EXTRA_ARGS) else f"edit_config(unset=['{place}'])"


def serving(subject: Subject) -> Serving | None:
    """What would serve; None without a deployment, or when the program is none that is known."""
    if subject.composed.deployment == "none":
        return None
    text = subject.at("deployment", "command")
    command = _parsed(text) if isinstance(text, str) else None
    framework = _framework(command.program) if command is not None else ""
    if command is None or not framework:
        return None
    own = paths.dig(subject.written, "deployment", "command")
    extra = subject.at("deployment", "extra_args")
    return Serving(framework, command, own if isinstance(own, str) else "", extra if isinstance(extra, str) else "")


def inspected(subject: Subject) -> Inspection | None:
    """The model's inspection when it was read and can be served as it is (no Megatron checkpoint)."""
    model = subject.model
    if model is None or model.inspection is None or model.inspection.source.megatron:
        return None
    return model.inspection


def environment_of(subject: Subject, command: ServingCommand) -> dict[str, str]:
    """Variables of the server: `deployment.env_vars` without their prefix, and assignments before the program."""
    found: dict[str, str] = {}
    for place in (("env_vars",), ("deployment", "env_vars")):
        group = subject.at(*place)
        for name, value in group.items() if isinstance(group, dict) else ():
            found[str(name)] = str(value).removeprefix("lit:")
    found.update(re.findall(r"(?<![\w-])([A-Z][A-Z0-9_]*)=([^\s;&|]*)", command.text))
    return found


@lru_cache(maxsize=64)
def _parsed(text: str) -> ServingCommand | None:
    """The serving command in a text, also inside `bash -c '…'`; None when it cannot be read."""
    try:
        command = ServingCommand.parse(text)
        if not _framework(command.program):
            for words in segments(text):
                values = [word.value for word in words]
                shells = [i for i, value in enumerate(values) if PurePosixPath(value).name in _SHELLS]
                for at in shells:
                    inner = next((v for v in values[at + 1 :] if not v.startswith("-")), "")
                    nested = ServingCommand.parse(inner)
                    if _framework(nested.program):
                        return nested
    except BadInput:
        return None
    return command


@lru_cache(maxsize=64)
def flags_of(text: str) -> dict[str, str]:
    """The flags of a serving command by their canonical names; empty for what is none, or cannot be read."""
    command = _parsed(text) if text else None
    return {canonical(name): value for name, value in command.flags} if command is not None else {}


def _framework(program: tuple[str, ...]) -> str:
    for word in (*program[:1], *program[2:3]):
        row = table().programs.get(PurePosixPath(word).name)
        if row is not None:
            return row.framework
    return ""
