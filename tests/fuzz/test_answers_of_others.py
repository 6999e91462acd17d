"""JSON of an endpoint and of a saved report, nested too deeply: said to be none, and no call ends."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from quantgate.compare.report import identity
from quantgate.gates.planning import endpoint
from quantgate.runs.scanner import files as log_files
from quantgate.runs.slurm.slurm_chain import _is_nel_name

DEEP = "[" * 100_000


def test_a_list_of_models_without_an_end_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    class Opener:
        """Stands for the endpoint."""

        def open(self, *_: Any, **__: Any) -> io.BytesIO:
            return io.BytesIO(f'{{"data": {DEEP}'.encode())

    monkeypatch.setattr(endpoint, "_opener", Opener())
    served = endpoint._ask("http://127.0.0.1:9/v1/models", "", "")
    assert "not a list of models" in json.dumps(vars(served))


def test_a_heading_without_an_end_is_none() -> None:
    assert identity.read_comment(f"{identity._MARKDOWN_MARK}{DEEP} -->\n") is None


def test_a_pipe_as_the_list_of_a_tasks_jobs_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".slurm_job_id.list")
    assert log_files.chain_of(str(tmp_path)) == {}


def test_a_long_name_of_a_job_takes_the_time_of_its_length() -> None:
    began = time.process_time()
    assert not _is_nel_name("a-b." * 100_000)
    assert _is_nel_name("research-nel.ifbench.ifbench.0")
    assert time.process_time() - began < 1
