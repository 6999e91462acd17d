"""An edit by intent is written whole or refused whole."""

import json
from pathlib import Path

import pytest

from quantgate.errors import BadInput, CheckpointError, ConfigError, HarnessError, QuantgateError, UnknownName
from quantgate.evalconfig import assignments
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.edit import Edited, Request, edit

from .made import PROCESS, SLURM, write


def _edit(path: Path, **request: object) -> Edited:
    return edit(str(path), Request(**request))  # type: ignore[arg-type]


def _checkpoint(directory: Path) -> Path:
    path = directory / "m-FP8"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=5", 5),
        ("a.b=0.6", 0.6),
        ("a.b=true", True),
        ("a.b=null", None),
        ("a.b=", ""),
        ("a.b=[1, two]", [1, "two"]),
        (
            'a.b={"chat_template_kwargs": {"enable_thinking": true}}',
            {"chat_template_kwargs": {"enable_thinking": True}},
        ),
        ("a.b='5'", "5"),
        ("a.b=12:00:00", "12:00:00"),
        ("a.b=x #y", "x #y"),
        ("a.b=c: d", "c: d"),
        ("a.b=2026-01-01", "2026-01-01"),
        ("a.b=++x=1 ++y=2", "++x=1 ++y=2"),
        ("a.b=!!python/object:os.system x", "!!python/object:os.system x"),
        ("a.b=&x *x", "&x *x"),
        ("env_vars.HF_TOKEN=host:HF_TOKEN", "host:HF_TOKEN"),
    ],
)
def test_a_value_is_typed_as_yaml_and_text_stays_text(text: str, value: object) -> None:
    assert assignments.parse(text).value == value


@pytest.mark.parametrize(
    "text",
    [
        "a.b",
        "=5",
        "-a=5",
        "--set=x",
        "a.b=x\ny",
        "a.b=x\r",
        "a\n.b=x",
        'a.b="x\\ny"',
        "a.b=[1, 2",
        "a.b=[!!python/name:os.system ]",
    ],
)
def test_what_could_break_out_of_its_place_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        assignments.parse(text)


def test_a_secret_written_as_a_value_is_refused_without_repeating_it() -> None:
    with pytest.raises(BadInput, match="host:HF_TOKEN") as caught:
        assignments.parse("evaluation.env_vars.HF_TOKEN=plainsecretvalue")
    assert "plainsecretvalue" not in str(caught.value)


def test_an_edit_shows_its_diff_and_keeps_the_comments(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    done = _edit(path, set=["evaluation.nemo_evaluator_config.config.params.parallelism=16"])
    assert done.diff.splitlines()[0] == "--- a/eval.yaml"
    assert "-        parallelism: 4 # what the server bears" in done.diff
    assert "+        parallelism: 16 # what the server bears" in done.diff
    assert path.read_text() == PROCESS.replace("parallelism: 4", "parallelism: 16")
    assert (done.missing, done.report.findings) == ([], [])


def test_an_empty_request_changes_nothing_and_lists_the_gaps(tmp_path: Path) -> None:
    text = SLURM.replace("account: team", "account: ???")
    path = write(tmp_path, text)
    before = path.stat().st_mtime_ns
    done = _edit(path)
    assert (done.diff, [gap.path for gap in done.missing]) == ("", ["execution.account"])
    assert (path.read_text(), path.stat().st_mtime_ns) == (text, before)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"set": ["execution.mode=x", "-x=1"]}, BadInput),
        ({"set": ["execution.mode=x", "execution.type.deep=1"]}, BadInput),
        ({"set": ["execution.mode=x"], "unset": ["no.such"]}, UnknownName),
        ({"set": ["execution.mode=x"], "add_tasks": ["ifbench"]}, BadInput),
        ({"set": ["execution.mode=x"], "add_tasks": ["mmlu_por"]}, UnknownName),
        ({"set": ["execution.mode=x"], "add_tasks": ["humaneval"]}, BadInput),
        ({"set": ["execution.mode=x"], "remove_tasks": ["mmlu"]}, UnknownName),
        ({"set": ["execution.mode=x"], "layout": "single"}, BadInput),
        ({"set": ["execution.mode=x"], "model": "/no/such/checkpoint"}, CheckpointError),
        ({"set": ["execution.mode=x"], "gpus": -1}, BadInput),
        ({"set": ["execution.mode=x"] * 300}, BadInput),
    ],
)
def test_nothing_is_written_when_anything_is_refused(
    tmp_path: Path, request_: dict[str, object], error: type[QuantgateError]
) -> None:
    path = write(tmp_path, PROCESS)
    with pytest.raises(error):
        _edit(path, **request_)
    assert path.read_text() == PROCESS


def test_a_recipe_is_added_in_the_variant_that_the_executor_can_run(tmp_path: Path) -> None:
    process = write(tmp_path, PROCESS.replace("ifbench.ifbench", "simple_evals.mmlu_pro"), "a.yaml")
    slurm = write(tmp_path, SLURM, "b.yaml")
    notes = _edit(process, add_tasks=["ifbench"]).notes
    _edit(slurm, add_tasks=["ifbench"])
    assert compose(process).tasks[1].name == "ifbench.ifbench"
    assert compose(slurm).tasks[1].name == "nemo_skills.ns_ifbench"
    assert "the recipe, as ifbench.ifbench" in notes[0]


def test_a_recipe_without_a_wheel_is_refused_for_the_process_executor(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    with pytest.raises(HarnessError, match="container"):
        _edit(path, add_tasks=["mmlu_pro"])
    assert path.read_text() == PROCESS


def test_a_catalogue_task_is_added_under_its_full_name(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    _edit(path, add_tasks=["AIME_2025", "simple_evals.mmlu_pro"])
    assert [task.name for task in compose(path).tasks] == [
        "ifbench.ifbench",
        "simple_evals.AIME_2025",
        "simple_evals.mmlu_pro",
    ]


def test_an_unknown_task_names_the_nearest_recipes_and_tasks(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        _edit(write(tmp_path, PROCESS), add_tasks=["mmlu_por"])
    assert "mmlu_pro" in caught.value.nearest


@pytest.mark.parametrize("name", ["ifbench.ifbench", "ifbench.ifbench.0", "ifbench"])
def test_a_task_is_removed_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, PROCESS)
    _edit(path, remove_tasks=[name], add_tasks=["simple_evals.mmlu_pro"])
    assert [task.name for task in compose(path).tasks] == ["simple_evals.mmlu_pro"]


def test_a_name_that_two_tasks_have_must_be_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS.replace("\n# nothing", "    - name: ifbench.ifbench\n\n# nothing"))
    with pytest.raises(BadInput, match=r"ifbench\.ifbench\.1"):
        _edit(path, remove_tasks=["ifbench.ifbench"])
    _edit(path, remove_tasks=["ifbench.ifbench.1"])
    assert "# 294 prompts" in path.read_text()
    assert len(compose(path).tasks) == 1


def test_behind_an_endpoint_the_model_is_declared(tmp_path: Path) -> None:
    path = write(tmp_path, PROCESS)
    checkpoint = _checkpoint(tmp_path)
    _edit(path, model=str(checkpoint))
    assert path.read_text() == PROCESS + f"quantgate:\n  checkpoint: {checkpoint}\n"


def test_a_deployment_gets_the_path_or_the_handle_and_the_other_is_null(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM.replace("  served_model_name: m\n", ""))
    done = _edit(path, model="org/model-FP8")
    deployment = compose(path).config["deployment"]
    assert (deployment["checkpoint_path"], deployment["hf_model_handle"]) == (None, "org/model-FP8")
    assert deployment["served_model_name"] == "org/model-FP8"
    assert "not on this machine" in done.notes[0]
    _edit(path, model=str(_checkpoint(tmp_path)))
    deployment = compose(path).config["deployment"]
    assert (deployment["checkpoint_path"], deployment["hf_model_handle"]) == (str(tmp_path / "m-FP8"), None)
    assert deployment["served_model_name"] == "org/model-FP8"


def test_a_cluster_path_is_taken_for_slurm_and_said_to_be_unread(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    done = _edit(path, model="login:/shared/other")
    assert compose(path).config["deployment"]["checkpoint_path"] == "/shared/other"
    assert "was not read" in done.notes[0]


def test_a_deployment_that_cannot_serve_a_handle_refuses_it(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM.replace("deployment: vllm", "deployment: trtllm"))
    with pytest.raises(BadInput, match="directory"):
        _edit(path, model="org/model")


def test_layouts_set_nodes_and_instances_on_slurm(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    _edit(path, layout="haproxy:4")
    execution = compose(path).config["execution"]
    assert (execution["num_nodes"], execution["num_instances"]) == (4, 4)
    _edit(path, layout="single")
    execution = compose(path).config["execution"]
    assert (execution["num_nodes"], execution["num_instances"]) == (1, 1)


def test_an_unknown_layout_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="haproxy:N"):
        _edit(write(tmp_path, SLURM), layout="ray")


def test_the_gpus_of_a_node_size_the_parallelism(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path)
    shape = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 1024,
        "torch_dtype": "bfloat16",
    }
    (checkpoint / "config.json").write_text(json.dumps(shape))
    header = json.dumps({"w": {"dtype": "BF16", "shape": [64, 64], "data_offsets": [0, 8192]}}).encode()
    content = len(header).to_bytes(8, "little") + header + bytes(8192)
    (checkpoint / "model.safetensors").write_bytes(content)
    path = write(tmp_path, SLURM)
    done = _edit(path, model=str(checkpoint), gpus=8, gpu_memory_gb=80, gpu_arch="H100")
    command = compose(path).config["deployment"]["command"]
    assert "--tensor-parallel-size 1 " in command
    assert "--data-parallel-size 8 " in command
    assert "--max-num-seqs 2" in command
    assert any("parallelism: TP 1" in note for note in done.notes)


def test_a_command_of_the_users_keeps_its_own_parallelism(tmp_path: Path) -> None:
    text = SLURM.replace("  image:", "  command: vllm serve /checkpoint --tensor-parallel-size 4\n  image:")
    path = write(tmp_path, text)
    checkpoint = _checkpoint(tmp_path)
    _edit(path, model=str(checkpoint), gpus=8, gpu_memory_gb=80)
    assert "tensor_parallel_size" not in path.read_text()


def test_an_edit_that_leaves_the_config_uncomposable_says_so_and_still_lists_the_gaps(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM.replace("account: team", "account: ???"))
    done = _edit(path, set=["execution.output_dir=${no.such}"])
    assert [finding.rule for finding in done.report.findings] == ["compose"]
    assert [gap.path for gap in done.missing] == ["execution.account"]


def test_a_config_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        _edit(tmp_path / "none.yaml", set=["a.b=1"])
    assert list(tmp_path.iterdir()) == []
