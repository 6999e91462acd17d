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
    # First: what looks like an argument inside a quoted one is a part of its value.
    text = _QUOTED.sub(lambda found: found[0].replace("…", "<value>"), text)
    text = _OPEN_ARGUMENT.sub(lambda found: f"{found[1]}{_filled(found[2], config)}", text)
    text = _WITHOUT_CONFIG.sub(lambda _: f"edit_config(config={config!r}, ", text)
    return _BARE.sub(lambda found: call(found[1], **_arguments(found[1], config)), text)


def _filled(name: str, config: str) -> str:
    value = _OPEN[name]
    return f"{name}={_written(config if value == _CONFIG else value)}"


def _arguments(tool: str, config: str) -> dict[str, Any]:
    return {name: config if value == _CONFIG else value for name, value in _USUAL[tool].items()}


_CONFIG = "<config>"
_OPEN: dict[str, Any] = {
    "config": _CONFIG,
    "model": "<checkpoint directory or Hugging Face handle>",
    "add_tasks": ["<recipe or task id>"],
}
"""The arguments that a rule leaves open as `name=…` or `name=[…]`."""
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
_OPEN_ARGUMENT = re.compile(rf"(\(|, )({'|'.join(_OPEN)})=(?:…|\[…\])(?=[,)])")
_QUOTED = re.compile(r"""(?:(?<=[\[(=])|(?<=, ))(['"])(?:(?!\1).)*\1(?=[\],)])""")
"""An argument of a call, or an item of one."""
_WITHOUT_CONFIG = re.compile(r"\bedit_config\((?!config=)")
_BARE = re.compile(rf"(?<![\w.=:/'\"`])({'|'.join(_USUAL)})\b(?![(\w./])")
