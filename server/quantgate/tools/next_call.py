"""How a result names a call: one form, so that an agent, a test and a read-only server all recognise it."""

from __future__ import annotations

import re
from typing import Any


def call(tool: str, **arguments: Any) -> str:
    """A call as text, such as `status(invocation_ids=['4f0c'], wait_seconds=30)`.

    Args:
        tool: The tool's name.
        arguments: Strings, numbers, booleans (written true and false) and lists of strings. What only the agent or the user
            knows is a string in angle brackets, such as `<path of the config>`.
    """
    return f"{tool}({', '.join(f'{name}={_written(value)}' for name, value in arguments.items())})"


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def whole(text: str, config: str) -> str:
    """A rule's advice as part of a next step: its calls name the config, and what is to be filled in stands as `<…>`.

    Args:
        text: A fix with `edit_config(set=[…])` or the bare name of a tool in it.
        config: Path of the config that the text is about.
    """
    for short, long in _LEFT_OPEN.items():
        text = text.replace(short, long)
    text = _WITHOUT_CONFIG.sub(lambda _: f"edit_config(config={config!r}, ", text)
    return _BARE.sub(lambda found: call(found[1], **_arguments(found[1], config)), text)


def _arguments(tool: str, config: str) -> dict[str, Any]:
    return {name: config if value == _CONFIG else value for name, value in _USUAL[tool].items()}


_LEFT_OPEN = {
    "model=…": "model='<checkpoint directory or Hugging Face handle>'",
    "add_tasks=[…]": "add_tasks=['<recipe or task id>']",
    "=…'": "=<value>'",
}
_CONFIG = "<config>"
_USUAL: dict[str, dict[str, Any]] = {
    "check_environment": {"config": _CONFIG},
    "list_tasks": {"query": "<words>"},
    "read_model_config": {"model": "<the checkpoint>"},
    "detect_quantization": {"model": "<the checkpoint>", "gpu_arch": "<the GPU>"},
    "build_config": {},
    "edit_config": {"config": _CONFIG, "set": ["<path>=<value>"]},
    "check_config": {"config": _CONFIG},
    "dry_run": {"config": _CONFIG},
    "verify_run": {"run": "<invocation id>"},
}
"""The arguments of a tool that a rule names alone."""
_WITHOUT_CONFIG = re.compile(r"\bedit_config\((?!config=)")
_BARE = re.compile(rf"(?<![\w.=:/'\"`])({'|'.join(_USUAL)})\b(?![(\w./])")
