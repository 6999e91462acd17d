"""Chat templates: where a checkpoint has them, and what they show of thinking and tools. They are read, never run.

Files and their order: Transformers 5.23.0 processing_utils.py and tokenization_utils_base.py (`chat_template.jinja`, then
`chat_template.json` of processors, then tokenizer_config.json; `additional_chat_templates/` beside them). That a server
accepts a template's variables as `chat_template_kwargs`: vLLM 0.33.0 vllm/renderers/hf.py. The marks of thinking: its
vllm/reasoning/ and vllm/parser/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..config_json import decode, read_bytes, read_optional, text_field

MAX_TEMPLATE_BYTES = 2 * 1024 * 1024
MAX_TEMPLATES = 20
_SWITCHES = (
    "enable_thinking",
    "thinking",
    "thinking_mode",
    "enable_reasoning",
    "reasoning_effort",
    "reasoning_mode",
    "thinking_budget",
)
_SPOKEN_SWITCHES = ("/no_think", "/nothink")
_TOKENS = (
    "<think>",
    "</think>",
    "[THINK]",
    "<seed:think>",
    "<mm:think>",
    "<ifm|think>",
    "<|START_THINKING|>",
    "<|content_thinking|>",
    "<|plamo:begin_think:plamo|>",
    "◁think▷",
)
_CHANNELS = re.compile(r"<\|channel\|?>\s{0,8}(?:analysis|thought|thinking)|<\|open\|>think")
_OPENS = re.compile(r"\{[#%{]")
_CLOSES = {"{#": "#}", "{%": "%}", "{{": "}}"}
# A quote that is not closed runs to the end, so that these stay linear on hostile text.
_QUOTED = re.compile(r"'(?:[^'\\]|\\.?)*(?:'|\Z)|\"(?:[^\"\\]|\\.?)*(?:\"|\Z)", re.DOTALL)
_NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?!\w|\s{0,8}=(?!=))")
_ATTRIBUTE = re.compile(r"(?<=\.)[A-Za-z_]\w*|(?<=\[)\s{0,8}(?:'[A-Za-z_]\w*'|\"[A-Za-z_]\w*\")")
_SET = re.compile(r"[-+\s]*(?:set\s+([A-Za-z_]\w*)\s*=(?!=)|for\s+([A-Za-z_]\w*)(?:\s*,\s*([A-Za-z_]\w*))?\s+in\b)")
_ASKED = re.compile(r"(?<![\w.])([A-Za-z_]\w*)(?:\s+is\s+(?:not\s+)?defined\b|\s*\|\s*default\b)")


@dataclass(frozen=True)
class Templates:
    """The templates of a checkpoint.

    Attributes:
        text: All of them, one after another; empty when there is none.
        file: The file of the first.
    """

    text: str = ""
    file: str = ""


@dataclass(frozen=True)
class Marks:
    """What a template shows.

    Attributes:
        reasoning: It writes or removes thinking, or takes a variable that turns it on.
        tools: It reads the variable `tools`, so that a request's tools reach the model.
        switch: The variable that turns thinking on or off, or the word in a message (`/no_think`); empty if none shows.
    """

    reasoning: bool
    tools: bool
    switch: str


def find_templates(directory: Path, tokenizer: Mapping[str, Any]) -> Templates:
    """Read the chat templates of a checkpoint directory.

    Args:
        directory: The checkpoint.
        tokenizer: Its tokenizer_config.json, or empty.

    Raises:
        CheckpointError: A template file is broken, too large, or no text.
    """
    found: list[tuple[str, str]] = []
    path = directory / "chat_template.jinja"
    if path.exists():
        found.append((path.name, decode(read_bytes(path, MAX_TEMPLATE_BYTES), path)))
    if not found:
        legacy = text_field(read_optional(directory / "chat_template.json") or {}, "chat_template")
        found.append(("chat_template.json", legacy))
    if not any(text for _, text in found):
        found.append(("tokenizer_config.json", _from_tokenizer(tokenizer.get("chat_template"))))
    found.extend(_additional(directory / "additional_chat_templates"))
    found = [(name, text) for name, text in found if text]
    text = "\n".join(text for _, text in found)[:MAX_TEMPLATE_BYTES]
    return Templates(text, found[0][0] if found else "")


def _from_tokenizer(value: object) -> str:
    if isinstance(value, list):
        texts = [t["template"] for t in value if isinstance(t, dict) and isinstance(t.get("template"), str)]
        value = "\n".join(texts[:MAX_TEMPLATES])
    return value[:MAX_TEMPLATE_BYTES] if isinstance(value, str) else ""


def _additional(folder: Path) -> list[tuple[str, str]]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".jinja")[:MAX_TEMPLATES]
    except OSError:  # there is no such folder, or it may not be read
        return []
    return [(f"{folder.name}/{path.name}"[:200], decode(read_bytes(path, MAX_TEMPLATE_BYTES), path)) for path in paths]


@lru_cache(maxsize=16)
def template_marks(text: str) -> Marks:
    """What a chat template shows, from its tags: variables in code, tokens in what it writes; comments do not count."""
    written, code = _split(text)
    strings = [quoted for piece in code for quoted in _QUOTED.findall(piece)]
    attributes = {name.strip(" '\"") for piece in code for name in _ATTRIBUTE.findall(piece)}
    free = _free_names([_QUOTED.sub("''", piece) for piece in code])
    said = "\n".join([*written, *strings])
    switch = next((name for name in _SWITCHES if name in free), "")
    switch = switch or next((word for word in _SPOKEN_SWITCHES if word in said), "")
    thinks = any(token in said for token in _TOKENS) or _CHANNELS.search(said) is not None
    reasoning = bool(switch) or thinks or "reasoning_content" in attributes | free
    return Marks(reasoning, "tools" in free, switch)


def _split(text: str) -> tuple[list[str], list[str]]:
    """(what stands between the tags, the code of the tags)."""
    written, code, at = [], [], 0
    while opened := _OPENS.search(text, at):
        kind = opened.group()
        end = text.find(_CLOSES[kind], opened.end())
        if end < 0:
            break
        written.append(text[at : opened.start()])
        if kind != "{#":
            code.append(text[opened.end() : end])
        at = end + 2
    written.append(text[at:])
    return written, code


def _free_names(code: list[str]) -> set[str]:
    """Variables that the template takes from outside: read, and not set unless it asks whether they are given."""
    read: set[str] = set()
    made: set[str] = set()
    asked: set[str] = set()
    for piece in code:
        target = _SET.match(piece)
        names = set(_NAME.findall(piece[target.end() :] if target else piece))
        read |= names
        asked.update(_ASKED.findall(piece))
        if target:
            targets = {name for name in target.groups() if name}
            made |= targets
            asked |= targets & names  # `set tools = tools or none`: it came from outside
    return (read - made) | (read & asked)
