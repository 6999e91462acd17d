"""Run by a test in a child process: what NEL's own build_config writes for each combination read from standard input.

NEL 0.2.6 cannot load its templates on Python 3.11 (`MultiplexedPath.joinpath` takes one part there); there, and nowhere else,
that one function is replaced, with the same join in two steps.
"""

import contextlib
import importlib.resources
import io
import json
import sys
import tempfile
from pathlib import Path

import yaml
from nemo_evaluator_launcher.common import build_config as nel

from quantgate.environment import JOINPATH_FIXED


def load_template(relative_path: str) -> dict:
    root = importlib.resources.files("nemo_evaluator_launcher.resources")
    text = root.joinpath("config_templates").joinpath(relative_path).read_text(encoding="utf-8")
    return yaml.safe_load(text) or {}


if sys.version_info < JOINPATH_FIXED:
    nel._load_template = load_template
answers = []
with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
    for combination in json.load(sys.stdin):
        output = nel.resolve_output_path(
            Path(folder) / "one",
            combination["execution"],
            combination["deployment"],
            combination["model_type"],
            combination["benchmarks"],
        )
        nel.build_config(**combination, output=output)
        answers.append([output.name, output.read_text()])
        output.unlink()
json.dump(answers, sys.stdout)
