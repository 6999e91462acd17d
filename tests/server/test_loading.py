"""What the first call loads."""

from __future__ import annotations

import subprocess
import sys

ALL = """
import sys
from quantgate.server import loading
loading._load()
before = set(sys.modules)
from quantgate.checkpoint import recommend, serving
from quantgate.checkpoint.card import card
from quantgate.compare import comparing
from quantgate.compare.report import saving, stored
from quantgate.evalconfig import edit
from quantgate.gates.planning import preflight
from quantgate.gates.views import entry
from quantgate.nemotron import compiling, squashing
print(sorted(set(sys.modules) - before))
heavy = "nemo_evaluator hydra omegaconf ruamel.yaml rich gguf numpy scipy jinja2 mlflow"
print(sorted(before & set(heavy.split())))
"""


def test_the_first_call_loads_every_room_that_a_call_needs_and_no_heavy_library() -> None:
    told = subprocess.run([sys.executable, "-c", ALL], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.splitlines() == ["[]", "[]"]
