"""Rules about a Megatron checkpoint behind a generic deployment: the server wants the concrete iteration, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from .checkpoint import BAD_MEGATRON_PATH
from .rule import Hit, Rule, Subject

PATH = "deployment.checkpoint_path"
_SERVES_MEGATRON = re.compile(r"(?<![\w-])--megatron_checkpoint(?![\w-])")
_ITERATION = re.compile(r"iter_\d+")


def serves_megatron(subject: Subject) -> bool:
    """Whether the deployment's command loads a Megatron checkpoint."""
    return bool(_SERVES_MEGATRON.search(subject.text("deployment", "command")))


def no_iteration(subject: Subject) -> Iterable[Hit]:
    """A server of Megatron checkpoints that is given something else."""
    given = subject.text("deployment", "checkpoint_path")
    if not given or not serves_megatron(subject):
        return
    model = subject.model
    seen = model if model is not None and model.path == PATH else None
    if seen is not None and seen.megatron_parent:
        return  # D39 says which iterations there are.
    if seen is not None and seen.inspection is not None:
        if not seen.inspection.source.megatron:
            message = f"{given[:120]} is no Megatron checkpoint, and the command serves one (--megatron_checkpoint)"
            fix = (
                "give one iter_* directory, or serve this checkpoint with vLLM or SGLang: "
                "build_config(deployment='vllm', model_type='<base or chat_reasoning>')"
            )
            yield Hit(PATH, message, fix, cause="D41", named=BAD_MEGATRON_PATH)
    elif not _ITERATION.fullmatch(PurePosixPath(given).name):
        message = (
            f"{given[:120]} is no iter_* directory by its name, and the command serves one (--megatron_checkpoint)"
        )
        yield Hit(PATH, message, severity="warning", cause="D41", named=BAD_MEGATRON_PATH)


RULES = (
    Rule(
        "D41",
        "error",
        "Megatron server without an iteration",
        f"edit_config(set=['{PATH}=/path/of/iter_0001000']), one iteration and not the folder above it",
        "Nemotron's step eval/model_eval (bad_megatron_checkpoint_path); Megatron Bridge 0.3.1 training/checkpointing.py",
        no_iteration,
    ),
)
