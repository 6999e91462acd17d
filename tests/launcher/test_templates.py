"""The base configs equal what the installed launcher writes, and files are never overwritten."""

import itertools
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from quantgate.errors import BadInput, StorageError, UnknownName
from quantgate.launcher import templates

DRIVER = Path(__file__).with_name("nel_build_config.py")


def every_combination() -> list[dict]:
    """All answers that NEL takes: each set of bundles (also none) with each execution, deployment and export."""
    found = templates.choices()
    rows = []
    for model_type, bundles in found.bundles.items():
        sets = [list(s) for size in range(len(bundles) + 1) for s in itertools.combinations(bundles, size)]
        sets.append(list(reversed(bundles)))
        for execution, deployment, export, chosen in itertools.product(
            [e for e in found.execution if e != templates.PROCESS], found.deployment, found.export, sets
        ):
            rows.append(
                {
                    "execution": execution,
                    "deployment": deployment,
                    "export": export,
                    "model_type": model_type,
                    "benchmarks": chosen,
                }
            )
    return rows


def test_every_combination_is_byte_for_byte_what_the_launcher_writes() -> None:
    combinations = every_combination()
    child = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps(combinations),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    expected = json.loads(child.stdout)
    assert len(expected) == len(combinations) == 2 * 5 * 3 * 2 * 17
    for answers, (name, text) in zip(combinations, expected, strict=True):
        assert templates.dumps(templates.build(**answers)) == text, answers
        if answers["benchmarks"]:
            keys = ("execution", "deployment", "model_type", "benchmarks")
            assert templates.file_name(*(answers[key] for key in keys)) == name


def test_options_are_those_of_the_installed_launcher_and_our_process_execution() -> None:
    options = templates.options()
    assert options["execution"] == ["local", "slurm", "process"]
    assert sorted(options["deployment"]) == ["nim", "none", "sglang", "trtllm", "vllm"]
    assert options["model_type"] == ["base", "chat_reasoning"]
    assert options["benchmarks"]["base"] == ["coding", "general_knowledge", "long_context", "multilingual"]
    assert options["benchmarks"]["chat_reasoning"] == ["agentic", "core_reasoning", "long_context", "multilingual"]
    assert options["export"] == ["none", "mlflow", "wandb"]


def test_process_is_the_local_config_with_another_execution_type() -> None:
    local = templates.build("local", "none", "base", ["coding"])
    process = templates.build("process", "none", "base", ["coding"])
    assert process["defaults"] == [{"execution": "local"}, {"deployment": "none"}, "_self_"]
    assert process["execution"].pop("type") == "process"
    assert process == local


def test_the_process_execution_refuses_to_serve_a_model() -> None:
    with pytest.raises(BadInput, match=r"starts no model server.*deployment='none'"):
        templates.build("process", "vllm", "base", ["coding"])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (("k8s", "none", "base", []), r"execution 'k8s'.*one of local, slurm, process"),
        (("local", "tgi", "base", []), r"deployment 'tgi'.*none, nim, sglang, trtllm, vllm"),
        (("local", "none", "chat", []), r"model type 'chat'.*base, chat_reasoning"),
        (("local", "none", "base", ["agentic"]), r"bundle 'agentic'.*model type base.*general_knowledge"),
    ],
)
def test_an_unknown_answer_is_refused_with_the_options(answers: tuple, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        templates.build(*answers)


def test_no_yaml_anchor_is_written_when_a_bundle_is_given_twice() -> None:
    text = templates.dumps(templates.build("local", "none", "base", ["coding", "coding"]))
    assert text.count("adlr_humaneval_greedy") == 2
    assert "&id" not in text


def test_an_existing_file_is_kept_and_the_new_one_numbered(tmp_path: Path) -> None:
    config = templates.build("local", "none", "base", [])
    first = templates.write(config, str(tmp_path / "a.yaml"), "ignored.yaml")
    first.write_text("mine")
    second = templates.write(config, str(tmp_path / "a.yaml"), "ignored.yaml")
    third = templates.write(config, str(tmp_path / "a.yaml"), "ignored.yaml")
    assert [p.name for p in (first, second, third)] == ["a.yaml", "a_1.yaml", "a_2.yaml"]
    assert first.read_text() == "mine"
    assert third.read_text() == templates.dumps(config)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.yaml", "a_1.yaml", "a_2.yaml"]


def test_two_writers_at_once_never_share_a_file(tmp_path: Path) -> None:
    config = templates.build("local", "none", "base", [])
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: templates.write(config, str(tmp_path), "same.yaml"), range(24)))
    assert len(set(paths)) == 24
    assert {p.read_text() for p in paths} == {templates.dumps(config)}


def test_missing_directories_are_made_and_the_name_is_the_launchers(tmp_path: Path) -> None:
    name = templates.file_name("slurm", "vllm", "base", ["multilingual", "coding"])
    path = templates.write({"defaults": ["_self_"]}, str(tmp_path / "new" / "deep"), name)
    assert path == tmp_path / "new" / "deep" / "slurm_vllm_base_coding_multilingual.yaml"
    nested = templates.write({"defaults": ["_self_"]}, str(tmp_path / "other" / "mine.yml"), name)
    assert nested.read_text() == "defaults:\n- _self_\n"


def test_without_an_output_the_current_directory_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert templates.write({"a": 1}, "", "b.yaml") == tmp_path / "b.yaml"


def test_a_file_in_the_way_of_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is not a directory"):
        templates.write({"a": 1}, str(tmp_path / "file"), "b.yaml")


def test_a_full_disk_is_said_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(templates.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        templates.write({"a": 1}, str(tmp_path), "b.yaml")
    assert list(tmp_path.iterdir()) == []
