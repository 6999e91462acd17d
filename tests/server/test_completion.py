"""Completion of names, in both generations of the protocol."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mcp_types import PromptReference, ResourceTemplateReference

from quantgate.benchmarks.catalogue import load_catalogue
from quantgate.gates import ledger
from tests.server.in_memory import MODES, with_client

EVALUATE = PromptReference(name="evaluate_quantized_checkpoint")


def _completed(mode: str, ref: Any, argument: str, value: str) -> Any:
    given = {"name": argument, "value": value}
    return with_client(mode, lambda client: client.complete(ref, given)).completion


def _launched(invocation: str) -> None:
    ledger.add_attempt(ledger.Attempt(invocation, "canary", "f" * 64, "/configs/eval.yaml", "process", "/nowhere"))


@MODES
def test_recipes_and_task_ids_are_completed_and_of_a_list_the_last_one(mode: str) -> None:
    assert _completed(mode, EVALUATE, "benchmarks", "mmlu").values[0] == "mmlu_pro"
    found = _completed(mode, EVALUATE, "benchmarks", "simple_evals.gpq")
    assert found.values
    assert all(value.startswith("simple_evals.gpq") for value in found.values)
    assert _completed(mode, EVALUATE, "benchmarks", "mmlu_pro, ifben").values[0] == "mmlu_pro, ifbench"


@MODES
def test_names_of_documents_are_completed_by_their_beginning_first(mode: str) -> None:
    ref = ResourceTemplateReference(uri="quantgate://recipes/{name}")
    assert _completed(mode, ref, "name", "mm").values == ["mmlu_pro", "mmmu_pro"]
    assert _completed(mode, ref, "name", "pro").values == ["mmlu_pro", "mmmu_pro"]
    assert _completed(mode, ref, "name", "no such recipe").values == []


@MODES
@pytest.mark.parametrize(
    ("ref", "argument"),
    [
        (ResourceTemplateReference(uri="quantgate://runs/{invocation_id}"), "invocation_id"),
        (ResourceTemplateReference(uri="quantgate://runs/{invocation_id}/config"), "invocation_id"),
        (PromptReference(name="why_did_my_run_fail"), "run"),
        (PromptReference(name="compare_with_baseline"), "baseline"),
        (PromptReference(name="compare_with_baseline"), "candidate"),
    ],
)
def test_invocation_ids_are_completed_the_newest_first(mode: str, ref: Any, argument: str) -> None:
    for invocation in ("4f0c000000000001", "77ab000000000002", "4f0c000000000003"):
        _launched(invocation)
    assert _completed(mode, ref, argument, "4f0c").values == ["4f0c000000000003", "4f0c000000000001"]
    assert len(_completed(mode, ref, argument, "").values) == 3


@MODES
def test_no_more_than_a_hundred_are_given_and_how_many_there_are_is_said(mode: str) -> None:
    found = _completed(mode, EVALUATE, "benchmarks", "")
    assert len(found.values) == 100
    assert found.total > len(load_catalogue().tasks)
    assert found.has_more


@MODES
def test_what_is_not_known_is_completed_by_nothing(mode: str) -> None:
    for ref in (PromptReference(name="compare_with_baseline"), ResourceTemplateReference(uri="quantgate://other/{x}")):
        assert _completed(mode, ref, "margin", "0").values == []


def test_checkpoints_of_workspaces_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tmp_path / "nvfp4" / "output" / "model-nvfp4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    monkeypatch.setenv("MODELOPT_WORKSPACE_ROOT", str(tmp_path))
    assert _completed("auto", EVALUATE, "model", "").values == [str(checkpoint)]


def test_a_ledger_that_cannot_be_read_completes_nothing_and_says_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _launched("4f0c000000000001")
    ledger.path().write_bytes(b"this is no database" * 100)
    assert _completed("auto", PromptReference(name="why_did_my_run_fail"), "run", "").values == []


def test_completing_is_fast_and_loads_nothing_of_the_launcher() -> None:
    code = (
        "import sys, quantgate.server as s; s.build(); from quantgate.server.completion import completed; "
        "p = 'evaluate_quantized_checkpoint'; assert completed(p, 'benchmarks', 'mmlu').values; "
        "assert completed('why_did_my_run_fail', 'run', '') is not None; "
        "print([m for m in sys.modules if m.startswith(('nemo_evaluator', 'hydra', 'omegaconf', 'numpy', 'paramiko'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    from quantgate.server.completion import completed

    completed(EVALUATE.name, "benchmarks", "")
    began = time.monotonic()
    for _ in range(20):
        completed(EVALUATE.name, "benchmarks", "simple_evals.gp")
    assert (time.monotonic() - began) / 20 < 0.1
