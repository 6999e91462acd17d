"""The config that NEL's child runs: the very composition that was judged, with our output directory and our limit put in.

`digest` is for both sides; the rest belongs to the child process that talks to NEL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ..errors import BadInput, Refused

LIMIT = "limit_samples"
_ADDED_BY_NEL = "user_config_path"
_PARAMS = ("evaluation", "nemo_evaluator_config", "config", "params")


def digest(raw: Mapping[Any, Any]) -> str:
    """SHA-256 of a composed config: of the file and of all that it includes, whatever their comments and layout.

    Args:
        raw: The config as plain values, its interpolations unresolved: what they read from the environment goes with the launch.
    """
    kept = {key: value for key, value in raw.items() if key != _ADDED_BY_NEL}
    return hashlib.sha256(json.dumps(kept, default=str, skipkeys=True).encode()).hexdigest()


def compose(request: Mapping[str, Any]) -> Any:
    """NEL's composition of a config, with the output directory and the limit of the request.

    Args:
        request: As the parent wrote it: `config`, `digest`, `output_dir`, `limit`, `verb`.

    Raises:
        BadInput: It is not the composition that was judged.
        Refused: The limit of some task would not be the one that was asked for.
    """
    from nemo_evaluator_launcher.api.types import RunConfig
    from omegaconf import OmegaConf

    # A path goes in as a value: as a Hydra override it would need the quoting of Hydra's grammar.
    composed = RunConfig.from_hydra(config=request["config"])
    raw = OmegaConf.to_container(composed, resolve=False)
    assert isinstance(raw, dict)
    if request["digest"] and digest(raw) != request["digest"]:
        raise BadInput(
            "The config, or a file that it includes, was changed while it was being launched",
            where=request["config"],
            fix="dry_run the changed config first",
        )
    place = {"execution": {"output_dir": request["output_dir"].replace("${", "\\${")}}
    config = RunConfig(OmegaConf.merge(composed, place))
    if request["limit"]:
        _limit(config, request["limit"])
    if request["verb"] != "dry_run":
        _require_limit(config, request["limit"])
    return config


def _limit(config: Any, limit: int) -> None:
    """Set the limit for all tasks, and make sure that this changes nothing else of what any task is given.

    Raises:
        Refused: It would.
    """
    from omegaconf import open_dict

    before = _task_configs(config)
    with open_dict(config):
        node = config
        for key in _PARAMS:
            node = _own_section(node, key)
        node[LIMIT] = limit
    for index, (was, now) in enumerate(zip(before, _task_configs(config), strict=True)):
        if _without_limit(was) != _without_limit(now):
            raise Refused(
                "A limit of the samples would change other parameters of the task too",
                where=f"evaluation.tasks[{index}]: {config.evaluation.tasks[index].name}",
                fix="write nemo_evaluator_config.config.params out, without ${...}, under evaluation and in the task",
            )


def _own_section(parent: Any, key: str) -> Any:
    """The section of that name as one of the parent's own, which can be changed without changing what it refers to."""
    from omegaconf import OmegaConf

    if OmegaConf.is_interpolation(parent, key):
        found = parent[key]
        # A Hydra override would put an empty section in its place.
        parent[key] = OmegaConf.to_container(found, resolve=True) if OmegaConf.is_config(found) else found
    if parent.get(key) is None:
        parent[key] = {}
    return parent[key]


def _require_limit(config: Any, limit: int) -> None:
    """Refuse, before anything starts, when a task's own parameters set another limit than the launch's (0: none)."""
    for index, given in enumerate(_task_configs(config)):
        found = _params(given).get(LIMIT)
        if found != (limit or None):
            raise Refused(
                f"The task would run with {LIMIT} {found!r}, and not with {limit or 'all samples'}",
                where=f"evaluation.tasks[{index}]: {config.evaluation.tasks[index].name}",
                fix=f"take {LIMIT} out of the config",
            )


def _task_configs(config: Any) -> list[dict[str, Any]]:
    """What NEL gives to each task: the parameters of all tasks with its own on top."""
    from nemo_evaluator_launcher.common.helpers import get_eval_factory_config

    return [get_eval_factory_config(config, task) or {} for task in config.evaluation.get("tasks") or []]


def _params(given: Mapping[str, Any]) -> dict[str, Any]:
    return dict((given.get("config") or {}).get("params") or {})


def _without_limit(given: Mapping[str, Any]) -> dict[str, Any]:
    params = {key: value for key, value in _params(given).items() if key != LIMIT}
    return {**given, "config": {**(given.get("config") or {}), "params": params}}
