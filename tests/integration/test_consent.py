"""A run past its gates for real: a person says yes, the config's own command runs, and what the score says of it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from quantgate.demo.small_model import Endpoint
from quantgate.launcher.commands import TRUST_COMMANDS
from quantgate.tools.verify_run import VerifyRunResult, verify_run

pytestmark = pytest.mark.network

REASON = "the user only wants to see one answer"
SAMPLES = 2


def _configured(config: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    from quantgate.tools.edit_config import edit_config

    edit_config(
        config=str(config),
        model=str(endpoint.weights),
        set=[
            f"target.api_endpoint.url={endpoint.url}",
            f"target.api_endpoint.model_id={endpoint.model_id}",
            f"execution.output_dir={tmp_path / 'results'}",
            "evaluation.nemo_evaluator_config.config.params.max_new_tokens=32",
            f"evaluation.pre_cmd=echo trusted=${TRUST_COMMANDS} > {tmp_path / 'prepared'}",
        ],
    )


async def _yes(context: Any, params: Any) -> types.ElicitResult:
    del context
    return types.ElicitResult(action="accept", content=dict.fromkeys(params.requested_schema["properties"], True))


async def _to_its_end(config: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {n: v for n, v in os.environ.items() if n.startswith(("QUANTGATE_", "NEMO_", "PATH"))}
    server = StdioServerParameters(command=sys.executable, args=["-m", "quantgate", "serve"], env=own)
    async with Client(stdio_client(server), elicitation_callback=_yes) as client:
        arguments = {"config": str(config), "max_samples": SAMPLES, "skip_gates_reason": REASON}
        started = await client.call_tool("run", arguments)
        assert not started.is_error, started.content
        invocation = started.structured_content["invocation_id"]
        deadline = time.monotonic() + 400
        while time.monotonic() < deadline:
            seen = await client.call_tool("status", {"invocation_ids": [invocation], "wait_seconds": 20})
            (run,) = seen.structured_content["runs"]
            if run["state"] not in {"pending", "running"}:
                return run, seen.structured_content
        raise AssertionError(f"{invocation} did not end")


def test_a_run_past_its_gates_scores_and_says_so_everywhere_also_as_a_copy(
    config: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    _configured(config, endpoint, tmp_path)
    run, seen = anyio.run(_to_its_end, config)
    assert run["state"] == "succeeded", run
    # The yes was for the launch, not for what it starts.
    assert (tmp_path / "prepared").read_text() == "trusted=\n"
    assert REASON in seen["warnings"][0]

    copy = shutil.copytree(run["run_dir"], tmp_path / "elsewhere" / Path(run["run_dir"]).name)
    for named in (run["invocation_id"], str(copy)):
        result = verify_run(named)
        assert result.verdict == "valid", result
        assert (result.subset.samples, result.subset.of) == (SAMPLES, 294)
        assert REASON in result.warnings[0]
        assert not _gates(result).ok


def _gates(result: VerifyRunResult) -> Any:
    return next(check for check in result.tasks[0].checks if check.name == "gates")
