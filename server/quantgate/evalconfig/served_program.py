"""Which program serves by a config's command, with which model, and how each framework's command is written."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from . import paths, serving_sizes
from .block_text import replace_text
from .command_flags import ServingCommand
from .command_words import segments
from .document import ConfigDocument
from .programs import table as programs

CHECKPOINT = "/checkpoint"
HANDLE = "${deployment.hf_model_handle}"
_EITHER = "${select_not_null:deployment.hf_model_handle,/checkpoint}"
_TABLE = Path(__file__).with_name("serving_commands.yaml")


class _Default(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    flag: str
    value: str = ""
    text_only: bool = False
    source: str


class CommandRow(BaseModel):
    """How a framework's command is composed; see serving_commands.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    begins: str
    always: tuple[str, ...]
    fields: dict[str, str]
    trusts_code: bool
    context: str
    template_context: str = ""
    source: str
    defaults: tuple[_Default, ...] = ()


@cache
def table() -> dict[str, CommandRow]:
    """serving_commands.yaml, by framework."""
    from ruamel.yaml import YAML

    rows = YAML(typ="safe").load(_TABLE.read_text(encoding="utf-8"))
    return {name: CommandRow.model_validate(row) for name, row in rows.items()}


def framework_of(document: ConfigDocument) -> str:
    """The framework that serves: by the deployment, or for `generic` by the command's program; empty when not known."""
    known = serving_sizes.framework(document)
    if known:
        return known
    program = ServingCommand.parse(own_command(document, "command")).program
    for word in (*program[:1], *program[2:3]):
        name = Path(word).name
        if name == "llama-server":
            return "llamacpp"
        if name in programs().programs:
            return programs().programs[name].framework
    return ""


def starts_unknown_program(document: ConfigDocument) -> bool:
    """Whether the file has a command whose program is none that is known, so that its flags cannot be told."""
    key = serving_sizes.command_key(document)
    command = own_command(document, key)
    if not command:
        return False
    program = ServingCommand.parse(command).program
    names = {Path(word).name for word in (*program[:1], *program[2:3])}
    return names.isdisjoint(programs().programs)


def underivable(framework: str) -> str:
    """Names of the flags that a checkpoint decides, for the note that it could not be read."""
    names = ["context length", "remote code", "KV-cache type", "expert parallelism", "reasoning and tool-call parsers"]
    context = table()[framework].context if framework in table() else ""
    return ", ".join([f"{names[0]} ({context})" if context else names[0], *names[1:]])


def serves_model(document: ConfigDocument, *, handle: str, notes: list[str]) -> ConfigDocument:
    """The config whose command serves the model that its fields name: NEL's mount of the path, or the handle.

    Args:
        document: Not changed.
        handle: The handle that is served now; empty for a path.
        notes: Gets why a command was left that names another model.
    """
    key = serving_sizes.command_key(document)
    own = own_command(document, key)
    command = ServingCommand.parse(own)
    if not command.program or command.model in ("", _EITHER):
        return document
    wanted = HANDLE if handle else CHECKPOINT
    if command.model in (wanted, handle or None):
        return document
    if command.model.rstrip("/") not in (CHECKPOINT, HANDLE, "${deployment.checkpoint_path}"):
        notes.append(
            f"conflict: deployment.{key} serves {command.model[:100]} and was left; for this model it must serve {wanted}"
        )
        return document
    for words in segments(own):
        for word in words:
            if word.value == command.model and own[word.start : word.end] == word.value:
                return replace_text(document, f"deployment.{key}", own[: word.start] + wanted + own[word.end :])
    return document


def field_as_flag(document: ConfigDocument, dotted: str, value: object) -> ConfigDocument | None:
    """A size set as a field, where a command of the file's own alone counts: set as its flag. None where the field counts."""
    segments = paths.parse(dotted)
    row = table().get(framework_of(document))
    place = serving_sizes.command_path(document)
    name = str(segments[-1])
    if len(segments) != 2 or segments[0] != "deployment" or row is None or not place or name not in row.fields:
        return None
    text = str(paths.dig(document.plain, *paths.parse(place)))
    if value is None or "${" in str(value) or f"deployment.{name}}}" in text:
        return None
    flag = row.fields[name]
    present = serving_sizes.get_flag(document, flag) == str(value)
    return document if present else serving_sizes.set_flag(document, flag, str(value))


def own_command(document: ConfigDocument, key: str) -> str:
    """The command that the file itself has under a key of `deployment`; empty when it has none."""
    value = paths.dig(document.plain, "deployment", key)
    return value if isinstance(value, str) and value != "???" else ""
