"""Values in `.secrets.env` reach what reads them as they are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from quantgate.launcher import secret_values

VALUES = ["plain", "a b", "$HOME", "$(id)", "`id`", 'a"b', "a'b", "a\\b", "\\$x", "two\nlines", "é!*?#", ""]


@pytest.mark.parametrize("value", VALUES)
def test_a_shell_gives_a_value_back_as_it_is(value: str) -> None:
    script = f'export X="{secret_values.in_quotes(value)}"\nprintf %s "$X"'
    for shell in ("bash", "sh"):
        done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout == value


_GENERATE = """
import sys
from quantgate.launcher import secret_values
secret_values.use()
from nemo_evaluator_launcher.common import env_vars
from nemo_evaluator_launcher.executors.local import executor as local
from nemo_evaluator_launcher.executors.slurm import executor as slurm
for module in (local, slurm):
    made = module.generate_secrets_env({"task": {
        "KEY": env_vars.parse_env_var_value("host:KEY"),
        "LIT": env_vars.parse_env_var_value("lit:" + sys.argv[1]),
        "RUN": env_vars.parse_env_var_value("runtime:RT"),
    }})
    sys.stdout.write(made.secrets_content + env_vars.build_reexport_commands("task", made) + "\\n")
    sys.stdout.write("printf '%s|' \\"$KEY\\" \\"$LIT\\" \\"$RUN\\"\\n")
    shown = env_vars.redact_secrets_env_content(made.secrets_content, made.literal_disambiguated_names)
    assert "hunter" not in shown, shown
"""


def test_nels_executors_write_them_so() -> None:
    key, literal = 'hunter2$HOME"`id`', "$(touch /tmp/never); x"
    made = subprocess.run(
        [sys.executable, "-c", _GENERATE, literal],
        capture_output=True, text=True, check=True, timeout=120, env={**os.environ, "KEY": key},
    )  # fmt: skip
    done = subprocess.run(["bash", "-c", made.stdout], capture_output=True, text=True, check=True, env={"RT": "r"})
    assert done.stdout == f"{key}|{literal}|r|" * 2
