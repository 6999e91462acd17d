"""How a task was run, read from what its own directory records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.compare import comparability
from quantgate.compare.comparability import Compared, compared
from quantgate.compare.protocol import Protocol, read_protocol
from quantgate.runs.rundir import RunDir, TaskDir
from tests.requirements import require

from ..runs.building import TASK, empty_task, real_copy
from . import made_runs


def _severity(found: Compared) -> str:
    return found.difference.severity if found.difference else ""


def test_the_protocol_of_the_real_run_has_what_was_really_used(tmp_path: Path) -> None:
    (task,) = real_copy(tmp_path).tasks
    values = read_protocol(task, "ifbench").values
    assert values["params.temperature"] == "0.01"
    assert values["params.max_new_tokens"] == "96"
    assert values["endpoint.type"] == "chat"
    assert (values["harness.name"], values["harness.task"]) == ("ifbench", "ifbench")


def test_numbers_are_equal_in_every_spelling(tmp_path: Path) -> None:
    protocols = []
    for spelled in (0, 0.0, "0.0"):
        task = empty_task(tmp_path, f"{len(protocols)}.0")
        (task.artifacts / "run_config.yml").write_text(yaml.safe_dump({"config": {"params": {"temperature": spelled}}}))
        protocols.append(read_protocol(task, "ifbench"))
    assert {p.values["params.temperature"] for p in protocols} == {"0"}


def _with(task: TaskDir, metadata: dict[str, Any]) -> Protocol:
    (task.artifacts / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return read_protocol(task, "ifbench")


def test_the_server_s_flags_are_read_in_every_spelling_and_never_run(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    command = "bash -c 'x' ; vllm serve /m --kv_cache_dtype=fp8 -tp 4 --max-model-len 8192; touch /tmp/never"
    found = _with(task, made_runs.metadata("/m", command, image="vllm:0.11"))
    assert found.values["deployment.flags.--kv-cache-dtype"] == "fp8"
    assert found.values["deployment.flags.--tensor-parallel-size"] == "4"
    assert found.values["deployment.image"] == "vllm:0.11"
    assert found.values["launcher.version"] == "0.2.6"
    extra = _with(task, made_runs.metadata("/m", "", extra_args="--kv-cache-dtype fp8"))
    assert extra.values["deployment.flags.--kv-cache-dtype"] == "fp8"


@pytest.mark.parametrize(
    "command",
    [
        "vllm serve /m --chat-template 'b.jinja --reasoning-parser qwen3",
        "bash -c 'vllm serve /m --reasoning-parser qwen3'",
        "vllm serve /m $(cat flags)",
        "vllm serve /m $FLAGS --kv-cache-dtype fp8",
    ],
)
def test_flags_that_cannot_be_read_are_unknown_and_the_command_is_compared_as_it_stands(
    command: str, tmp_path: Path
) -> None:
    task = empty_task(tmp_path)
    plain = _with(task, made_runs.metadata("/m", "vllm serve /m --chat-template b.jinja --kv-cache-dtype auto"))
    found = {row.label: row for row in compared(plain, _with(task, made_runs.metadata("/m", command)))}
    assert found["chat template"].unknown
    assert found["KV cache dtype"].unknown
    assert _severity(found["server command"]) == "warning"
    assert not [row for row in found.values() if _severity(row) == "blocking"]
    both = {row.label: row for row in compared(plain, plain)}
    assert not both["chat template"].unknown
    assert "server command" not in both


def test_text_that_looks_like_a_number_stays_what_it_names(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    params = {"top_p": "1e-1", "extra": {"revision": "12e45678", "version": "1.10", "seed": 1234567890123456789}}
    (task.artifacts / "run_config.yml").write_text(yaml.safe_dump({"config": {"params": params}}))
    (task.artifacts / "metadata.yaml").write_text(
        yaml.safe_dump({"versioning": {"git-hash": "12e45678", "nemo_evaluator": "0.10"}})
    )
    values = read_protocol(task, "ifbench").values
    assert (values["build.commit"], values["evaluator.version"]) == ("12e45678", "0.10")
    assert (values["params.extra.revision"], values["params.extra.version"]) == ("12e45678", "1.10")
    assert (values["params.top_p"], values["params.extra.seed"]) == ("0.1", "1234567890123456789")


def test_the_container_is_read_from_the_launchers_own_scripts(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    # As NEL 0.2.6 writes them (executors/local/run.template.sh, executors/slurm/executor.py), cut to what matters.
    (task.path / "run.sh").write_text(
        "        docker run --rm --entrypoint '' \\\n        vllm/vllm-openai:v0.11 \\\n        vllm serve /m > server.log 2>&1 &\n"
        '        docker run --shm-size=100g --name "$C" \\\n      --volume "$artifacts_dir":/results \\\n      -e KEY \\\n'
        "      nvcr.io/nvidia/eval-factory/ifbench:26.03 \\\n      bash -c '\n        echo\n      '\n"
    )
    assert read_protocol(task, "ifbench").values["container.image"] == "nvcr.io/nvidia/eval-factory/ifbench:26.03"
    (task.path / "run.sub").write_text(
        "    srun --mpi pmix --container-image image:model --container-mounts /a:/results --output /l/server-0.log serve\n"
        "srun --mpi pmix --container-image reg/ifbench:26.01 --container-mounts /a:/results --output /l/client-%A.log bash -c '\n"
        "srun --nodes 1 --container-image python:3.12 --output /l/export-%A.log bash\n"
    )
    assert read_protocol(task, "ifbench").values["container.image"] == "reg/ifbench:26.01"


def test_the_wheel_of_a_process_run_is_read_from_its_log(tmp_path: Path) -> None:
    from quantgate.launcher import harness_env, harnesses

    task = empty_task(tmp_path)
    key = harness_env.key(harnesses.require_wheel("ifbench"))
    (task.logs / "stdout.log").write_text(f"2026-11-21T11:59:45Z harness environment /cache/builds/{key}-e71b35be\n")
    assert read_protocol(task, "ifbench").values["container.image"] == "nvidia-ifbench==26.3"
    (task.logs / "stdout.log").write_text("x harness environment /cache/builds/ifbench-py3.10-0123456789-e71b35be\n")
    assert read_protocol(task, "ifbench").values["container.image"] == "ifbench-py3.10-0123456789"


@pytest.mark.parametrize(
    "content", [b"", b"a: [", b"- 1\n", b"\xff\xfe", b"config: 3\ntarget: []\n", b"config: {params: [1]}\n"]
)
def test_broken_files_leave_things_unknown(content: bytes, tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    for name in ("run_config.yml", "metadata.yaml"):
        (task.artifacts / name).write_bytes(content)
    (task.path / "run.sub").write_bytes(content)
    assert isinstance(read_protocol(task, "ifbench"), Protocol)


def test_a_config_of_endless_values_is_cut(tmp_path: Path) -> None:
    task = empty_task(tmp_path)
    (task.artifacts / "run_config.yml").write_text(
        yaml.safe_dump({"config": {"params": {"extra": {f"k{i}": i for i in range(4_000)}}}})
    )
    values = read_protocol(task, "").values
    assert len(values) < 3000
    assert (
        len(comparability.compared(Protocol(values, frozenset({"params"})), Protocol({}, frozenset({"params"})))) < 3000
    )


def test_a_task_s_versions_come_from_the_harness_own_results(tmp_path: Path) -> None:
    run = made_runs.run(tmp_path, made_runs.Made(made_runs.right(10, 20)))
    folder = made_runs.artifacts(run) / "org__model"
    folder.mkdir()
    # The layout of lm-evaluation-harness 0.4 (results_<date>.json).
    (folder / "results_2026-11-21T10-00-00.json").write_text('{"results": {}, "versions": {"mmlu_pro": 2.1}}')
    task = RunDir.find(run).task(TASK)
    assert task is not None
    assert read_protocol(task, "lm-evaluation-harness").values["version.mmlu_pro"] == "2.1"


def test_a_named_pipe_in_a_tasks_directory_keeps_nobody_waiting(tmp_path: Path) -> None:
    require(hasattr(os, "mkfifo"), "this system has no named pipes in directories")
    task = empty_task(tmp_path)
    for name in ("run.sub", "run.sh"):
        os.mkfifo(task.path / name)
    assert read_protocol(task, "ifbench").values == {}
