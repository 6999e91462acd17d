"""What an edit says holds for the file as it is afterwards, and a value of the user's is not lost without a word."""

from pathlib import Path

import pytest
import yaml

from quantgate.checkpoint.remote import copy as remote_copy
from quantgate.errors import BadInput, UnknownName
from quantgate.evalconfig import render
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.edit import Edited, Request, edit

from ..checkpoint.made import checkpoint
from .made import PROCESS, SLURM, write

QWEN = {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "max_position_embeddings": 40960}
PARAMS = "evaluation.nemo_evaluator_config.config.params"


def _edit(path: Path, **request: object) -> Edited:
    return edit(str(path), Request(**request))  # type: ignore[arg-type]


def _own(command: str) -> str:
    return SLURM.replace("  image:", f"  command: {command}\n  image:")


def _said(done: Edited, *words: str) -> bool:
    return any(all(word in note for word in words) for note in done.notes)


def test_a_task_is_held_against_the_address_that_the_same_call_sets(tmp_path: Path) -> None:
    text = PROCESS.replace("/v1/chat/completions", "/v1/completions").replace("ifbench.ifbench", "mmlu_redux")
    done = _edit(
        write(tmp_path, text),
        add_tasks=["simple_evals.mmlu_pro"],
        set=["target.api_endpoint.url=http://127.0.0.1:8080/v1/chat/completions"],
    )
    assert not _said(done, "cannot answer this task")


def test_a_task_is_held_against_the_context_that_the_same_call_sets(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "m-long", **{**QWEN, "max_position_embeddings": 262144})
    text = _own("vllm serve /checkpoint --max-model-len 4096").replace("/shared/models/m-NVFP4", str(model))
    path = write(tmp_path, text)
    done = _edit(path, add_tasks=["aa_lcr"], set=["deployment.command.--max-model-len=200000"])
    assert not _said(done, "was 4096")
    assert "--max-model-len 200000" in path.read_text()


def test_a_flag_that_set_keeps_below_what_a_task_needs_is_told(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "m-long", **{**QWEN, "max_position_embeddings": 262144})
    text = _own("vllm serve /checkpoint --max-model-len 4096").replace("/shared/models/m-NVFP4", str(model))
    done = _edit(write(tmp_path, text), add_tasks=["aa_lcr"], set=["deployment.command.--max-model-len=8192"])
    assert _said(done, "--max-model-len is 8192, as `set` says", "196608")


def test_a_conflict_that_the_same_call_resolves_is_none(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "m", **QWEN)
    path = write(tmp_path, _own("vllm serve /checkpoint --max-model-len 2048"))
    done = _edit(path, model=str(model), set=["deployment.command.--max-model-len=40960"])
    assert not _said(done, "conflict", "max-model-len")


def test_a_layout_with_gpus_does_not_ask_for_them(tmp_path: Path) -> None:
    done = _edit(write(tmp_path, SLURM), layout="ray:2", gpus=8)
    assert not _said(done, "give gpus")


def test_ray_without_gpus_takes_those_of_gres_and_leaves_none_idle(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM.replace("  image:", "  tensor_parallel_size: 1\n  image:"))
    done = _edit(path, layout="ray:2")
    deployment = compose(path).config["deployment"]
    assert (deployment["tensor_parallel_size"], deployment["pipeline_parallel_size"]) == (8, 2)
    assert _said(done, "gres", "8 GPUs a node")


def test_a_switch_needs_no_value_and_another_flag_does(tmp_path: Path) -> None:
    path = write(tmp_path, _own("vllm serve /checkpoint"))
    _edit(path, set=["deployment.command.--enable-expert-parallel"])
    assert "vllm serve /checkpoint --enable-expert-parallel\n" in path.read_text()
    with pytest.raises(BadInput, match="has no value"):
        _edit(path, set=["deployment.command.--max-model-len"])


def test_a_number_of_sequences_that_was_chosen_stays_and_is_a_conflict(tmp_path: Path) -> None:
    path = write(tmp_path, _own("vllm serve /checkpoint --max-num-seqs 4"))
    done = _edit(path, layout="haproxy:2")
    assert "--max-num-seqs 4" in path.read_text()
    assert _said(done, "conflict", "--max-num-seqs 4", "deployment.command.--max-num-seqs=8")


def test_a_number_of_sequences_that_was_worked_out_follows_and_says_what_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, _own("vllm serve /checkpoint --max-num-seqs 16"))
    done = _edit(path, model=str(checkpoint(tmp_path / "m", **QWEN)), layout="haproxy:2")
    assert "--max-num-seqs 8" in path.read_text()
    assert _said(done, "= 8 (was 16)")


def test_a_value_that_stood_only_in_between_is_not_said_to_have_been_there(tmp_path: Path) -> None:
    done = _edit(write(tmp_path, SLURM), layout="haproxy:4", set=[f"{PARAMS}.parallelism=64"])
    assert _said(done, "--max-num-seqs =", "= 16")
    assert not _said(done, "(was")


def test_replicas_without_a_request_are_told_with_a_parallelism(tmp_path: Path) -> None:
    done = _edit(write(tmp_path, SLURM), layout="haproxy:32")
    assert _said(done, "32 replicas share 16 requests, so 16 idle", "parallelism of 128")


def test_another_model_shows_the_old_name_and_the_old_models_flags(tmp_path: Path) -> None:
    path = write(tmp_path, _own("vllm serve /checkpoint --tool-call-parser hermes --enable-expert-parallel"))
    done = _edit(path, model="org/other")
    assert _said(done, "served_model_name is still 'm'", "set=['deployment.served_model_name=org/other']")
    assert _said(done, "--tool-call-parser hermes", "unset=['deployment.command.--tool-call-parser']")
    assert _said(done, "--enable-expert-parallel was written for")
    assert not _said(_edit(path, model="org/other"), "written for")


def test_the_context_of_nels_template_gives_way_and_a_chosen_one_does_not(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "m", **QWEN)
    for name, length, taken in (("a", 32768, 40960), ("b", 16384, 16384)):
        text = SLURM.replace("  image:", f"  extra_args: --max-model-len {length}\n  image:")
        path = write(tmp_path, text, f"{name}.yaml")
        done = _edit(path, model=str(model))
        assert f"--max-model-len {taken}\n" in path.read_text()
        assert _said(done, "NEL's template") is (length != taken)


@pytest.mark.parametrize("own", ["        <<: &low {temperature: 0.2}", "        temperature: 0.2"])
def test_a_task_with_its_own_value_is_named(tmp_path: Path, own: str) -> None:
    lines = f"\n      nemo_evaluator_config:\n       config:\n        params:\n  {own}"
    path = write(tmp_path, PROCESS.replace(" # 294 prompts", lines))
    place = "evaluation.tasks[0].nemo_evaluator_config.config.params.temperature"
    done = _edit(path, set=[f"{PARAMS}.temperature=0.6"])
    assert _said(done, "ifbench.ifbench has its own", f"set=['{place}=0.6']")
    assert not _said(_edit(path, set=[f"{PARAMS}.temperature=0.2"]), "has its own")


def test_a_known_task_that_is_gone_already_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    done = _edit(path, remove_tasks=["simple_evals.mmlu_pro"])
    assert (done.diff, path.read_text()) == ("", PROCESS)
    assert _said(done, "nothing to remove")
    with pytest.raises(UnknownName):
        _edit(path, remove_tasks=["no_such_task"])


def test_a_recipe_for_the_other_kind_of_endpoint_wants_a_second_config(tmp_path: Path) -> None:
    text = PROCESS.replace("/v1/chat/completions", "/v1/completions").replace("ifbench.ifbench", "mmlu_redux")
    assert _said(_edit(write(tmp_path, text), add_tasks=["ifbench"]), "make a second config")


def test_a_flag_without_dashes_is_shown_with_them(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="--max-model-len"):
        _edit(write(tmp_path, SLURM), set=["deployment.command.max-model-len=1000"])


def test_a_removed_task_takes_the_comment_above_it_along(tmp_path: Path) -> None:
    added = (
        " # 294 prompts\n    # knowledge\n    - name: simple_evals.mmlu_pro\n    # science\n    - name: gpqa_diamond"
    )
    path = write(tmp_path, PROCESS.replace(" # 294 prompts", added))
    _edit(path, remove_tasks=["simple_evals.mmlu_pro"])
    text = path.read_text()
    assert "# knowledge" not in text
    assert "# science" in text
    assert "# the benchmarks" in text


def test_a_flag_joins_a_continued_block_on_a_line_of_its_own(tmp_path: Path) -> None:
    block = "  command: |\n    vllm serve /checkpoint \\\n      --port 8000 \\\n      --seed 1\n  image:"
    path = write(tmp_path, SLURM.replace("  image:", block))
    _edit(path, set=["deployment.command.--max-model-len=1000"])
    assert "      --seed 1 \\\n      --max-model-len 1000\n  image:" in path.read_text()


def test_a_task_named_twice_and_an_account_that_is_none_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    with pytest.raises(BadInput, match="twice"):
        _edit(path, add_tasks=["ifbench", "ifbench"])
    with pytest.raises(BadInput, match="account"):
        _edit(path, set=["execution.account=#foo"])
    assert path.read_text() == SLURM


def test_a_question_mark_in_a_list_is_quoted_for_the_yaml_that_nel_reads() -> None:
    assert yaml.safe_load(f"a: {render.inline(['A?', 'b'])}") == {"a": ["A?", "b"]}


def test_the_gpu_is_kept_in_the_config_and_written_once(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    done = _edit(path, gpu_arch="H100")
    assert compose(path).config["quantgate"] == {"gpu_arch": "H100"}
    assert _said(done, "quantgate.gpu_arch is H100")
    assert "D40" in {finding.rule for finding in done.report.findings}
    again = _edit(path, gpu_arch="H100")
    assert again.diff == ""
    assert _said(_edit(path, gpu_arch="B200"), "quantgate.gpu_arch is B200 (was H100)")
    with pytest.raises(BadInput):
        _edit(path, gpu_arch="H999")


def test_experts_over_replicas_are_spread_whole(tmp_path: Path) -> None:
    tensors = {f"model.layers.0.mlp.experts.{n}.up_proj.weight": ("BF16", (4, 4)) for n in range(4)}
    moe = {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": 4}
    shape = {"num_hidden_layers": 1, "num_attention_heads": 8, "num_key_value_heads": 8, "hidden_size": 64}
    model = checkpoint(tmp_path / "moe", None, tensors, **{**QWEN, **moe, **shape})
    done = _edit(write(tmp_path, SLURM), model=str(model), gpus=8, gpu_memory_gb=180)
    assert "--data-parallel-size 8" in done.diff
    assert "--enable-expert-parallel" in done.diff
    assert "D21" not in {finding.rule for finding in done.report.findings}


def test_what_fits_on_sglang_says_whose_share_of_the_memory_it_takes(tmp_path: Path) -> None:
    text = SLURM.replace("deployment: vllm", "deployment: sglang").replace(
        "vllm/vllm-openai:v0.11.0", "lmsysorg/sglang:v0.5.3"
    )
    tensors = {"model.layers.0.mlp.up_proj.weight": ("BF16", (4, 4))}
    model = checkpoint(tmp_path / "m", None, tensors, **QWEN)
    assert _said(_edit(write(tmp_path, text), model=str(model), gpus=8, gpu_memory_gb=80), "taken for sglang too")


def test_a_request_s_parameter_as_a_flag_is_found_by_the_same_edit(tmp_path: Path) -> None:
    done = _edit(write(tmp_path, _own("vllm serve /checkpoint")), set=["deployment.command.--temperature=0.6"])
    assert "P32" in {finding.rule for finding in done.report.findings}


@pytest.mark.parametrize(
    ("task", "extra"),
    [
        ("lm-evaluation-harness.gsm8k", None),
        ("lm-evaluation-harness.hellaswag", {"tokenizer": "???", "tokenizer_backend": "huggingface"}),
        ("ruler.ruler-4k-chat", {"tokenizer": "???", "tokenizer_backend": "hf"}),
        ("genai_perf_eval.genai_perf_generation", {"tokenizer": "???"}),
    ],
)
def test_a_task_gets_a_tokenizer_only_where_its_harness_needs_one(
    tmp_path: Path, task: str, extra: dict[str, str] | None
) -> None:
    path = write(tmp_path, PROCESS.replace("  type: process # no container\n", ""))
    _edit(path, add_tasks=[task])
    added = yaml.safe_load(path.read_text())["evaluation"]["tasks"][1]
    found = added.get("nemo_evaluator_config", {}).get("config", {}).get("params", {}).get("extra")
    assert found == extra


def test_zero_is_a_value_of_a_flag(tmp_path: Path) -> None:
    path = write(tmp_path, _own("vllm serve /checkpoint"))
    _edit(path, set=["deployment.command.--seed=0", "deployment.command.--swap-space=0.0"])
    assert "--seed 0 --swap-space 0.0" in path.read_text()
    with pytest.raises(BadInput, match="cannot be false"):
        _edit(path, set=["deployment.command.--seed=false"])


def test_a_number_is_no_switch_where_a_task_has_its_own(tmp_path: Path) -> None:
    own = "      nemo_evaluator_config: {config: {params: {extra: {judge_support: 1}}}}\n"
    done = _edit(write(tmp_path, SLURM + own), set=[f"{PARAMS}.extra.judge_support=true"])
    assert _said(done, "has its own evaluation.tasks[0]", "judge_support (1)")


def test_the_tokenizer_of_an_added_task_is_its_own_where_another_task_is_listed_twice(tmp_path: Path) -> None:
    twice = SLURM + "    - name: nemo_skills.ns_mmlu_pro\n    - name: nemo_skills.ns_gpqa\n"
    model = str(checkpoint(tmp_path / "m", **QWEN))
    path = write(tmp_path, twice)
    _edit(path, model=model, add_tasks=["ruler.ruler-4k-chat"])
    tasks = yaml.safe_load(path.read_text())["evaluation"]["tasks"]
    assert [("tokenizer" in str(task)) for task in tasks] == [False, False, False, True]


def test_a_model_on_a_cluster_is_declared_by_its_address_or_refused(tmp_path: Path, on_cluster: str) -> None:
    path = write(tmp_path, PROCESS)
    _edit(path, model=on_cluster)
    assert yaml.safe_load(path.read_text())["quantgate"]["checkpoint"] == on_cluster
    local = PROCESS.replace("type: process # no container", "type: local").replace(
        "deployment: none", "deployment: vllm"
    )
    with pytest.raises(BadInput, match="lies on a cluster, and the config is not for Slurm"):
        _edit(write(tmp_path, local, "local.yaml"), model=on_cluster)


@pytest.fixture
def on_cluster(tmp_path: Path) -> str:
    """A checkpoint on a cluster that was read before; no cluster is asked."""
    copied = checkpoint(tmp_path / "there", **QWEN) / "config.json"
    with remote_copy.Staging("login", "/shared/m") as staging:
        staging.write("config.json", copied.read_bytes())
        staging.publish(("login",), "/shared/m", {"config.json": (copied.stat().st_size, 1)})
    return "login:/shared/m"
