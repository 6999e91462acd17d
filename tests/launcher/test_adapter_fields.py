"""The fields that the documents name are those of the installed nemo_evaluator."""

from __future__ import annotations

import json
import subprocess
import sys

from quantgate.evalconfig.keys import known
from quantgate.launcher.adapter_fields import adapter_fields, effects, interceptors_markdown

IMPORTED = """
import json
from nemo_evaluator.adapters.adapter_config import LegacyAdapterConfig as C
print(json.dumps({name: repr(field.default) for name, field in C.model_fields.items()}))
"""


def test_the_fields_are_those_that_the_class_has_when_it_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True, timeout=120)
    imported = json.loads(done.stdout.strip().splitlines()[-1])
    assert {field.name: field.default for field in adapter_fields()} == imported


def test_every_field_is_described_once_and_no_other() -> None:
    described = [name for group in effects().groups for name in group.fields]
    assert sorted(described) == sorted(field.name for field in adapter_fields())
    assert "0.2.8" in effects().source


def test_the_rules_and_the_document_know_the_same_fields() -> None:
    assert {field.name for field in adapter_fields()} == set(known().adapter)


def test_the_table_has_defaults_as_yaml_writes_them() -> None:
    table = interceptors_markdown()
    assert "| `use_caching` | true or false | `true` |" in table
    assert "| `max_logged_requests` | number | unset |" in table
    assert "| `end_reasoning_token` | text | `</think>` |" in table
    assert "None" not in table
    assert all(line.count(" | ") == 4 for line in table.splitlines() if line.startswith("| `"))


def test_reading_the_fields_does_not_import_the_evaluator() -> None:
    code = (
        "import sys; from quantgate.launcher import adapter_fields; adapter_fields.interceptors_markdown(); "
        "print('nemo_evaluator' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"
