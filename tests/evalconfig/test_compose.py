"""A config is composed as NEL composes it."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import ConfigError
from quantgate.evalconfig.compose import compose

from .made import PROCESS, SLURM, write

_NEL = """
import json, sys
from omegaconf import OmegaConf
from nemo_evaluator_launcher.api.types import RunConfig
from quantgate.launcher import composition
composed = RunConfig.from_hydra(sys.argv[1])
config = OmegaConf.to_container(composed, resolve=True)
config.pop("user_config_path")
digest = composition.digest(OmegaConf.to_container(composed, resolve=False))
open(sys.argv[2], "w").write(json.dumps([config, digest]))
"""


def _as_nel_does(path: Path) -> Any:
    out = path.with_suffix(".json")
    subprocess.run([sys.executable, "-c", _NEL, str(path), str(out)], check=True, capture_output=True, timeout=120)
    return json.loads(out.read_text())


@pytest.mark.parametrize("text", [PROCESS, SLURM, SLURM.replace("deployment: vllm", "deployment: vllm_ray")])
def test_the_composed_config_equals_nels_own(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    composed = compose(path)
    assert [composed.config, composed.digest] == _as_nel_does(path)


def test_process_is_local_with_another_type_and_names_its_tasks_directories(tmp_path: Path) -> None:
    composed = compose(write(tmp_path, PROCESS))
    assert (composed.executor, composed.deployment) == ("process", "none")
    (task,) = composed.tasks
    assert (task.name, task.directory) == ("ifbench.ifbench", "ifbench.ifbench.0")
    assert composed.config["execution"]["mode"] == "sequential"


def test_a_tasks_params_are_merged_over_the_evaluations(tmp_path: Path) -> None:
    own = "      nemo_evaluator_config: {config: {params: {temperature: 0.6, extra: {b: [2]}}}}\n"
    text = PROCESS.replace("temperature: 0.0", "temperature: 0.0\n        extra: {a: 1, b: [1, 1]}")
    text = text.replace(" # 294 prompts\n", "\n" + own)
    (task,) = compose(write(tmp_path, text)).tasks
    assert task.params == {"parallelism": 4, "temperature": 0.6, "extra": {"a": 1, "b": [2]}}


def test_missing_values_stay_visible_and_what_refers_to_them_is_known(tmp_path: Path) -> None:
    composed = compose(write(tmp_path, SLURM.replace("served_model_name: m", "served_model_name: ???")))
    assert composed.config["deployment"]["served_model_name"] == "???"
    assert composed.config["deployment"]["port"] == 8000
    assert composed.derived_missing == {"deployment.base_command", "deployment.command"}


def test_the_quantgate_section_passes(tmp_path: Path) -> None:
    text = PROCESS + "quantgate: {checkpoint: /m, silence: [S06]}\n"
    assert compose(write(tmp_path, text)).config["quantgate"]["checkpoint"] == "/m"


def test_a_process_defaults_entry_is_refused_with_the_right_way(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="type: process") as caught:
        compose(write(tmp_path, PROCESS.replace("- execution: local", "- execution: process")))
    assert caught.value.where.endswith(":3")


@pytest.mark.parametrize(
    ("old", "new", "words", "line"),
    [
        ("deployment: none", "deployment: nothing", "nothing", 2),
        ("/tmp/results", "${no.such.key}", "execution.output_dir", 9),
        ("/tmp/results", "${oc.env:QUANTGATE_UNSET_VARIABLE}", "QUANTGATE_UNSET_VARIABLE", 9),
        ("/tmp/results", "${execution.output_dir}", "execution.output_dir", 9),
        ("/tmp/results", "${unknown_resolver:x}", "execution.output_dir", 9),
        ("/tmp/results", "${", "Missing|mismatched|extraneous|token|compose", None),
        ("    - name: ifbench.ifbench", "    - ifbench", "mapping", 27),
    ],
)
def test_what_cannot_be_composed_names_key_and_line(
    tmp_path: Path, old: str, new: str, words: str, line: int | None
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        compose(write(tmp_path, PROCESS.replace(old, new)))
    if line:
        assert caught.value.where.endswith(f":{line}")


BOMBS = {
    "text": ["b0: xxxxxxxxxx"] + [f"b{n}: '${{b{n - 1}}}${{b{n - 1}}}'" for n in range(1, 40)],
    "through sections": ["x0: {v: xxxxxxxxxx}"]
    + [f"r{n}: ${{x{n}}}\nx{n + 1}: {{v: '${{r{n}.v}}${{r{n}.v}}'}}" for n in range(40)],
    "sections": ["x0: {v: 1}"] + [f"x{n}: {{a: '${{x{n - 1}}}', b: '${{x{n - 1}}}'}}" for n in range(1, 40)],
    "resolvers": ["b0: x"] + [f"b{n}: '${{oc.select:b{n - 1}}}${{oc.select:b{n - 1}}}'" for n in range(1, 40)],
    "computed names": ["b0: x"] + [f"k{n}: b{n - 1}\nb{n}: '${{${{k{n}}}}}${{${{k{n}}}}}'" for n in range(1, 40)],
    "one long line": ["b0: x", f"b1: '{'${b0}' * 20_000}'"],
    "one long value": [f"b0: {'x' * 10_000}", f"b1: '{'${b0}' * 1_000}'"],
}


@pytest.mark.parametrize("lines", BOMBS.values(), ids=BOMBS)
def test_an_interpolation_bomb_is_refused_before_it_is_expanded(tmp_path: Path, lines: list[str]) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match="expand"):
        compose(write(tmp_path, PROCESS + "\n".join(lines) + "\n"))
    assert time.process_time() - began < 60


def test_a_bomb_whose_refusal_a_resolver_swallows_is_refused(tmp_path: Path) -> None:
    lines = [*BOMBS["text"], "last: '${select_not_null:b39,small}'"]
    with pytest.raises(ConfigError, match="expand"):
        compose(
            write(tmp_path, "quantgate: {first: '${select_not_null:b39,small}'}\n" + PROCESS + "\n".join(lines) + "\n")
        )


def test_oc_env_reads_the_env_file_beside_the_config_as_nels_command_line_does(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOME_TEST_DIR=/from/env/file\n")
    path = write(tmp_path, PROCESS.replace("/tmp/results", "${oc.env:SOME_TEST_DIR}"))
    assert compose(path).config["execution"]["output_dir"] == "/from/env/file"


def test_a_file_that_nel_would_not_find_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"rename it to eval\.yaml"):
        compose(write(tmp_path, PROCESS, "eval.yml"))


def test_two_threads_may_compose_at_once(tmp_path: Path) -> None:
    names = []

    def one(number: int) -> None:
        path = write(tmp_path, PROCESS.replace("model_id: small", f"model_id: m{number}"), f"c{number}.yaml")
        names.append((number, compose(path).config["target"]["api_endpoint"]["model_id"]))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [(n, f"m{n}") for n in range(4)]
