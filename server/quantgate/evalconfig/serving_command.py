"""One serving command with the flags that a checkpoint needs: composed where there is none, completed where there is one.

What the user wrote stays: a flag that is missing is added, and one that is set to another value is reported, not replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..checkpoint import config_json, serving
from ..checkpoint.flags import TENSOR_PARALLEL, Flag
from ..checkpoint.inspection import Inspection
from ..errors import BadInput
from . import choices, paths, serving_sizes, sibling_fields, surgery
from .block_text import replace_text
from .command_flags import ServingCommand, canonical, whole_number
from .command_quoting import quoted
from .document import ConfigDocument
from .render import Folded
from .served_program import CHECKPOINT, HANDLE, CommandRow, framework_of, own_command, table

_BASE = "${deployment.base_command}"


@dataclass
class _Merge:
    """What was added to a command, and what was in it already with another value."""

    place: str
    added: list[Flag] = field(default_factory=list)
    conflicts: list[tuple[Flag, str]] = field(default_factory=list)

    def report(self, notes: list[str]) -> None:
        """Tell it to a person."""
        if self.added:
            listed = "; ".join(f"{_shown(flag)} ({flag.because})" for flag in self.added)
            notes.append(f"{self.place} has now, from the checkpoint: {listed}")
        for flag, given in self.conflicts:
            notes.append(
                f"conflict: {self.place} has {flag.flag} {given or '(a switch)'} and was left; the checkpoint asks for "
                f"{flag.value or 'the switch'} ({flag.because}); to take it: set=['{self.place}.{flag.flag}={flag.value}']"
            )


def with_flags(document: ConfigDocument, found: Inspection, notes: list[str]) -> ConfigDocument:
    """The config whose serving command has the flags of a checkpoint, with the sibling fields folded in.

    Args:
        document: A config that names the model; not changed.
        found: What the model is.
        notes: Gets what was added and why, and every conflict.

    Raises:
        BadInput: The command cannot be read.
        ConfigError: The file cannot be edited there.
    """
    key = serving_sizes.command_key(document)
    own = own_command(document, key)
    framework = framework_of(document)
    if found.record.gguf is not None and framework in table():
        notes.append(
            "no serving flags were derived: a GGUF file is served by llama.cpp, which the deployment generic can run"
        )
        return document
    wanted = checkpoint_flags(document, found, framework)
    if not framework or (not own and framework not in table()):
        notes.append(_by_hand("deployment.command starts no server that is known", wanted))
        return document
    _report_record(found, framework, notes)
    script = own_command(document, "command") if key == "base_command" else own
    if choices.executor(document) == "lepton" or (_BASE in own and key == "command"):
        document = _into_fields(document, wanted, notes)
    elif not own and (key == "command" or not script or _BASE in script):
        document = _composed(document, framework, key, found, wanted, notes)
    elif not own or not ServingCommand.parse(own).program:
        notes.append(_by_hand(f"deployment.{key} is a script of your own", wanted))
        return document
    else:
        document = _completed(document, framework, key, wanted, notes)
    _report_forbidden(document, found, framework, notes)
    return document


def checkpoint_flags(document: ConfigDocument, found: Inspection, framework: str) -> list[Flag]:
    """The flags that a checkpoint asks for, each once: of its shape and template, and of its quantization."""
    if not framework:
        return []
    sizes = serving_sizes.read(document)
    # vLLM spreads experts over its data-parallel replicas too (0.33.0 docs/serving/expert_parallel_deployment.md).
    sharing = sizes.tensor * (sizes.data if framework == "vllm" else 1) if framework in table() else 0
    flags = serving.serving_flags(found.facts, found.record, framework, sharing)
    if framework in table() and not any(canonical(flag.flag) == "--trust-remote-code" for flag in flags):
        tokenizer = config_json.read_optional(found.source.path / "tokenizer_config.json") or {}
        if tokenizer.get("auto_map"):
            name = "--trust_remote_code" if framework == "trtllm" else "--trust-remote-code"
            flags.append(
                Flag(name, "", "auto_map in tokenizer_config.json: the tokenizer has its own code; review it first")
            )
    if found.record.gguf is None and framework in table():
        for text in serving.advise(found.record, framework, None, found.facts).flags:
            name, _, value = text.partition(" ")
            if all(canonical(name) != canonical(flag.flag) for flag in flags):
                flags.append(Flag(name, value, "the quantization that the checkpoint records"))
    return [flag for flag in flags if flag.value != TENSOR_PARALLEL]


def _shown(flag: Flag) -> str:
    return f"{flag.flag} {flag.value}".strip()


def _by_hand(why: str, flags: list[Flag]) -> str:
    listed = "; ".join(f"{_shown(flag)} ({flag.because})" for flag in flags)
    return f"{why}: nothing was added to it" + (f". The checkpoint asks for: {listed}" if listed else "")


def _merged(command: ServingCommand, flags: list[Flag], merge: _Merge) -> ServingCommand:
    for flag in flags:
        given = command.get(flag.flag)
        if given is None:
            command = command.set(flag.flag, flag.value)
            merge.added.append(flag)
        elif given != flag.value and not _equal(given, flag.value):
            merge.conflicts.append((flag, given))
    return command


def _equal(given: str, wanted: str) -> bool:
    number = whole_number(given)
    return number is not None and number == whole_number(wanted)


def _completed(
    document: ConfigDocument, framework: str, key: str, wanted: list[Flag], notes: list[str]
) -> ConfigDocument:
    """The user's own command with what it lacks."""
    place = f"deployment.{key}"
    before = ServingCommand.parse(own_command(document, key))
    row = table().get(framework)
    command, folded = sibling_fields.fold(document, before, row.fields if row else {}, notes)
    if folded:
        names = ", ".join(folded)
        notes.append(f"{names}: NEL does not read them beside a command of one's own, so {place} says it now")
    for text in row.always if row else ():
        flag, _, value = text.partition(" ")
        if not command.has(flag):
            command = command.set(flag, value)
            notes.append(f"{place} had no {flag}: {text} was added, so that NEL finds the server")
    merge = _Merge(place)
    command = _merged(command, wanted, merge)
    merge.report(notes)
    if command.text != before.text:
        document = replace_text(document, place, command.text)
    return sibling_fields.remove(document, folded, notes)


def _into_fields(document: ConfigDocument, wanted: list[Flag], notes: list[str]) -> ConfigDocument:
    """Where NEL's own command is used: the flags go into the field that it reads."""
    merge = _Merge("deployment.extra_args")
    command = ServingCommand.parse(own_command(document, "command").replace(_BASE, "vllm serve /checkpoint"))
    for flag in wanted:
        given = command.get(flag.flag)
        given = serving_sizes.get_flag(document, flag.flag) if given is None else given
        row = table().get(serving_sizes.framework(document))
        if (
            row
            and given != flag.value
            and not _without_template([_shown(Flag(flag.flag, given or "", ""))], row, [flag], notes)
        ):
            given = None
        if given is None:
            if canonical(flag.flag) == "--trust-remote-code" and serving_sizes.framework(document) != "sglang":
                continue
            document = serving_sizes.set_flag(document, flag.flag, flag.value)
            merge.added.append(flag)
        elif given != flag.value and not _equal(given, flag.value):
            merge.conflicts.append((flag, given))
    merge.report(notes)
    return document


def _composed(
    document: ConfigDocument, framework: str, key: str, found: Inspection, wanted: list[Flag], notes: list[str]
) -> ConfigDocument:
    """A command where the file had none, with everything that NEL's packaged one took from the fields."""
    row, place = table()[framework], f"deployment.{key}"
    model = HANDLE if paths.dig(document.plain, "deployment", "hf_model_handle") else CHECKPOINT
    try:
        lines, held = sibling_fields.lines_of(document, row.fields)
    except BadInput as error:
        notes.append(_by_hand(error.what, wanted))
        return document
    lines = _without_template(lines, row, wanted, notes)
    lines = [row.begins.format(model=model), *row.always, *lines]
    command = ServingCommand.parse(" ".join(lines))
    merge = _Merge(place)
    _merged(command, wanted, merge)
    lines += [_line(flag.flag, flag.value) for flag in merge.added]
    chosen = [d for d in row.defaults if not command.has(d.flag) and not (d.text_only and found.facts.multimodal)]
    lines += [_line(default.flag, default.value) for default in chosen]
    if chosen:
        notes.append(f"{place} has sensible defaults: " + "; ".join(_line(d.flag, d.value) for d in chosen))
    merge.report(notes)
    if row.trusts_code and not any(canonical(flag.flag) == "--trust-remote-code" for flag in (*wanted,)):
        notes.append("NEL's packaged command trusts remote code; this checkpoint brings none, so the flag was left out")
    document = surgery.set_value(document, place, Folded("\n".join(lines)))
    folded = [name for name in held if paths.has(paths.dig(document.plain, "deployment"), name)]
    if folded:
        notes.append(f"{', '.join(folded)}: folded into {place}, which alone counts")
    return sibling_fields.remove(document, dict.fromkeys(held), notes)


def _without_template(lines: list[str], row: CommandRow, wanted: list[Flag], notes: list[str]) -> list[str]:
    """The lines without the context length that NEL's template wrote, where the checkpoint has one: no person chose it."""
    template = f"{row.context} {row.template_context}"
    own = next((flag for flag in wanted if canonical(flag.flag) == canonical(row.context)), None)
    if not row.template_context or own is None or template not in lines or own.value == row.template_context:
        return lines
    notes.append(
        f"{template} was the value of NEL's template, not a choice: the checkpoint's {own.value} is taken instead"
    )
    return [line for line in lines if line != template]


def _line(flag: str, value: str) -> str:
    return f"{flag} {quoted(flag, value)}" if value else flag


def _report_record(found: Inspection, framework: str, notes: list[str]) -> None:
    if framework not in table():
        return
    advice = serving.advise(found.record, framework, None, found.facts)
    if advice.supported is False:
        notes.append(advice.reason)
    notes.extend(
        w for w in (*advice.warnings, *serving.serving_warnings(found.facts, found.record, framework)) if w not in notes
    )


def _report_forbidden(document: ConfigDocument, found: Inspection, framework: str, notes: list[str]) -> None:
    """Flags that must not be set for this checkpoint, and are: reported, because the user set them."""
    if framework not in table():
        return
    for flag in serving.must_not_set(found.record, framework):
        given = serving_sizes.get_flag(document, flag.flag)
        if given is not None and flag.value in ("", given):
            notes.append(f"conflict: {_shown(Flag(flag.flag, given, ''))} must not be set and was left: {flag.because}")
