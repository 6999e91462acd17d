"""A layout sets exactly what NEL reads for several nodes, keeps the rest of the file, and is refused where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.document import ConfigDocument
from quantgate.evalconfig.layout import apply_layout

from .made import PROCESS, SLURM, write

COMMAND = """\
  command: >-  # ours
    vllm serve /checkpoint
    --served-model-name ${deployment.served_model_name}
    --port ${deployment.port}
    --tensor-parallel-size 4
    --data-parallel-size 2
    --max-num-seqs 8
"""


def _own(text: str = SLURM, command: str = COMMAND) -> str:
    return text.replace("  image:", command + "  image:")


def _apply(directory: Path, text: str, layout: str) -> tuple[ConfigDocument, list[str], dict[str, Any]]:
    notes: list[str] = []
    document = apply_layout(ConfigDocument.load(write(directory, text)), layout, notes)
    document.save()
    return document, notes, compose(document.path).config


def test_haproxy_is_one_instance_on_each_node(tmp_path: Path) -> None:
    document, notes, config = _apply(tmp_path, SLURM, "haproxy:4")
    assert (config["execution"]["num_nodes"], config["execution"]["num_instances"]) == (4, 4)
    assert config["execution"]["deployment"]["n_tasks"] == 4
    assert config["deployment"]["extra_args"] == "--max-num-seqs 4"
    assert "--max-num-seqs = ceil(parallelism 16 / (DP 1 x 4 instances)) = 4" in notes
    assert "vllm_ray" not in document.text


def test_ray_is_one_instance_over_all_nodes(tmp_path: Path) -> None:
    document, notes, config = _apply(tmp_path, SLURM, "ray:2")
    assert (config["execution"]["num_nodes"], config["execution"]["num_instances"]) == (2, 1)
    assert config["deployment"]["pipeline_parallel_size"] == 2
    assert config["deployment"]["data_parallel_size"] == 1
    assert "ray start --head" in config["deployment"]["command"]
    assert "--pipeline-parallel-size=2" in config["deployment"]["command"]
    assert "- deployment: vllm_ray" in document.text
    assert any("vllm_ray" in note for note in notes)


def test_combined_is_several_ray_instances_behind_haproxy(tmp_path: Path) -> None:
    _, notes, config = _apply(tmp_path, SLURM, "combined:4x2")
    assert (config["execution"]["num_nodes"], config["execution"]["num_instances"]) == (4, 2)
    assert config["deployment"]["pipeline_parallel_size"] == 2
    assert config["deployment"]["extra_args"] == "--max-num-seqs 8"
    assert any("2 instances" in note for note in notes)


def test_an_own_command_goes_where_rays_script_takes_it_and_keeps_its_lines(tmp_path: Path) -> None:
    document, notes, config = _apply(tmp_path, _own(), "ray:2")
    block = COMMAND.replace("command:", "base_command:").replace("--data-parallel-size 2", "--data-parallel-size 1")
    block = block.replace("--max-num-seqs 8", "--max-num-seqs 16\n    --pipeline-parallel-size 2")
    lines = set(block.splitlines())
    assert lines <= set(document.text.splitlines())
    script = config["deployment"]["command"]
    assert "vllm serve /checkpoint --served-model-name m --port 8000 --tensor-parallel-size 4" in script
    assert "--distributed-executor-backend ray" in script
    assert any("base_command" in note for note in notes)


def test_single_takes_ray_back_out(tmp_path: Path) -> None:
    before = ConfigDocument.load(write(tmp_path, _own()))
    there = apply_layout(before, "ray:2")
    back = apply_layout(there, "single")
    plain = back.plain
    assert plain["defaults"][1] == {"deployment": "vllm"}
    assert "base_command" not in plain["deployment"]
    assert "--tensor-parallel-size 4" in plain["deployment"]["command"]
    assert "--pipeline-parallel-size 1" in plain["deployment"]["command"]
    assert (plain["execution"]["num_nodes"], plain["execution"]["num_instances"]) == (1, 1)


def test_a_layout_keeps_every_other_line(tmp_path: Path) -> None:
    text = "# mine\n" + SLURM.replace("account: team", "account: team  # billed")
    document, _, _ = _apply(tmp_path, text, "haproxy:2")
    missing = [line for line in text.splitlines() if line not in document.text.splitlines()]
    assert missing == []


def test_a_layout_applied_twice_is_applied_once(tmp_path: Path) -> None:
    for layout in ("single", "haproxy:3", "ray:2", "combined:6x3"):
        once = apply_layout(ConfigDocument.load(write(tmp_path, _own())), layout)
        assert apply_layout(once, layout).text == once.text


def test_a_kind_alone_takes_the_nodes_that_the_config_has(tmp_path: Path) -> None:
    text = SLURM.replace("  account:", "  num_nodes: 3\n  account:")
    document, _, config = _apply(tmp_path, text, "haproxy")
    assert config["execution"]["num_instances"] == 3
    assert apply_layout(document, "ray").plain["execution"]["num_instances"] == 1


def test_tasks_written_for_other_nodes_are_left_to_nel(tmp_path: Path) -> None:
    text = SLURM.replace("  account:", "  deployment:\n    n_tasks: 1\n  account:")
    _, notes, config = _apply(tmp_path, text, "haproxy:2")
    assert config["execution"]["deployment"]["n_tasks"] == 2
    assert any("n_tasks 1" in note for note in notes)


def test_the_proxy_asks_the_health_page_that_the_deployment_has(tmp_path: Path) -> None:
    text = SLURM.replace("deployment: vllm", "deployment: nim").replace(
        "  checkpoint_path: /shared/models/m-NVFP4\n", ""
    )
    _, _, config = _apply(tmp_path, text.replace("  hf_model_handle: null\n", ""), "haproxy:2")
    assert config["execution"]["proxy"]["config"]["health_check_path"] == "/v1/health/ready"


def test_one_port_for_proxy_and_model_is_refused(tmp_path: Path) -> None:
    text = SLURM.replace("  served_model_name: m", "  served_model_name: m\n  port: 5009")
    with pytest.raises(BadInput, match="port 5009"):
        _apply(tmp_path, text, "haproxy:2")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SLURM.replace("deployment: vllm", "deployment: none"), "served elsewhere"),
        (PROCESS, "process executor"),
        (SLURM.replace("slurm/default", "local"), "no nodes and no proxy"),
        (SLURM.replace("slurm/default", "lepton/default"), "Lepton"),
    ],
)
def test_a_layout_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    before = write(tmp_path, text).read_bytes()
    for layout in ("single", "haproxy:2", "ray:2", "combined:4x2"):
        with pytest.raises(BadInput, match=reason):
            _apply(tmp_path, text, layout)
    assert (tmp_path / "eval.yaml").read_bytes() == before


@pytest.mark.parametrize("deployment", ["sglang", "trtllm", "nim", "generic"])
def test_only_vllm_spans_nodes(tmp_path: Path, deployment: str) -> None:
    with pytest.raises(BadInput, match="vLLM only"):
        _apply(tmp_path, SLURM.replace("deployment: vllm", f"deployment: {deployment}"), "ray:2")


NO_LAYOUTS = (
    "haproxy|ray|combined|haproxy:1|ray:1|haproxy:0|haproxy:-2|ray:2x2|combined:4|combined:5x2|combined:4x4|combined:4x1|"
    "haproxy:2000|haproxy:99999999|grid:2|haproxy:2; x|haproxy:2\n3| "
)


@pytest.mark.parametrize("layout", NO_LAYOUTS.split("|"))
def test_what_is_no_layout_is_refused(tmp_path: Path, layout: str) -> None:
    with pytest.raises(BadInput, match=r"haproxy:N|more than 1024"):
        _apply(tmp_path, SLURM, layout)


@pytest.mark.parametrize(
    "command",
    [
        "vllm serve /checkpoint | tee log",
        "bash start.sh",
        "vllm serve /checkpoint && echo done",
        "python3 -m vllm.entrypoints.openai.api_server --model /checkpoint",
    ],
)
def test_a_command_that_rays_script_cannot_hold_is_refused(tmp_path: Path, command: str) -> None:
    with pytest.raises(BadInput, match="Ray script"):
        _apply(tmp_path, _own(command=f"  command: {command}\n"), "ray:2")


def test_a_line_break_behind_the_command_does_not_part_it_from_what_ray_adds(tmp_path: Path) -> None:
    _, _, config = _apply(tmp_path, _own(command=COMMAND.replace(">-", ">")), "ray:2")
    assert "--pipeline-parallel-size 2 --distributed-executor-backend ray\n" in config["deployment"]["command"]


def test_a_backend_in_the_command_is_left_to_the_script(tmp_path: Path) -> None:
    text = _own(command=COMMAND + "    --distributed-executor-backend mp\n")
    _, notes, config = _apply(tmp_path, text, "ray:2")
    assert config["deployment"]["command"].count("--distributed-executor-backend") == 1
    assert any("taken out" in note for note in notes)


@pytest.mark.parametrize(
    ("image", "asked"), [("v0.11.0", False), ("v0.18.1", False), ("v0.19.0", True), ("latest", True)]
)
def test_an_image_without_ray_is_spoken_of(tmp_path: Path, image: str, asked: bool) -> None:
    _, notes, _ = _apply(tmp_path, SLURM.replace("v0.11.0", image), "ray:2")
    assert any("is Ray in the image" in note for note in notes) is asked


def test_fields_that_the_command_refers_to_are_set_and_the_command_is_not(tmp_path: Path) -> None:
    command = (
        "  command: vllm serve /checkpoint --pipeline-parallel-size ${deployment.pipeline_parallel_size}"
        " --tensor-parallel-size=${deployment.tensor_parallel_size}\n"
    )
    _, _, config = _apply(tmp_path, _own(command=command), "ray:4")
    assert config["deployment"]["pipeline_parallel_size"] == 4
    assert "--pipeline-parallel-size 4" in config["deployment"]["base_command"]
