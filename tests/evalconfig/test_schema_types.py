"""A `set` takes values of the right kind at keys that something reads; the rest is refused before anything is written."""

from pathlib import Path

import pytest

from quantgate.errors import BadInput, UnknownName
from quantgate.evalconfig import assignments
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.edit import Edited, Request, edit

from .made import PROCESS, SLURM, write

PARAMS = "evaluation.nemo_evaluator_config.config.params"
ADAPTER = "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config"


def _edit(path: Path, **request: object) -> Edited:
    return edit(str(path), Request(**request))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "wanted", "example"),
    [
        ("execution.num_nodes=two", "a whole number", "execution.num_nodes=16"),
        ("execution.num_nodes=1.5", "a whole number", "execution.num_nodes=16"),
        (f"{PARAMS}.parallelism=many", "a whole number", f"{PARAMS}.parallelism=16"),
        (f"{PARAMS}.temperature=warm", "a number", f"{PARAMS}.temperature=0.6"),
        (f"{PARAMS}.extra=5", "a section with keys", "{key: value}"),
        (f"{ADAPTER}.use_caching='yes'", "true or false", f"{ADAPTER}.use_caching=true"),
        (f"{ADAPTER}.params_to_remove=top_k", "a list of texts", "[one, two]"),
        ("execution.mounts.deployment=/data", "a section of keys with texts", "{key: text}"),
        ("execution.output_dir=[a, b]", "text", "execution.output_dir=some-name"),
        ("export.wandb.log_mode=often", "one of per_task", "export.wandb.log_mode=per_task"),
        ("evaluation.tasks=ifbench", "a list", ""),
        ("deployment=vllm", "a section with keys", ""),
    ],
)
def test_a_value_of_another_kind_is_refused_with_the_kind_and_an_example(
    tmp_path: Path, text: str, wanted: str, example: str
) -> None:
    path = write(tmp_path, SLURM)
    with pytest.raises(BadInput) as refusal:
        _edit(path, set=[text])
    assert wanted in refusal.value.what + refusal.value.fix
    assert example in refusal.value.fix
    assert path.read_text() == SLURM


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("execution.walltme=01:00:00", "walltime"),
        ("deployment.served_name=m", "served_model_name"),
        ("deployment.walltime=01:00:00", "execution"),
        (f"{PARAMS}.paralelism=4", "parallelism"),
        (f"{PARAMS}.repetition_penalty=1.1", "params_to_add"),
        (f"{PARAMS}.extra.num_repeat=4", "num_repeats"),
        ("evaluation.tasks[0].nemo_evaluator_config.config.params.extra.num_repeat=4", "num_repeats"),
        (f"{ADAPTER}.use_cachin=true", "use_caching"),
        ("evaluation.tasks[0].contaner=x", "container"),
        ("evaluation.nemo_evaluator_config.config.target.api_endpoint.url=http://x/v1", "sibling"),
        ("exection.walltime=01:00:00", "execution"),
        ("cluster.account=team", "execution"),
        ("execution.mounts.deploymnt=x", "deployment"),
        ("execution.qos=high", "sbatch_extra_flags"),
    ],
)
def test_a_misspelt_or_misplaced_key_is_refused_with_the_right_one(tmp_path: Path, text: str, hint: str) -> None:
    path = write(tmp_path, SLURM)
    with pytest.raises(BadInput) as refusal:
        _edit(path, set=[text])
    assert hint in refusal.value.fix
    assert path.read_text() == SLURM


def test_a_key_that_is_like_no_other_is_written_and_found_by_the_lint(tmp_path: Path) -> None:
    done = _edit(write(tmp_path, SLURM), set=["deployment.zzz=5"])
    assert [finding.path for finding in done.report.findings if finding.rule == "C02"] == ["deployment.zzz"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("execution.account=0123", "0123"),
        ("execution.partition=1e3", "1e3"),
        ("execution.walltime=04:00:00", "04:00:00"),
        ("deployment.served_model_name=405", 405),
        ("execution.num_nodes=${oc.decode:'2'}", "${oc.decode:'2'}"),
        ("execution.sbatch_extra_flags={qos: high}", {"qos": "high"}),
        ("deployment.extra_args=--max-model-len 4096", "--max-model-len 4096"),
        ("execution.cpu_partition=null", None),
        ("execution.account=???", "???"),
    ],
)
def test_a_value_of_the_right_kind_is_written_as_it_was_meant(tmp_path: Path, text: str, value: object) -> None:
    path = write(tmp_path, SLURM)
    _edit(path, set=[text])
    from quantgate.evalconfig.document import ConfigDocument

    found = ConfigDocument.load(path).get(text.partition("=")[0])
    assert (found, type(found) is bool) == (value, type(value) is bool)


@pytest.mark.parametrize(
    "text",
    [
        "deployment.served_model_name=m; rm -rf /",
        "deployment.served_model_name=-m",
        "deployment.served_model_name=--trust-remote-code",
        "deployment.served_model_name='a\\nb'",
        "deployment.image=x$(id)",
        "deployment.image=${deployment.type}; id",
        "deployment.image=${deployment.type}$(id)",
        "deployment.checkpoint_path=/models/`id`",
        "execution.account=team' --wrap='id",
        "execution.partition=a b",
        "execution.hostname=-oProxyCommand=id",
        "deployment.extra_args=--seed 1; touch /tmp/x",
        "deployment.extra_args=--seed 1 > /etc/passwd",
        "deployment.extra_args=--seed $(id)",
        'execution.sbatch_comment="a\\u2028b"',
        'execution.mounts.deployment={"/a\\nb": /c}',
        "execution.output_dir=/data/x\ny",
        "deployment.command.--seed=1; id",
        "deployment.command.--seed=-1x",
        "deployment.command.--seed=$(id)",
        "deployment.command.--a b=1",
        "evaluation.tasks[999999].name=x",
    ],
)
def test_a_value_that_would_break_out_of_its_command_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, SLURM)
    with pytest.raises(BadInput):
        _edit(path, set=[text])
    assert path.read_text() == SLURM


def test_a_value_that_expands_without_bounds_is_refused_at_once() -> None:
    levels = "".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else '1, 1'}], " for n in range(9))
    with pytest.raises(BadInput, match="aliases"):
        assignments.parse(f"export.mlflow.tags=[{levels}]")
    with pytest.raises(BadInput, match="aliases"):
        assignments.parse("export.mlflow.tags=[&a [*a]]")


def test_a_secret_inside_a_mapping_of_variables_is_refused_without_repeating_it() -> None:
    with pytest.raises(BadInput, match="host:HF_TOKEN") as refusal:
        assignments.parse("evaluation.env_vars={HF_TOKEN: plainsecretvalue, LOG: lit:1}")
    assert "plainsecretvalue" not in str(refusal.value)


def test_single_flags_of_the_command_are_set_and_unset(tmp_path: Path) -> None:
    path = write(
        tmp_path, SLURM.replace("  image:", "  command: vllm serve /checkpoint --seed 1 --enforce-eager\n  image:")
    )
    _edit(path, set=["deployment.command.--seed=2", "deployment.command.--max-model-len=4096"])
    _edit(path, set=["deployment.command.--trust-remote-code=true"], unset=["deployment.command.--enforce-eager"])
    command = compose(path).config["deployment"]["command"]
    assert command == "vllm serve /checkpoint --seed 2 --max-model-len 4096 --trust-remote-code"
    with pytest.raises(UnknownName, match="--trust-remote-code"):
        _edit(path, unset=["deployment.command.--trust-remote-cod"])


def test_a_flag_without_a_command_of_ones_own_goes_where_the_packaged_command_reads_it(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    _edit(path, set=["deployment.command.--max-model-len=4096"])
    assert "--max-model-len 4096" in compose(path).config["deployment"]["command"]
    _edit(path, unset=["deployment.command.--max-model-len"])
    assert "--max-model-len" not in compose(path).config["deployment"]["command"]


def test_a_flag_where_nothing_is_served_or_a_script_serves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no serving command"):
        _edit(write(tmp_path, PROCESS), set=["deployment.command.--seed=2"])
    script = SLURM.replace("  image:", "  command: bash -c 'start it'\n  image:")
    with pytest.raises(BadInput, match="script"):
        _edit(write(tmp_path, script), set=["deployment.command.--seed=2"])


def test_a_size_is_set_where_it_counts(tmp_path: Path) -> None:
    own = write(tmp_path, SLURM.replace("  image:", "  command: vllm serve /checkpoint\n  image:"), "own.yaml")
    _edit(own, set=["deployment.tensor_parallel_size=2"])
    assert "--tensor-parallel-size 2" in own.read_text()
    assert "tensor_parallel_size" not in own.read_text()
    packaged = write(tmp_path, SLURM, "packaged.yaml")
    _edit(packaged, set=["deployment.tensor_parallel_size=2"])
    assert "--tensor-parallel-size=2" in compose(packaged).config["deployment"]["command"]


def test_a_changed_parallelism_takes_the_servers_share_with_it(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    done = _edit(path, set=[f"{PARAMS}.parallelism=64"])
    assert "--max-num-seqs 64" in compose(path).config["deployment"]["command"]
    assert any("parallelism 64" in note for note in done.notes)


def test_unset_of_a_misspelt_path_names_the_key_that_is_there(tmp_path: Path) -> None:
    path = write(tmp_path, SLURM)
    with pytest.raises(UnknownName, match="account"):
        _edit(path, unset=["execution.acount"])
    assert path.read_text() == SLURM
