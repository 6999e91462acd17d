"""One serving command with the flags that the checkpoint needs; what the user wrote stays, and conflicts are shown."""

import json
from pathlib import Path

import pytest

from quantgate.errors import BadInput, ConfigError
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.edit import Edited, Request, edit

from ..checkpoint.made import SAMPLES, checkpoint
from .made import SLURM, write

QWEN = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": 8, "num_experts_per_tok": 2}
TEMPLATE = "{% if tools %}<tool_call>{% endif %}{% if enable_thinking %}<think>{% endif %}"


def _edit(path: Path, **request: object) -> Edited:
    return edit(str(path), Request(**request))  # type: ignore[arg-type]


def _command(path: Path) -> str:
    command = compose(path).config["deployment"]["command"]
    assert isinstance(command, str)
    return command


def _own(command: str, rest: str = "") -> str:
    return SLURM.replace("deployment:\n  image", f"deployment:\n  command: >-\n{command}{rest}  image")


OWN = """\
    vllm serve /checkpoint
    --served-model-name ${deployment.served_model_name}
    --host 0.0.0.0 --port ${deployment.port}
    --max-model-len 2048
"""


@pytest.fixture
def moe(tmp_path: Path) -> Path:
    path = checkpoint(tmp_path / "m-moe", **QWEN)
    (path / "chat_template.jinja").write_text(TEMPLATE)
    (path / "generation_config.json").write_text(json.dumps({"temperature": 0.6, "top_p": 0.95, "top_k": 20}))
    return path


def test_the_fields_become_one_command_with_the_checkpoints_flags(tmp_path: Path) -> None:
    text = SLURM.replace(
        "  served_model_name: m\n",
        "  served_model_name: m\n  tensor_parallel_size: 2 # half a node\n  extra_args: --swap-space 4 --seed=7\n",
    )
    path = write(tmp_path, text)
    done = _edit(path, model=str(SAMPLES / "nvfp4_default+fp8_kv"))
    assert path.read_text() == text.replace("/shared/models/m-NVFP4", str(SAMPLES / "nvfp4_default+fp8_kv")).replace(
        "  tensor_parallel_size: 2 # half a node\n  extra_args: --swap-space 4 --seed=7\n",
        """\
  # tensor_parallel_size: 2 # half a node
  command: >-
    vllm serve /checkpoint
    --served-model-name ${deployment.served_model_name}
    --host 0.0.0.0
    --port ${deployment.port}
    --tensor-parallel-size 2
    --gpu-memory-utilization 0.95
    --swap-space 4
    --seed=7
    --max-model-len 131072
    --kv-cache-dtype fp8
    --max-num-batched-tokens 8192
    --enable-chunked-prefill
    --model-loader-extra-config '{"enable_multithread_load": true, "num_threads": 128}'
    --max-num-seqs 16
""",
    )
    assert "+    --kv-cache-dtype fp8" in done.diff
    assert any("--kv-cache-dtype fp8 (the KV-cache algorithm FP8 recorded" in note for note in done.notes)
    assert not {"D01", "D02", "D03", "D05", "D14"} & {finding.rule for finding in done.report.findings}


@pytest.mark.parametrize("deployment", ["vllm", "sglang", "trtllm", "vllm_ray"])
def test_a_second_edit_changes_nothing(tmp_path: Path, moe: Path, deployment: str) -> None:
    path = write(tmp_path, SLURM.replace("deployment: vllm", f"deployment: {deployment}"))
    assert _edit(path, model=str(moe)).diff
    before = path.read_text()
    assert _edit(path, model=str(moe)).diff == ""
    assert path.read_text() == before


def test_the_packaged_sizes_stay_in_force_when_the_command_is_composed(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    before = compose(path).config["deployment"]
    assert before["tensor_parallel_size"] == 8
    _edit(path, model=str(SAMPLES / "fp8_default"))
    assert "--tensor-parallel-size 8" in _command(path)
    assert f"--gpu-memory-utilization {before['gpu_memory_utilization']}" in _command(path)


def test_experts_parsers_and_defaults_come_with_their_reasons(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, SLURM)
    notes = "\n".join(_edit(path, model=str(moe)).notes)
    command = _command(path)
    for flag in (
        "--enable-expert-parallel",
        "--reasoning-parser qwen3",
        "--max-model-len 4096",
        "--enable-auto-tool-choice",
    ):
        assert flag in command
    assert "8 experts in config.json" in notes
    assert "chat_template.jinja" in notes
    assert "--trust-remote-code" not in command
    assert "trusts remote code" in notes


def test_sglang_and_trtllm_get_commands_in_their_own_words(tmp_path: Path, moe: Path) -> None:
    sglang = write(tmp_path, SLURM.replace("deployment: vllm", "deployment: sglang"), "a.yaml")
    trtllm = write(tmp_path, SLURM.replace("deployment: vllm", "deployment: trtllm"), "b.yaml")
    _edit(sglang, model=str(moe))
    _edit(trtllm, model=str(moe))
    assert _command(sglang).startswith("python3 -m sglang.launch_server --model-path /checkpoint ")
    assert "--tp-size 8" in _command(sglang)
    assert "--context-length 4096" in _command(sglang)
    assert "trtllm-serve serve /checkpoint" in _command(trtllm)
    assert "--max_seq_len 4096" in _command(trtllm)


def test_a_command_of_the_users_gets_what_it_lacks_and_keeps_what_it_has(tmp_path: Path, moe: Path) -> None:
    text = _own(OWN.replace("    --host", "    --reasoning-parser my_own\n    --host"))
    path = write(tmp_path, text)
    done = _edit(path, model=str(moe))
    command = _command(path)
    assert "--max-model-len 2048" in command
    assert "--reasoning-parser my_own" in command
    assert "--tool-call-parser hermes" in command
    assert "--gpu-memory-utilization" not in command, "vLLM's own default was in force, and stays"
    conflicts = [note for note in done.notes if note.startswith("conflict")]
    assert any("2048" in note and "4096" in note and "config.json" in note for note in conflicts)
    assert any("my_own" in note and "qwen3" in note for note in conflicts)
    kept = [line for line in text.splitlines() if "checkpoint_path" not in line]
    assert [line for line in path.read_text().splitlines() if line in kept] == kept, "no line of the user's is gone"


def test_a_conflict_names_the_edit_that_resolves_it(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, _own(OWN))
    _edit(path, model=str(moe), set=["deployment.command.--max-model-len=4096"])
    assert "--max-model-len 4096" in path.read_text()
    assert not any("max-model-len" in note and "conflict" in note for note in _edit(path, model=str(moe)).notes)


def test_an_own_command_without_name_and_port_gets_them(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, _own("    vllm serve /checkpoint --seed 1\n"))
    _edit(path, model=str(moe))
    assert "--served-model-name ${deployment.served_model_name}" in path.read_text()
    assert "--port 8000" in _command(path)


def test_fields_that_an_own_command_does_not_read_go_into_it_or_are_shown_as_a_conflict(
    tmp_path: Path, moe: Path
) -> None:
    fields = '  tensor_parallel_size: 4\n  data_parallel_size: 2\n  extra_args: "--seed 3 --max-model-len 512"\n'
    path = write(tmp_path, _own(OWN + "    --data-parallel-size 1\n", fields))
    done = _edit(path, model=str(moe))
    deployment = compose(path).config["deployment"]
    assert "--tensor-parallel-size 4" in deployment["command"]
    assert "--seed 3" in deployment["command"]
    assert (deployment["data_parallel_size"], deployment["extra_args"]) == (2, "--max-model-len 512")
    assert "tensor_parallel_size: 4" not in path.read_text()
    assert any("data_parallel_size is 2" in note and "--data-parallel-size 1" in note for note in done.notes)
    assert any("extra_args has --max-model-len 512" in note and "2048" in note for note in done.notes)


def test_a_flag_that_must_not_be_set_is_reported_and_stays(tmp_path: Path) -> None:
    path = write(tmp_path, _own(OWN + "    --quantization modelopt\n"))
    done = _edit(path, model=str(SAMPLES / "nvfp4_default"))
    assert "--quantization modelopt" in _command(path)
    assert any("must not be set" in note and "--quantization" in note for note in done.notes)


def test_a_handle_is_served_by_reference_and_a_path_by_the_mount(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, _own(OWN))
    _edit(path, model="org/model")
    assert "vllm serve ${deployment.hf_model_handle}\n" in path.read_text()
    assert _command(path).startswith("vllm serve org/model ")
    _edit(path, model=str(moe))
    assert "vllm serve /checkpoint\n" in path.read_text()


def test_a_command_that_serves_another_model_is_left_and_reported(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, _own("    vllm serve other/model --port 8000\n"))
    done = _edit(path, model=str(moe))
    assert "vllm serve other/model" in path.read_text()
    assert any("serves other/model" in note and "/checkpoint" in note for note in done.notes)


def test_a_script_is_left_as_it_is_and_its_flags_are_named(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, _own('    bash -c "source /x.sh && exec ./start $PORT"\n'))
    done = _edit(path, model=str(moe))
    assert "source /x.sh && exec ./start $PORT" in path.read_text()
    assert "--reasoning-parser" not in path.read_text()
    assert any("--reasoning-parser qwen3" in note and "nothing was added" in note for note in done.notes)


@pytest.mark.parametrize("model", ["login:/shared/other", "/shared/not/here"])
def test_a_checkpoint_on_the_cluster_gives_its_path_and_says_which_flags_are_open(tmp_path: Path, model: str) -> None:
    path = write(tmp_path, SLURM)
    done = _edit(path, model=model)
    assert compose(path).config["deployment"]["checkpoint_path"] == model.removeprefix("login:")
    assert "command:" not in path.read_text()
    (note,) = [note for note in done.notes if "no serving flags" in note]
    for word in ("--max-model-len", "KV-cache", "reasoning"):
        assert word in note


def test_lepton_reads_the_fields_and_so_the_flags_go_there(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, SLURM.replace("execution:\n", "execution:\n  type: lepton\n"))
    _edit(path, model=str(moe))
    assert "command:" not in path.read_text()
    assert "--reasoning-parser qwen3" in compose(path).config["deployment"]["extra_args"]


def test_ray_takes_the_command_from_base_command(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, SLURM.replace("deployment: vllm", "deployment: vllm_ray"))
    _edit(path, model=str(moe))
    assert "  base_command: >-\n    vllm serve /checkpoint\n" in path.read_text()
    assert "ray start --head" in _command(path)
    assert "--reasoning-parser qwen3" in _command(path)


def test_a_generic_deployment_is_understood_by_its_program_or_left(tmp_path: Path, moe: Path) -> None:
    generic = _own("    vllm serve /checkpoint\n").replace("deployment: vllm", "deployment: generic")
    known = write(tmp_path, generic.replace("  hf_model_handle: null\n", ""), "a.yaml")
    _edit(known, model=str(moe))
    assert "--reasoning-parser qwen3" in _command(known)
    other = write(tmp_path, generic.replace("vllm serve", "/opt/serve"), "b.yaml")
    done = _edit(other, model=str(moe))
    assert "--reasoning-parser" not in _command(other)
    assert any("no server that is known" in note for note in done.notes)


def test_open_sampling_settings_are_the_models_and_given_ones_stay(tmp_path: Path, moe: Path) -> None:
    path = write(
        tmp_path, SLURM.replace("parallelism: 16", "parallelism: 16\n        top_p: 1.0\n        temperature: ???")
    )
    done = _edit(path, model=str(moe))
    params = compose(path).tasks[0].params
    assert (params["temperature"], params["top_p"]) == (0.6, 1.0)
    assert any("temperature was open and is now 0.6" in note for note in done.notes)
    assert any("top_p is 1.0 and was left" in note and "0.95" in note for note in done.notes)


def test_a_log_probability_suite_gets_no_sampling_settings(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, SLURM.replace("nemo_skills.ns_mmlu_pro", "lm-evaluation-harness.hellaswag"))
    _edit(path, model=str(moe))
    assert "temperature" not in path.read_text()


def test_a_suite_that_takes_completions_and_generates_gets_the_models_sampling(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, SLURM.replace("nemo_skills.ns_mmlu_pro", "lm-evaluation-harness.gsm8k"))
    _edit(path, model=str(moe))
    assert compose(path).tasks[0].params["temperature"] == 0.6


def test_a_field_with_an_anchor_stays_because_something_else_refers_to_it(tmp_path: Path, moe: Path) -> None:
    text = (
        SLURM.replace("  served_model_name: m\n", "  served_model_name: m\n  tensor_parallel_size: &tp 2\n")
        + "x-tp: *tp\n"
    )
    path = write(tmp_path, text)
    done = _edit(path, model=str(moe))
    assert "tensor_parallel_size: &tp 2" in path.read_text()
    assert "--tensor-parallel-size 2" in _command(path)
    assert any("anchor" in note for note in done.notes)


def test_an_open_or_referring_size_stays_a_field_that_the_command_refers_to(tmp_path: Path, moe: Path) -> None:
    text = SLURM.replace("  served_model_name: m\n", "  served_model_name: m\n  tensor_parallel_size: ???\n")
    path = write(tmp_path, text)
    done = _edit(path, model=str(moe))
    assert "--tensor-parallel-size ${deployment.tensor_parallel_size}" in path.read_text()
    assert "deployment.tensor_parallel_size" in [gap.path for gap in done.missing]


def test_extra_args_that_hold_a_second_command_are_not_composed(tmp_path: Path, moe: Path) -> None:
    path = write(tmp_path, SLURM.replace("  image:", '  extra_args: "--seed 1; touch /tmp/x"\n  image:'))
    done = _edit(path, model=str(moe))
    assert "command:" not in path.read_text()
    assert any("more than arguments" in note for note in done.notes)


def test_a_path_that_a_mount_would_take_apart_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    bad = checkpoint(tmp_path / "a b; c", **QWEN)
    with pytest.raises(BadInput, match="takes apart"):
        _edit(path, model=str(bad))
    assert path.read_text() == SLURM


def test_a_deployment_in_braces_is_edited_or_refused_and_never_mangled(tmp_path: Path, moe: Path) -> None:
    inline = "deployment: {image: 'vllm/vllm-openai:v0.11.0', served_model_name: m, tensor_parallel_size: 2}\n"
    text = SLURM[: SLURM.index("deployment:\n")] + inline + SLURM[SLURM.index("evaluation:") :]
    path = write(tmp_path, text)
    try:
        _edit(path, model=str(moe))
    except ConfigError:
        assert path.read_text() == text
    else:
        assert "--tensor-parallel-size 2" in _command(path)
        assert "tensor_parallel_size: 2" not in path.read_text()
