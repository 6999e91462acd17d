"""Arguments of every tool, through the real server, in a world that refuses: no program starts, nobody answers.

An input is `{"tool": …, "arguments": {…}}`; `{room}` in a text is the directory in which a config, a checkpoint and a run lie.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from ...checkpoint import made as checkpoints
from ...evalconfig import made as configs
from ...runs.building import NAME, REAL
from .. import bundle
from ..refusing import refusing
from ..watching import CANARY, Violation
from .target import Target, at_home

RUN, CONFIG, MODEL = f"{{room}}/{NAME}", "{room}/eval.yaml", "{room}/model"
CALLS: dict[str, dict[str, Any]] = {
    "check_environment": {"workspace": "{room}", "config": CONFIG, "host": "login"},
    "list_tasks": {"query": "gpqa", "harness": "simple_evals", "endpoint_type": "chat", "limit": 5},
    "read_model_config": {"model": MODEL, "gpu_memory_gb": 80, "gpus": 8, "gpu_arch": "H100"},
    "detect_quantization": {"model": MODEL, "framework": "vllm", "gpu_arch": "B200"},
    "build_config": {
        "execution": "slurm", "deployment": "vllm", "model_type": "chat", "benchmarks": ["reasoning"],
        "output": "{room}/new.yaml",
    },
    "edit_config": {
        "config": CONFIG, "set": ["evaluation.env_vars.A=lit:x"], "unset": ["execution.x"], "add_tasks": ["mmlu_pro"],
        "layout": "haproxy:2", "gpus": 8,
    },
    "check_config": {"config": CONFIG, "preflight": True},
    "dry_run": {"config": CONFIG},
    "canary": {"config": CONFIG, "samples": 3, "tasks": ["ifbench.ifbench"], "wait_seconds": 0, "again": False},
    "run": {"config": CONFIG, "max_samples": 2, "skip_gates_reason": "because"},
    "status": {"invocation_ids": [RUN], "wait_seconds": 0},
    "logs": {"invocation_id": RUN, "task": "ifbench.ifbench.0", "source": "client", "lines": 5, "before": 100},
    "grep_slurm_logs": {"invocation_id": RUN, "pattern": "step [0-9]+", "source": "client"},
    "resume": {"invocation_id": RUN, "tasks": ["ifbench.ifbench.0"]},
    "cancel": {"invocation_id": RUN, "tasks": []},
    "verify_run": {"run": RUN},
    "compare_runs": {
        "baseline": RUN, "candidate": RUN, "margin": 0.01, "published": ["ifbench=0.3;scale=1;source=x;note=y"],
        "report": "{room}/report",
    },
    "compile_config": {
        "recipe": "model_eval", "config": "tiny_chat", "overrides": ["output_dir=./out"], "tasks": ["x"],
        "output": "{room}/compiled.yaml",
    },
}  # fmt: skip
"""A right call of every tool; a test holds it against the table."""


class Session:
    """The real server and a client in one process, kept for many calls."""

    def __init__(self) -> None:
        from anyio.from_thread import start_blocking_portal
        from mcp import Client

        from quantgate import server

        self._portal_context = start_blocking_portal()
        self._portal = self._portal_context.__enter__()
        self._client_context = self._portal.wrap_async_context_manager(Client(server.build()))
        self._client = self._client_context.__enter__()
        atexit.register(self.close)

    def call(self, tool: str, arguments: Any) -> Any:
        """The tool's answer, or its refusal."""
        return self._portal.call(lambda: self._client.call_tool(tool, arguments))

    def close(self) -> None:
        """End both."""
        atexit.unregister(self.close)
        self._client_context.__exit__(None, None, None)
        self._portal_context.__exit__(None, None, None)


@cache
def session() -> Session:
    """One for the process."""
    return Session()


def furnish(room: Path) -> None:
    """A config, a checkpoint and a run in the room."""
    configs.write(room, configs.PROCESS.replace("/tmp/results", str(room / "results")))
    checkpoints.checkpoint(room / "model", tensors={"lm_head.weight": ("BF16", (8, 8))})
    shutil.copytree(REAL, room / NAME)


def placed(value: Any, room: Path) -> Any:
    """The value with `{room}` in its texts replaced."""
    if isinstance(value, str):
        return value.replace("{room}", str(room))
    if isinstance(value, list):
        return [placed(item, room) for item in value]
    return {key: placed(item, room) for key, item in value.items()} if isinstance(value, dict) else value


def _call(data: bytes, room: Path) -> None:
    for content in bundle.unpacked(data).values():
        try:
            asked = json.loads(content)
        except (ValueError, RecursionError):
            continue
        if not isinstance(asked, dict) or not isinstance(asked.get("arguments"), dict):
            continue
        text = answer(str(asked.get("tool")), asked["arguments"], room)
        if CANARY in text:
            raise Violation("a secret of the environment is in the answer")


def answer(tool: str, arguments: dict[str, Any], room: Path) -> str:
    """What a client is told, as text; a failure that nobody foresaw is a finding."""
    from mcp.shared.exceptions import MCPError

    if tool not in CALLS:
        return ""  # the SDK's own answer
    furnish(room)
    try:
        # As a client can send it: JSON.
        sent = json.loads(json.dumps(placed(arguments, room), allow_nan=False))
        json.dumps(sent, ensure_ascii=False).encode("utf-8")
    except (ValueError, UnicodeEncodeError):
        return ""
    session()
    with refusing(room):
        try:
            told = session().call(tool, sent)
        except MCPError as error:
            return str(error)
    text = told.model_dump_json()
    if "with an unexpected" in text or "Error executing tool" in text:
        raise Violation(f"{tool} failed with what was not foreseen: {text[:400]}")
    if told.is_error and "Fix:" not in text and "Where:" not in text:
        raise Violation(f"a refusal of {tool} without a way out: {text[:300]}")
    return text


def _seeds() -> dict[str, bytes]:
    return {
        tool: bundle.packed({"call": json.dumps({"tool": tool, "arguments": a}).encode()}) for tool, a in CALLS.items()
    }


def _prepare() -> None:
    session()
    for data in list(_seeds().values())[:2]:
        with tempfile.TemporaryDirectory() as folder, at_home(Path(folder)):
            _call(data, Path(folder))


TARGET = Target("arguments", _call, _seeds, seconds=12, megabytes=300, prepare=_prepare)
