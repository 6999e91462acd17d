"""What the launch's child composes, through NEL: the config that was judged, and with a limit nothing but the limit more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.errors import BadInput, Refused
from quantgate.evalconfig import compose
from quantgate.launcher import door

_CHILD = """
import json, sys
from quantgate.errors import QuantgateError
from quantgate.launcher import composition
answers = []
for request in json.loads(sys.argv[1]):
    try:
        config = composition.compose(request)
        tasks = composition._task_configs(config)
        answers.append({"tasks": [t["config"]["params"] for t in tasks], "place": config.execution.output_dir})
    except QuantgateError as error:
        answers.append({"error": type(error).__name__ + ": " + str(error)})
open(sys.argv[2], "w").write(json.dumps(answers))
"""
PARAMS = {"temperature": 0.6, "extra": {"a": 1}}
TASK = {"name": "ifbench.ifbench"}


def _config(path: Path, **changes: Any) -> Path:
    """A config of the process executor; `changes` are put in at the top."""
    endpoint = {"url": "http://127.0.0.1:9/v1/chat/completions", "model_id": "m"}
    content = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"type": "process", "output_dir": "/nowhere"},
        "target": {"api_endpoint": endpoint},
        **changes,
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _evaluation(params: Any, **task: Any) -> dict[str, Any]:
    return {"nemo_evaluator_config": {"config": {"params": params}}, "tasks": [{**TASK, **task}]}


def _composed(tmp_path: Path, *requests: tuple[Path, int]) -> list[dict[str, Any]]:
    rows = [
        {"config": str(config), "digest": "", "output_dir": "/out/${x}", "limit": limit, "verb": "launch"}
        for config, limit in requests
    ]
    out = tmp_path / "answers.json"
    subprocess.run([sys.executable, "-c", _CHILD, json.dumps(rows), str(out)], check=True, timeout=110)
    answers: list[dict[str, Any]] = json.loads(out.read_text())
    return answers


def test_a_limit_adds_itself_and_leaves_parameters_that_come_by_reference(tmp_path: Path) -> None:
    own = {"nemo_evaluator_config": {"config": {"params": {"temperature": 0.9}}}}
    configs = [
        _config(tmp_path / "plain.yaml", evaluation=_evaluation(PARAMS)),
        _config(tmp_path / "params.yaml", mine=PARAMS, evaluation=_evaluation("${mine}")),
        _config(
            tmp_path / "section.yaml",
            mine={"config": {"params": PARAMS}},
            evaluation={"nemo_evaluator_config": "${mine}", "tasks": [TASK]},
        ),
        _config(tmp_path / "whole.yaml", mine=_evaluation(PARAMS), evaluation="${mine}"),
    ]
    for answer in _composed(tmp_path, *((config, 3) for config in configs)):
        assert answer == {"tasks": [{**PARAMS, "limit_samples": 3}], "place": "/out/${x}"}
    over = _config(tmp_path / "over.yaml", mine=PARAMS, evaluation=_evaluation("${mine}", **own))
    limited, whole, none = _composed(
        tmp_path, (over, 3), (over, 0), (_config(tmp_path / "none.yaml", evaluation={"tasks": [TASK]}), 3)
    )
    assert limited["tasks"] == [{**PARAMS, "temperature": 0.9, "limit_samples": 3}]
    assert whole["tasks"] == [{**PARAMS, "temperature": 0.9}]
    assert none["tasks"] == [{"limit_samples": 3}]


def test_a_task_with_another_limit_than_the_launch_s_is_refused(tmp_path: Path) -> None:
    def task(limit: int | None) -> dict[str, Any]:
        return {"nemo_evaluator_config": {"config": {"params": {"limit_samples": limit}}}}

    null = _config(tmp_path / "null.yaml", evaluation=_evaluation(PARAMS, **task(None)))
    five = _config(tmp_path / "five.yaml", evaluation=_evaluation(PARAMS, **task(5)))
    for answer in _composed(tmp_path, (null, 10), (five, 10), (five, 0)):
        assert "Refused: The task would run with limit_samples" in answer["error"]
        assert "evaluation.tasks[0]: ifbench.ifbench" in answer["error"]


def test_a_refused_limit_starts_nothing(tmp_path: Path) -> None:
    limit = {"nemo_evaluator_config": {"config": {"params": {"limit_samples": None}}}}
    config = _config(tmp_path / "eval.yaml", evaluation=_evaluation(PARAMS, **limit))
    request = door.Request(config, tmp_path / "out", door.new_invocation_id(), limit=10)
    with pytest.raises(Refused, match="and not with 10"):
        door.launch(request, os.environ)
    assert not (tmp_path / "out").exists()


def test_a_changed_include_is_another_config_and_a_changed_comment_is_not(tmp_path: Path) -> None:
    """The parent's digest is that of the real child's composition, until a file that the config includes changes."""
    defaults = [{"execution": "local"}, {"deployment": "none"}, "base", "_self_"]
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({"evaluation": _evaluation("${mine}"), "mine": PARAMS}))
    config = _config(tmp_path / "eval.yaml", defaults=defaults)
    judged = compose.compose(config).digest
    config.write_text("# a thought\n" + config.read_text())
    door.dry_run(config, os.environ, judged)
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({"evaluation": _evaluation({"temperature": 1.0})}))
    with pytest.raises(BadInput, match="a file that it includes, was changed while it was being launched"):
        door.dry_run(config, os.environ, judged)
