"""What a recipe asks of the rest of a config: applied where the config and the checkpoint allow it, else reported."""

from __future__ import annotations

from dataclasses import dataclass

from ..benchmarks.catalogue import load_catalogue
from ..benchmarks.needs import TOKENIZER, needs_of
from ..benchmarks.recipe import Recipe, Variant
from ..checkpoint import tables
from ..checkpoint.inspection import Inspection, inspect_model
from ..checkpoint.parsers import tool_parser
from ..errors import CheckpointError
from . import choices, paths, served_program, serving_sizes, surgery
from .command_flags import whole_number
from .document import ConfigDocument
from .remote_checkpoint import readable_name

DUMMY_KEY = "DUMMY_API_KEY"
_URL_FORMS = {"base": "the /v1 base", "chat": "the full address, ending in /v1/chat/completions"}


@dataclass(frozen=True)
class _Server:
    """The model's server as far as a config says it.

    Attributes:
        own: NEL starts it.
        framework: vllm, sglang or trtllm; empty when it is another, or not known.
        found: What the model is; None when its files are not on this machine.
        flags_readable: Its flags stand where they can be read and set.
    """

    own: bool
    framework: str
    found: Inspection | None
    flags_readable: bool


def applied(document: ConfigDocument, recipe: Recipe, variant: Variant, notes: list[str]) -> ConfigDocument:
    """The config with what a recipe's variant needs beside its own fragment.

    Args:
        document: With the task already in it; not changed.
        recipe: The recipe.
        variant: Its variant that was added.
        notes: Gets what was set, and what could not be.
    """
    server = _server(document)
    needs = variant.requirements
    if needs.max_model_len:
        document = _context(document, server, recipe.name, needs.max_model_len, notes)
    if needs.tool_calling:
        document = _tool_calls(document, server, recipe.name, notes)
    if needs.image_input:
        _images(server, recipe.name, notes)
    document = _key_for_own_server(document, recipe, variant, notes)
    known = load_catalogue().tasks.get(variant.task)
    if known is not None and (wrong := _mismatch(document, known.endpoint_types)):
        notes.append(f"{recipe.name} asks the {' or '.join(known.endpoint_types)} endpoint{wrong}")
    _report(recipe, variant, notes)
    return document


def _server(document: ConfigDocument) -> _Server:
    own = choices.deployment(document) != "none"
    framework = served_program.framework_of(document) if own else ""
    framework = framework if framework in served_program.table() else ""
    readable = bool(framework) and not serving_sizes.is_own_script(document)
    return _Server(own, framework, _inspected(document), readable)


def _inspected(document: ConfigDocument) -> Inspection | None:
    for place in (("quantgate", "checkpoint"), ("deployment", "checkpoint_path"), ("deployment", "hf_model_handle")):
        name = paths.dig(document.plain, *place)
        if isinstance(name, str) and name.strip() and name != "???":
            try:
                return inspect_model(readable_name(document.plain, name))
            except CheckpointError:
                return None
    return None


def _context(document: ConfigDocument, server: _Server, name: str, needed: int, notes: list[str]) -> ConfigDocument:
    """The context that the server is started with, raised when the model can bear it."""
    allowed = server.found.facts.longest_length or server.found.facts.served_length if server.found else 0
    if allowed and allowed < needed:
        notes.append(
            f"{name} needs a context of {needed} tokens, and the model has at most {allowed} "
            f"({server.found.facts.served_length_because if server.found else ''}): leave this benchmark out"
        )
        return document
    if not server.own:
        notes.append(f"{name} needs a context of {needed} tokens: the endpoint must serve at least that")
        return document
    flag = served_program.table()[server.framework].context if server.framework else "the server's context length"
    if not server.flags_readable:
        notes.append(
            f"{name} needs a context of {needed} tokens: see to it that the server is started with that ({flag})"
        )
        return document
    given = serving_sizes.get_flag(document, flag)
    length = whole_number(given) if given is not None else (server.found.facts.served_length if server.found else None)
    if length is not None and length >= needed:
        return document
    if not allowed:
        state = f"is {given}" if given is not None else "is not set"
        notes.append(
            f"{name} needs a context of {needed} tokens, and {flag} {state}: it was not raised, because the model's own limit is "
            "not known here"
        )
        return document
    notes.append(
        f"{name} needs a context of {needed} tokens: {flag} is now {needed} (was {given or 'not set'}; the model allows {allowed})"
    )
    return serving_sizes.set_flag(document, flag, str(needed))


def _tool_calls(document: ConfigDocument, server: _Server, name: str, notes: list[str]) -> ConfigDocument:
    """The flags with which the server parses tool calls."""
    if not server.own:
        notes.append(f"{name} needs tool calls: try one at the endpoint first; without them every score is 0")
        return document
    row = tables.serving().flags.get(server.framework, {}).get("tools")
    if row is None or not server.flags_readable:
        notes.append(f"{name} needs tool calls: start the server so that it parses them; without that every score is 0")
        return document
    given = serving_sizes.get_flag(document, row.flag)
    parser = tool_parser(server.found.facts, server.framework) if server.found else None
    wanted = given or (parser.parser if parser else "")
    if not wanted:
        also = " ".join(row.also)
        notes.append(
            f"{name} needs tool calls, and which {row.flag} the model's chat template needs is not known here: take it from the "
            f"model card or read_model_config, and add it{f' with {also}' if also else ''}; without it every score is 0"
        )
        return document
    added = []
    for flag, value in (*((also, "") for also in row.also), (row.flag, wanted)):
        if serving_sizes.get_flag(document, flag) is None:
            document = serving_sizes.set_flag(document, flag, value)
            added.append(f"{flag} {value}".strip())
    if added:
        notes.append(f"{name} needs tool calls: the server has now {' '.join(added)}")
    return document


def _images(server: _Server, name: str, notes: list[str]) -> None:
    if server.found is None:
        notes.append(f"{name} shows images: only for a model that takes them")
    elif not server.found.facts.multimodal and server.found.record.gguf is None:
        notes.append(f"{name} shows images, and the checkpoint has no vision tower: leave this benchmark out")


def _key_for_own_server(document: ConfigDocument, recipe: Recipe, variant: Variant, notes: list[str]) -> ConfigDocument:
    """The name of a key, without which the client of nemo_skills refuses to start (rule C37)."""
    wanted = variant.harness == "nemo_skills" and DUMMY_KEY in recipe.needs and choices.deployment(document) != "none"
    if not wanted or paths.dig(document.plain, "target", "api_endpoint", "api_key_name"):
        return document
    document = surgery.set_value(document, "target.api_endpoint.api_key_name", DUMMY_KEY)
    if paths.dig(document.plain, "evaluation", "env_vars", DUMMY_KEY) is None:
        document = surgery.set_value(document, f"evaluation.env_vars.{DUMMY_KEY}", "lit:dummy")
    notes.append(
        f"nemo_skills wants the name of a key even for an open server: target.api_endpoint names {DUMMY_KEY} now"
    )
    return document


def _report(recipe: Recipe, variant: Variant, notes: list[str]) -> None:
    """What a person must decide or know about the fragment."""
    needs = variant.requirements
    for side in variant.side_models:
        usual = f" (published scores: {side.reference})" if side.reference else ""
        notes.append(
            f"{recipe.name} asks a {side.role}{usual}: set url ({_URL_FORMS[side.url]}) and model_id below "
            f"params.{side.at}, the same in every compared run, and the variable {side.key}"
        )
    own = [f"{key}: {value}" for key, value in needs.adapter.items()]
    own += [f"{key}={value}" for key, value in needs.env_vars.items() if not value.startswith("host:")]
    if needs.parallelism is not None:
        bounds = needs.parallelism
        own.append(f"parallelism {bounds.default} (between {bounds.minimum} and {bounds.maximum})")
    if own:
        notes.append(f"{recipe.name} has settings of its own: {', '.join(own)}")
    if needs.may_be_unlisted:
        notes.append(
            f"{recipe.name} takes the image {variant.container}, which NEL must reach in its registry; else the task is "
            "unlisted and needs NEMO_EVALUATOR_TRUST_UNLISTED_TASKS=1"
        )


def for_catalogue(document: ConfigDocument, task_id: str, index: int, notes: list[str]) -> ConfigDocument:
    """The config with what a catalogue task needs: one that counts or scores tokens gets the evaluated model's tokenizer.

    Args:
        document: With the task already in it; not changed.
        task_id: Its id in the catalogue.
        index: Its position in `evaluation.tasks`.
        notes: Gets the endpoint type, and what was set.
    """
    entry = load_catalogue().tasks[task_id]
    notes.append(
        f"{task_id} asks the {' or '.join(entry.endpoint_types)} endpoint" + _mismatch(document, entry.endpoint_types)
    )
    extra = entry.params.get("extra")
    wants = TOKENIZER in needs_of(entry) and isinstance(extra, dict) and "tokenizer" in extra
    shared = paths.dig(document.plain, "evaluation", "nemo_evaluator_config", "config", "params", "extra", "tokenizer")
    if not wants or not isinstance(extra, dict) or extra.get("tokenizer") or shared:
        return document
    base = f"evaluation.tasks[{index}].nemo_evaluator_config.config.params.extra"
    tokenizer = _tokenizer(document)
    document = surgery.set_value(document, f"{base}.tokenizer", tokenizer)
    if "tokenizer_backend" in extra:
        backend = "hf" if entry.harness == "ruler" else "huggingface"
        document = surgery.set_value(document, f"{base}.tokenizer_backend", backend)
    where = f"is {tokenizer}" if tokenizer != "???" else "is open: its hub handle, or a directory that the harness sees"
    notes.append(f"{task_id} needs the evaluated model's tokenizer: {base}.tokenizer {where}")
    return document


def _mismatch(document: ConfigDocument, types: tuple[str, ...]) -> str:
    url = paths.dig(document.plain, "target", "api_endpoint", "url")
    if choices.deployment(document) != "none" or not isinstance(url, str):
        return ""
    chat = url.rstrip("/").endswith("/chat/completions")
    fits = (
        bool({"chat", "vlm"}.intersection(types))
        if chat
        else "completions" in types or not url.rstrip("/").endswith("/completions")
    )
    return (
        ""
        if fits
        else f", and target.api_endpoint.url is {url[:200]}: it cannot answer this task; make a second config for it"
    )


def _tokenizer(document: ConfigDocument) -> str:
    """The model's handle; its directory where the harness runs on this machine; else open."""
    for place in (("deployment", "hf_model_handle"), ("quantgate", "checkpoint"), ("deployment", "checkpoint_path")):
        name = paths.dig(document.plain, *place)
        if not isinstance(name, str) or name == "???" or "${" in name:
            continue
        is_path = name.startswith(("/", ".", "~")) or name.endswith(".gguf")
        if not is_path or (choices.executor(document) == "process" and not name.endswith(".gguf")):
            return name
    return "???"
