"""Rules about the command that serves: what it must say so that NEL's health check and requests reach the right model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .. import paths
from ..command_flags import ALONE, ServingCommand, whole_number
from ..programs import table
from .effective import COMMAND, Serving, flags_of, inspected, serving
from .report import Severity
from .rule import Hit, Rule, Subject

CHECKPOINT = "/checkpoint"
NEL = "NEL 0.2.6 configs/deployment/*.yaml and executors"
_NATIVE = Path(__file__).with_name("native_model_types.yaml")
_SERVED_NAME = "--served-model-name"
_ONE_BY_DEFAULT = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")
"""Fields whose flag is 1 when it is absent: vLLM 0.33.0 config/parallel.py, SGLang 0.5.23 arg_groups/fields/parallel.py."""


class NativeTypes(BaseModel):
    """native_model_types.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    source: str
    names: frozenset[str]


@cache
def native_types() -> NativeTypes:
    """The table, read once."""
    import yaml

    return NativeTypes.model_validate(yaml.safe_load(_NATIVE.read_text(encoding="utf-8")))


def _interpolated(text: str | None) -> bool:
    return text is None or "$" in text


def served_name(subject: Subject) -> Iterable[Hit]:
    """vLLM answers to another name than the one in NEL's requests."""
    server = serving(subject)
    wanted = subject.at("deployment", "served_model_name")
    if server is None or server.framework != "vllm" or not isinstance(wanted, str) or wanted == "???":
        return
    given = server.get(_SERVED_NAME)
    answers = given.split() if given else [server.command.model]
    if _interpolated(wanted) or any("$" in name for name in answers) or wanted in answers or not any(answers):
        return
    if len(wanted.split()) > 1 and wanted.split()[0] in answers:
        message = (
            f"deployment.served_model_name {wanted[:80]!r} has a space: the server takes it for several names, and "
            "requests ask for the whole"
        )
        name = "-".join(wanted.split())[:80]
        fix = f"write it without spaces: edit_config(set=['deployment.served_model_name={name}'])"
        yield Hit("deployment.served_model_name", message, fix, cause="D01")
        return
    fix = f"use `{_SERVED_NAME} ${{deployment.served_model_name}}` in deployment.command"
    if given:
        message = (
            f"The command serves the model as {given[:80]!r}, and requests ask for {wanted[:80]!r}: each answers 404"
        )
        yield Hit(server.place(_SERVED_NAME), message, fix, cause="D01")
    else:
        message = (
            f"The command has no {_SERVED_NAME}: vLLM names the model {answers[0][:80]!r}, and requests ask for "
            f"{wanted[:80]!r}: each answers 404"
        )
        yield Hit(COMMAND, message, fix, cause="D01")


def unread_fields(subject: Subject) -> Iterable[Hit]:
    """Fields beside a command of one's own that does not read them."""
    server = serving(subject)
    if server is None or not server.own:
        return
    fields = [*table().fields.flags, *table().fields.other]
    unread = {name: subject.at("deployment", name) for name in fields if _is_unread(subject, server, name)}
    unread = {name: value for name, value in unread.items() if not _is_default(server.command, name, value)}
    if not unread:
        return
    same = all(_said(server.command, name, value) for name, value in unread.items())
    severity: Severity = "warning" if same else "error"
    names = ", ".join(f"{name}: {str(value)[:60]}" for name, value in unread.items())
    reads = "it says the same itself" if same else "the server runs without them"
    yield Hit(
        f"deployment.{next(iter(unread))}",
        f"deployment.command does not read {names}: {reads}",
        "say it in the command alone: edit_config(unset=["
        + ", ".join(f"'deployment.{name}'" for name in unread)
        + "])"
        + ("" if same else " after the command has the flags"),
        severity,
        cause="D02",
    )


def _is_unread(subject: Subject, server: Serving, name: str) -> bool:
    value = paths.dig(subject.written, "deployment", name)
    return value not in (None, "", "???") and not re.search(rf"\$\{{\s*(?:deployment)?\.{name}\b", server.written)


def _is_default(command: ServingCommand, name: str, value: object) -> bool:
    """Whether a field says what the server does without the flag, so that nothing is lost."""
    return name in _ONE_BY_DEFAULT and str(value) == "1" and not command.has(table().fields.flags[name])


def _said(command: ServingCommand, name: str, value: object) -> bool:
    flag = table().fields.flags.get(name)
    if flag:
        return command.get(flag) == str(value)
    given = flags_of(f"{ALONE}{value}") if name == "extra_args" else {}
    return bool(given) and all(command.get(each) == text for each, text in given.items())


def other_model(subject: Subject) -> Iterable[Hit]:
    """The command serves something else than the model that the config names."""
    server = serving(subject)
    if server is None or not server.written:
        return
    served = server.command.model
    checkpoint, handle = (subject.at("deployment", key) for key in ("checkpoint_path", "hf_model_handle"))
    at_checkpoint = served.rstrip("/") == CHECKPOINT or served.startswith(f"{CHECKPOINT}/")
    if handle and not checkpoint and at_checkpoint and not mounted(subject, CHECKPOINT):
        yield Hit(
            COMMAND,
            f"The command serves {served}, and nothing is mounted there: hf_model_handle {str(handle)[:80]} is not read",
            "serve ${deployment.hf_model_handle}, or edit_config(model=…) with the checkpoint's directory",
            cause="D03",
        )
    elif handle and not checkpoint and _is_handle(served) and served != handle:
        yield Hit(
            COMMAND,
            f"The command serves {served[:80]!r}, and the config names {str(handle)[:80]!r}",
            "serve ${deployment.hf_model_handle}",
            cause="D03",
        )
    elif checkpoint and not handle and _is_handle(served):
        yield Hit(
            COMMAND,
            f"The command serves {served[:80]!r} from the hub, and not the checkpoint that the config names",
            f"serve {CHECKPOINT}, where NEL mounts checkpoint_path, or edit_config(model='{served[:80]}')",
            cause="D03",
        )


def _is_handle(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*", text, re.ASCII))


def mounted(subject: Subject, target: str) -> bool:
    """Whether one of the config's own mounts puts something at a path of the server's container."""
    mounts = subject.at("execution", "mounts", "deployment")
    places = [str(place).partition(":")[0].rstrip("/") for place in mounts.values()] if isinstance(mounts, dict) else []
    return any(place and (target == place or target.startswith(f"{place}/")) for place in places)


def other_port(subject: Subject) -> Iterable[Hit]:
    """A port that NEL does not look at."""
    server = serving(subject)
    port = subject.at("deployment", "port")
    if server is None or not isinstance(port, int):
        return
    given = server.get("--port")
    default = next(row.port for row in table().programs.values() if row.framework == server.framework)
    listens = whole_number(given) if given is not None else default
    if listens is None or listens == port:
        return
    how = f"--port {given}" if given is not None else f"no --port, which means {listens}"
    yield Hit(
        server.place("--port"),
        f"The command has {how}, and NEL looks at deployment.port {port}: the health check never passes",
        "use `--port ${deployment.port}` in the command",
        cause="D05",
    )


def remote_code(subject: Subject) -> Iterable[Hit]:
    """A model with code of its own, served without leave to run it."""
    server, model = serving(subject), inspected(subject)
    if server is None or model is None or not model.facts.needs_trust_remote_code:
        return
    if server.has("--trust-remote-code"):
        return
    kind = model.facts.model_type
    known = kind in native_types().names
    why = (
        f"the model type {kind[:40]!r} is known to recent versions, so its config loads; an older image and a tokenizer "
        "of its own still need it"
        if known
        else "the server refuses to load it"
    )
    yield Hit(
        server.place("--trust-remote-code"),
        f"config.json has auto_map, and the command has no --trust-remote-code: {why}",
        f"review the model's code, then {server.add('--trust-remote-code')}",
        "warning" if known else "error",
        cause="D06",
    )


RULES = (
    Rule(
        "D01",
        "error",
        "Served under another name",
        f"use {_SERVED_NAME} ${{deployment.served_model_name}}",
        "vLLM 0.33.0 entrypoints/openai/models/serving.py (404 for another name); NEL 0.2.6 common/helpers.py",
        served_name,
    ),
    Rule("D02", "error", "Fields that the command does not read", "keep them in one place", NEL, unread_fields),
    Rule("D03", "error", "Another model than the config names", "serve the one that is named", NEL, other_model),
    Rule("D05", "error", "Another port than NEL looks at", "use ${deployment.port}", NEL, other_port),
    Rule(
        "D06",
        "error",
        "Remote code without leave",
        "review the code, then add --trust-remote-code",
        "Transformers 5.23.0 dynamic_module_utils.py (resolve_trust_remote_code); vLLM 0.33.0 transformers_utils/config.py",
        remote_code,
        needs=("checkpoint",),
    ),
)
