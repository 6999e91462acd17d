"""Nemotron's four named errors are findings with a rule, a place and a recovery; and the tokenizer must be the served model's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.checkpoint import tokenizer_files
from quantgate.evalconfig.lint import Finding, check

from ..checkpoint.made import checkpoint as make
from .corpus.case import example, put
from .corpus.servers import URL, _megatron
from .made import PROCESS, write

LOGPROB = example("logprob_suite_slurm")
EXTRA = "evaluation.nemo_evaluator_config.config.params.extra"
WORDS = {"a": 0, "b": 1, "ab": 2}


def _named(directory: Path, text: str, name: str) -> list[Finding]:
    return [finding for finding in check(write(directory, text)).findings if f"({name})" in finding.message]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf-not-a-real-one")


@pytest.mark.parametrize(
    ("name", "rule", "broken", "near_miss"),
    [
        ("missing_tokenizer_for_logprobs", "T34", put(LOGPROB, EXTRA, {}), LOGPROB),
        ("missing_tokenizer_for_logprobs", "T42", put(LOGPROB, f"{EXTRA}.tokenizer", "/nowhere/tokenizer"), LOGPROB),
        (
            "wrong_endpoint_type",
            "T34",
            put(LOGPROB, "evaluation.tasks[0].endpoint_type", "chat"),
            put(LOGPROB, "evaluation.tasks[0].endpoint_type", "completions"),
        ),
        ("wrong_endpoint_type", "C36", put(PROCESS, URL, "http://host.internal:8080/v1/completions"), PROCESS),
        ("bad_megatron_checkpoint_path", "D41", _megatron(checkpoint_path="/shared/rl"), _megatron()),
        (
            "framework_cli_not_found",
            "D42",
            _megatron(image="vllm/vllm-openai:v0.11.0"),
            _megatron(image="registry.internal/team/own-vllm:v1"),
        ),
    ],
)
def test_a_named_error_is_found_with_its_recovery_and_its_near_miss_is_not(
    tmp_path: Path, name: str, rule: str, broken: str, near_miss: str
) -> None:
    found = _named(tmp_path, broken, name)
    assert rule in {finding.rule for finding in found}
    assert all(finding.fix for finding in found)
    assert _named(tmp_path, near_miss, name) == []


def _iteration(run: Path) -> Path:
    iteration = run / "iter_0001000"
    iteration.mkdir(parents=True)
    (iteration / "run_config.yaml").write_text("model:\n  _target_: megatron.bridge.models.gpt.GPTModelProvider\n")
    (iteration / "metadata.json").write_text('{"sharded_backend": "torch_dist"}')
    (iteration / "common.pt").write_bytes(b"x")
    (iteration / ".metadata").write_bytes(b"x")
    (iteration / "__0_0.distcp").write_bytes(b"x")
    (iteration / "tokenizer").mkdir()
    return iteration


def test_a_checkpoint_that_can_be_read_is_judged_by_its_files_and_not_by_its_name(tmp_path: Path) -> None:
    name = "bad_megatron_checkpoint_path"
    iteration = _iteration(tmp_path / "rl")
    assert _named(tmp_path, _megatron(checkpoint_path=str(iteration)), name) == []
    (parent,) = _named(tmp_path, _megatron(checkpoint_path=str(tmp_path / "rl")), name)
    assert (parent.rule, parent.severity) == ("D39", "error")
    export = make(tmp_path / "iter_5", None, {"model.layers.0.mlp.up_proj.weight": ("BF16", (4, 4))})
    (other,) = _named(tmp_path, _megatron(checkpoint_path=str(export)), name)
    assert (other.rule, other.severity) == ("D41", "error")
    assert "no Megatron checkpoint" in other.message


def _tokenizer(
    directory: Path, words: Any = None, *, added: Any = (), kind: str = "BPE", merges: Any = ("a b",)
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    tokens = [{"id": number, "content": text, "special": True} for number, text in added]
    model = {"type": kind, "vocab": WORDS if words is None else words, "merges": list(merges)}
    (directory / "tokenizer.json").write_text(json.dumps({"model": model, "added_tokens": tokens, "normalizer": None}))
    return directory


def _served(directory: Path) -> Path:
    checkpoint = make(directory, None, {"model.layers.0.mlp.up_proj.weight": ("BF16", (4, 4))})
    return _tokenizer(checkpoint)


def _with_tokenizer(checkpoint: Path, tokenizer: str) -> str:
    config = yaml.safe_load(LOGPROB)
    config["deployment"] |= {"checkpoint_path": str(checkpoint), "hf_model_handle": None}
    config["evaluation"]["nemo_evaluator_config"]["config"]["params"]["extra"]["tokenizer"] = tokenizer
    return yaml.safe_dump(config, sort_keys=False)


def _t41(directory: Path, text: str) -> list[Finding]:
    return [finding for finding in check(write(directory, text)).findings if finding.rule == "T41"]


def test_a_tokenizer_of_another_model_is_an_error_and_a_copy_of_the_own_is_none(tmp_path: Path) -> None:
    served = _served(tmp_path / "model")
    assert _t41(tmp_path, _with_tokenizer(served, str(served))) == []
    copy = _tokenizer(tmp_path / "copy", merges=[["a", "b"]])  # as newer files write merges
    assert _t41(tmp_path, _with_tokenizer(served, str(copy))) == []
    other = _tokenizer(tmp_path / "other", {"a": 0, "b": 1, "ba": 2, "c": 3})
    (found,) = _t41(tmp_path, _with_tokenizer(served, str(other)))
    assert (found.severity, found.path) == ("error", f"{EXTRA}.tokenizer")
    assert "vocabulary" in found.message
    assert "4 tokens against 3" in found.message
    more = _tokenizer(tmp_path / "more", added=[(3, "<tool>")])
    (found,) = _t41(tmp_path, _with_tokenizer(served, str(more)))
    assert found.severity == "warning"


def test_a_tokenizer_is_found_through_the_mounts_and_not_judged_where_it_cannot_be_read(tmp_path: Path) -> None:
    served = _served(tmp_path / "model")
    other = _tokenizer(tmp_path / "store" / "other", {"z": 0})
    text = put(_with_tokenizer(served, "/tok/other"), "execution.mounts.evaluation", {str(other.parent): "/tok"})
    assert [finding.severity for finding in _t41(tmp_path, text)] == ["error"]
    for unseen in ("/nowhere/tok", "org/never-downloaded"):
        assert _t41(tmp_path, _with_tokenizer(served, unseen)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": []}', '{"model": {"vocab": {}}}', "[" * 100_000])
def test_a_broken_tokenizer_file_is_no_tokenizer(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    assert tokenizer_files.read(tmp_path) is None


@pytest.mark.parametrize(
    "model", ['{"vocab": [1]}', '{"vocab": [{"a": 1}]}', '{"vocab": {"a": 0}, "merges": [1, {"b": 2}, ["a", 3]]}']
)
def test_a_tokenizer_file_of_another_shape_ends_in_no_traceback(tmp_path: Path, model: str) -> None:
    (tmp_path / "tokenizer.json").write_text(f'{{"model": {model}}}')
    found = tokenizer_files.read(tmp_path)
    assert found is not None
    assert found.size == 1


def test_tokenizers_in_two_formats_are_not_called_different(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    _tokenizer(one)
    other.mkdir()
    (other / "tokenizer.model").write_bytes(b"pieces")
    first, second = tokenizer_files.read(one), tokenizer_files.read(other)
    assert first is not None
    assert second is not None
    assert tokenizer_files.differences(first, second) is None
    assert tokenizer_files.differences(first, first) == ()


@pytest.mark.parametrize(
    ("tokenizer", "mounts", "severity"),
    [
        ("/shared/model/tokenizer", {"/shared": "/shared"}, None),
        ("/tok/own", {"/shared/tokenizers": "/tok:ro"}, None),
        ("org/model", {}, None),
        ("/home/me/tokenizer", {}, "warning"),
        ("/shared/model/tokenizer", {}, "warning"),
        ("/tokens", {"/shared": "/tok"}, "warning"),
        ("/checkpoint/tokenizer", {"/shared": "/shared"}, "error"),
    ],
)
def test_a_tokenizer_that_the_task_s_container_does_not_have_is_found(
    tmp_path: Path, tokenizer: str, mounts: dict[str, str], severity: str | None
) -> None:
    text = put(_with_tokenizer(Path("/shared/model"), tokenizer), "execution.mounts.evaluation", mounts)
    found = [finding for finding in check(write(tmp_path, text)).findings if finding.rule == "T42"]
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(finding.path == f"{EXTRA}.tokenizer" and "mount" in finding.fix for finding in found)


def test_a_tokenizer_in_a_home_that_is_mounted_is_not_judged(tmp_path: Path) -> None:
    text = put(_with_tokenizer(Path("/shared/model"), "/home/me/tokenizer"), "execution.mounts.mount_home", True)
    assert "T42" not in {finding.rule for finding in check(write(tmp_path, text)).findings}


@pytest.mark.parametrize(("deployment", "severity"), [("generic", "warning"), ("vllm", "error")])
def test_top_p_zero_is_megatron_s_word_for_off_and_an_error_for_other_servers(
    tmp_path: Path, deployment: str, severity: str
) -> None:
    base = _megatron() if deployment == "generic" else LOGPROB
    text = put(base, "evaluation.nemo_evaluator_config.config.params.top_p", 0.0)
    found = [finding for finding in check(write(tmp_path, text)).findings if finding.rule == "P06"]
    assert [finding.severity for finding in found] == [severity]
