"""A config, and what stands in for NEL's child: what it would be asked is recorded, nothing is evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from quantgate.errors import LauncherError
from quantgate.launcher import door


def write_config(path: Path, output: Path, tasks: tuple[str, ...] = ("ifbench.ifbench",), **params: Any) -> None:
    """A config of the process executor with these tasks, whose parameters have `params` besides max_new_tokens."""
    content = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"type": "process", "output_dir": str(output)},
        "target": {
            "api_endpoint": {
                "url": "http://127.0.0.1:9/v1/chat/completions",
                "model_id": "m",
                "api_key_name": "DUMMY_API_KEY",
            }
        },
        "evaluation": {
            "env_vars": {"DUMMY_API_KEY": "lit:dummy"},
            "nemo_evaluator_config": {"config": {"params": {"max_new_tokens": 64, **params}}},
            "tasks": [{"name": name} for name in tasks],
        },
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


class Launches:
    """Stands in for NEL's child: makes the run directory that a launch would, with a task in a given state."""

    def __init__(self) -> None:
        self.requests: list[door.Request] = []
        self.exit_code: int | None = None
        self.fails: LauncherError | None = None

    def dry_run(self, path: Path, env: Any, digest: str) -> door.Answer:
        return door.Answer("0" * 16, "fine", "fine")

    def launch(self, request: door.Request, env: Any) -> door.Answer:
        self.requests.append(request)
        if self.fails:
            raise self.fails
        logs = request.output_dir / f"20260102_030405-{request.invocation_id}" / "ifbench.ifbench.0" / "logs"
        logs.mkdir(parents=True)
        (logs / "stage.pre-start").write_text("2026-01-02T03:04:05Z")
        (logs / "stage.running").write_text("2026-01-02T03:04:06Z")
        if self.exit_code is not None:
            (logs / "stage.exit").write_text(f"2026-01-02T03:05:06Z {self.exit_code}")
        return door.Answer(request.invocation_id, "", "")
