"""Configs for NEL's own dry run in tests, through the child process that quantgate uses."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from quantgate.benchmarks.recipes import GAP
from quantgate.launcher import door

HEAD = {
    "defaults": [{"execution": "slurm/default"}, {"deployment": "none"}, "_self_"],
    "execution": {
        "hostname": "login.cluster.example.org",
        "username": "my_user",
        "account": "my_account",
        "output_dir": "/shared/evaluations",
    },
    "target": {
        "api_endpoint": {
            "model_id": "my-model",
            "url": "http://127.0.0.1:8080/v1/chat/completions",
            "api_key_name": "DUMMY_API_KEY",
        }
    },
}
"""A Slurm config with a model served elsewhere: its dry run needs no container engine and opens no connection."""

_ANSWERS = {"url": "http://127.0.0.1:8081/v1", "model_id": "judge"}


def filled(value: Any, key: str = "") -> Any:
    """A fragment whose gaps are filled as a user would fill them; NEL refuses a config with gaps."""
    if isinstance(value, Mapping):
        return {name: filled(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner) for inner in value]
    return _ANSWERS[key] if value == GAP else value


def config_of(tasks: Iterable[Mapping[str, Any]], path: Path) -> Path:
    """A config file with these tasks."""
    evaluation = {"env_vars": {"DUMMY_API_KEY": "lit:dummy"}, "tasks": [filled(task) for task in tasks]}
    path.write_text(yaml.safe_dump({**HEAD, "evaluation": evaluation}, sort_keys=False))
    return path


def dry_run(path: Path, variables: Iterable[str]) -> str:
    """What NEL printed in a dry run with these variables set to values that are no secrets."""
    values = {
        name: "http://127.0.0.1:5000" if name.endswith("_URI") else f"made-up-{name.lower()}" for name in variables
    }
    return door.dry_run(path, {**os.environ, **values}).output
