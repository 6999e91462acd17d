"""NEL's catalogue is read by the loader in C: the same tasks in a tenth of the time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "recipes" / "examples" / "ifbench_process.yaml"
SAME = """
from nemo_evaluator_launcher.common import mapping
plain = mapping.load_tasks_mapping()
import yaml
from quantgate.launcher import catalogue_reading
catalogue_reading.use()
yaml.safe_load = None  # the loader in Python: a call of it would fail
assert mapping.load_tasks_mapping() == plain
print("same", len(plain))
"""
IN_THE_CHILD = """
import json, sys
from nemo_evaluator_launcher.api import functional
from nemo_evaluator_launcher.common.container_metadata import intermediate_repr
from quantgate.launcher import child
functional.run_eval = lambda *given, **named: print("read by", type(intermediate_repr.yaml).__module__)
child._run_eval(json.loads(sys.argv[1]), dry_run=True)
"""


def _said(code: str, *arguments: str) -> str:
    env = {**os.environ, "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0"}
    argv = [sys.executable, "-c", code, *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env, timeout=120).stdout


def test_the_loader_in_c_gives_the_tasks_that_nels_own_gives() -> None:
    said = _said(SAME).split()
    assert said[-2] == "same"
    assert int(said[-1]) > 400


def test_a_dry_run_reads_the_catalogue_with_it(tmp_path: Path) -> None:
    request = {
        "verb": "dry_run",
        "config": str(EXAMPLE),
        "output_dir": str(tmp_path),
        "limit": 0,
        "tasks": [],
        "invocation_id": "ab" * 8,
        "digest": "",
        "trusted": {},
        "stamp": None,
        "parent": os.getpid(),
    }
    assert "read by quantgate.launcher.catalogue_reading" in _said(IN_THE_CHILD, json.dumps(request))
