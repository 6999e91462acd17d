from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantgate.results.checks import identity
from quantgate.results.launch_record import NO_RECORD, LaunchRecord
from quantgate.results.run_config import RunConfig
from quantgate.runs.rundir import RunDir
from quantgate.runs.scanning.scan import scan

from ...runs.building import TASK, real_copy
from .made import EXPECTED
from .test_answers import kind
from .test_logs import LLAMACPP, VLLM

USED: dict[str, Any] = {
    "temperature": 0.6,
    "top_p": 0.95,
    "max_new_tokens": 1024,
    "parallelism": 16,
    "limit_samples": 10,
    "extra": {"num_repeats": 4, "args": "++x=1"},
}
CONFIG = RunConfig(None, "served", "http://h/v1/chat/completions", USED)
RECORD = LaunchRecord(kind="full", params={TASK: {}}, model_id="served")


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return real_copy(tmp_path)


@pytest.mark.parametrize(
    ("planned", "expected", "said"),
    [
        ({"temperature": 0.6, "extra": {"num_repeats": 4}}, "ok", "the 2 of the config"),
        ({"temperature": "6e-1", "top_p": 0.95, "max_new_tokens": 1024.0}, "ok", ""),
        ({"temperature": 0.0}, "invalid", "temperature: 0.6 was used, 0.0 in the config"),
        ({"extra": {"num_repeats": 8}}, "invalid", "extra.num_repeats: 4 was used, 8 in the config"),
        ({"top_k": 20}, "invalid", "top_k: None was used, 20 in the config"),
        ({"top_k": None, "extra": {"stop": []}}, "ok", ""),
        ({"parallelism": 4}, "warns", "parallelism: 16 was used, 4 in the config"),
        ({"parallelism": 4, "top_p": 1}, "invalid", "top_p"),
        ({"limit_samples": None}, "ok", ""),
        ({"extra": {"args": "${oc.env:ARGS}"}}, "ok", ""),
    ],
)
def test_the_parameters_that_were_used_are_those_of_the_config(
    run: RunDir, planned: dict[str, Any], expected: str, said: str
) -> None:
    found = identity.parameters(run.tasks[0], CONFIG, replace(RECORD, params={TASK: planned}))
    assert kind(found) == expected
    assert said in found.detail


ADAPTER = {
    "params_to_add": {"chat_template_kwargs": {"enable_thinking": False}},
    "custom_system_prompt": "Answer.",
    "use_caching": True,
    "process_reasoning_traces": False,
}


@pytest.mark.parametrize(
    ("planned", "expected", "said"),
    [
        (ADAPTER, "ok", "the 4 of the config"),
        ({"type": "chat"}, "ok", ""),
        ({"type": "completions"}, "invalid", "type: chat was used, completions in the config"),
        ({"params_to_add": {"top_k": 20}}, "invalid", "params_to_add.top_k: None was used, 20 in the config"),
        (
            {"params_to_add": {"chat_template_kwargs": {"enable_thinking": True}}},
            "invalid",
            "enable_thinking: False was used",
        ),
        ({"custom_system_prompt": "Think."}, "invalid", "custom_system_prompt: Answer. was used"),
        ({"use_caching": False}, "invalid", "use_caching: True was used"),
        ({"process_reasoning_traces": True}, "invalid", "process_reasoning_traces: False was used"),
    ],
)
def test_the_adapter_did_what_the_config_says(run: RunDir, planned: dict[str, Any], expected: str, said: str) -> None:
    config = replace(CONFIG, adapter=ADAPTER, endpoint_type="chat")
    found = identity.parameters(run.tasks[0], config, replace(RECORD, endpoint={TASK: planned}))
    assert kind(found) == expected
    assert said in found.detail


def test_a_parameter_that_neither_config_nor_catalogue_has_is_told(run: RunDir) -> None:
    defaults = {**USED, "max_new_tokens": 16384}
    record = replace(RECORD, params={TASK: {"temperature": 0.6}}, defaults={TASK: defaults})
    found = identity.parameters(run.tasks[0], CONFIG, record)
    assert kind(found) == "warns"
    assert found.detail == "max_new_tokens: 1024 was used, and neither the config nor the catalogue has it"
    same = replace(record, defaults={TASK: USED})
    assert kind(identity.parameters(run.tasks[0], CONFIG, same)) == "ok"


def test_parameters_that_nobody_wrote_down_are_not_shown(run: RunDir) -> None:
    assert kind(identity.parameters(run.tasks[0], CONFIG, NO_RECORD)) == "not shown"
    assert kind(identity.parameters(run.tasks[0], None, RECORD)) == "not shown"


def test_the_model_that_was_asked_for_is_the_one_of_the_config_and_one_that_was_served() -> None:
    assert kind(identity.model(CONFIG, RECORD)) == "ok"
    assert kind(identity.model(CONFIG, NO_RECORD)) == "ok"
    other = identity.model(CONFIG, replace(RECORD, model_id="other"))
    assert (kind(other), "the config names other" in other.detail) == ("invalid", True)
    unserved = identity.model(CONFIG, replace(RECORD, served=("base",), served_at="http://h/v1/models"))
    assert (kind(unserved), "http://h/v1/models listed base" in unserved.detail) == ("invalid", True)
    assert kind(identity.model(CONFIG, replace(RECORD, served=("base", "served")))) == "ok"
    assert kind(identity.model(RunConfig(None, "", "", {}), RECORD)) == "incomplete"


@pytest.mark.parametrize(
    ("kind_of_run", "used", "expected"),
    [
        ("full", None, "ok"),
        ("full", 20.0, "invalid"),
        ("canary", 10.0, "ok"),
        ("subset", 20.0, "invalid"),
        ("external", 10.0, "ok"),
    ],
)
def test_a_limit_that_was_left_in_makes_a_full_run_invalid(kind_of_run: str, used: float | None, expected: str) -> None:
    config = replace(CONFIG, limit=used)
    # What a run of its own was limited to is what is declared of it, where nobody else declared anything.
    declared = replace(EXPECTED, limit=10 if kind_of_run != "full" else None if used is None else int(used))
    record = replace(RECORD, kind=kind_of_run)
    assert kind(identity.limit_as_declared(config, "", declared, record)) == expected


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"args": "--num_fewshot 5 --limit 10"}, "extra.args has --limit 10"),
        ({"args": "++prompt=x ++max_samples=20"}, "extra.args has ++max_samples=20"),
        ({"downsampling_ratio": 0.1}, "extra.downsampling_ratio=0.1"),
    ],
)
def test_a_limit_that_only_the_harness_gets_is_told(extra: dict[str, Any], said: str) -> None:
    found = identity.limit_as_declared(replace(CONFIG, params={"extra": extra}), "", EXPECTED, RECORD)
    assert (kind(found), found.detail) == ("warns", f"the harness is given a limit of its own: {said}")


@pytest.mark.parametrize(
    "extra",
    [
        {"args": "--limit-mm-per-prompt image=2 --max_tokens 10"},
        {"downsampling_ratio": None},
        {"downsampling_ratio": 1.0},
    ],
)
def test_other_words_are_no_limit(extra: dict[str, Any]) -> None:
    assert kind(identity.limit_as_declared(replace(CONFIG, params={"extra": extra}), "", EXPECTED, RECORD)) == "ok"


def test_an_endpoints_own_word_does_not_show_which_weights_answered(run: RunDir) -> None:
    record = replace(
        RECORD, served=("served",), served_at="http://h/v1/models", checkpoint="/models/q", identity="0123456789abcdef"
    )
    found = identity.checkpoint(run.tasks[0], scan(run.tasks), record)
    assert kind(found) == "not shown"
    assert "http://h/v1/models listed served at the launch" in found.detail
    assert "the config declares /models/q (identity 0123456789ab at the launch)" in found.detail


def test_the_servers_log_shows_the_checkpoint_with_its_place(run: RunDir) -> None:
    (run.tasks[0].logs / "server_stdout.log").write_text("\n".join(LLAMACPP) + "\n")
    found = identity.checkpoint(run.tasks[0], scan(run.tasks), NO_RECORD)
    assert (kind(found), found.detail) == ("ok", f"{TASK}/server_stdout.log:2: the server loaded /models/m-q4.gguf")
    assert identity.served(run.tasks[0], scan(run.tasks)) == ("/models/m-q4.gguf",)


SCRIPT = "docker run --rm --shm-size=100g --gpus all \\\n  -v /models/q:/checkpoint:ro \\\n  -v /cache:/cache \\\n  image vllm\n"


@pytest.mark.parametrize(
    ("deployed", "expected"),
    [("/models/q", "ok"), ("/models/q/", "ok"), ("/models/base", "invalid"), ("org/model", "ok")],
)
def test_the_mount_of_the_servers_container_is_the_checkpoint_of_the_config(
    run: RunDir, deployed: str, expected: str
) -> None:
    (run.tasks[0].path / "run.sh").write_text(SCRIPT)
    (run.tasks[0].logs / "server_stdout.log").write_text("\n".join(VLLM) + "\n")
    found = identity.checkpoint(run.tasks[0], scan(run.tasks), replace(RECORD, checkpoint=deployed, deployed=True))
    assert kind(found) == expected
    assert "run.sh mounts /models/q as /checkpoint" in found.detail
    assert f"{TASK}/server_stdout.log:1: the server loaded /checkpoint" in found.detail
    assert identity.served(run.tasks[0], scan(run.tasks)) == ("/models/q",)  # /checkpoint is a place in a container


def test_a_mount_of_a_slurm_script_is_found_and_two_servers_prove_nothing(run: RunDir) -> None:
    script = run.tasks[0].path / "run.sub"
    script.write_text("srun --container-mounts /lustre/q:/checkpoint:ro,/cache:/cache --container-image i cmd\n")
    assert "run.sub mounts /lustre/q" in identity.checkpoint(run.tasks[0], scan(run.tasks), NO_RECORD).detail
    assert identity.served(run.tasks[0], scan(run.tasks)) == ("/lustre/q",)
    script.write_text(script.read_text() + "srun --container-mounts /lustre/judge:/checkpoint:ro cmd\n")
    assert kind(identity.checkpoint(run.tasks[0], scan(run.tasks), NO_RECORD)) == "not shown"


def test_a_server_that_came_back_with_another_checkpoint_makes_the_run_invalid(run: RunDir) -> None:
    lines = [*VLLM, *(line.replace("/checkpoint", "/checkpoint-base") for line in VLLM)]
    (run.tasks[0].logs / "server_stdout.log").write_text("\n".join(lines) + "\n")
    found = identity.checkpoint(run.tasks[0], scan(run.tasks), NO_RECORD)
    assert kind(found) == "invalid"
    assert "different checkpoints" in found.detail


def test_a_draft_model_beside_the_model_is_no_contradiction(run: RunDir) -> None:
    draft = LLAMACPP[1].replace("m-q4.gguf", "draft.gguf")
    (run.tasks[0].logs / "server_stdout.log").write_text("\n".join([*LLAMACPP, draft]) + "\n")
    found = identity.checkpoint(run.tasks[0], scan(run.tasks), NO_RECORD)
    assert kind(found) == "ok"
    assert "loaded /models/m-q4.gguf" in found.detail
    assert "loaded /models/draft.gguf" in found.detail


def test_a_slash_at_the_end_of_a_mount_is_no_other_checkpoint(run: RunDir) -> None:
    (run.tasks[0].path / "run.sh").write_text(SCRIPT.replace("/models/q:", "/models/q/:"))
    record = replace(RECORD, checkpoint="/models/q", deployed=True)
    assert kind(identity.checkpoint(run.tasks[0], scan(run.tasks), record)) == "ok"


def test_no_key_in_a_parameter_gets_into_a_detail(run: RunDir) -> None:
    key = "nvapi-" + "z" * 40
    record = replace(RECORD, params={TASK: {"extra": {"judge": {"api_key": key}}}})
    assert "zzzz" not in identity.parameters(run.tasks[0], CONFIG, record).detail
