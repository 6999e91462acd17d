"""One cause is one finding, at the line where it can be mended, with a fix that says what to type."""

from pathlib import Path

import pytest

from quantgate.evalconfig import missing
from quantgate.evalconfig.compose import compose
from quantgate.evalconfig.document import ConfigDocument
from quantgate.evalconfig.lint import Finding, check

from .corpus.case import drop, example, put
from .made import PROCESS, write
from .valid_configs import LOCAL, SLURM, served

TASK = "evaluation.tasks[0].nemo_evaluator_config.config.params"
PARAMS = "evaluation.nemo_evaluator_config.config.params"
URL = "target.api_endpoint.url"
COMPLETIONS = "http://10.0.0.5:8080/v1/completions"
JUDGE = {
    "type": "vllm",
    "image": "vllm/vllm-openai:v0.20.0",
    "port": 8001,
    "served_model_name": "j",
    "endpoints": {"chat": "/v1/chat/completions", "health": "/health"},
    "command": "vllm serve org/j --served-model-name j --port 8001",
}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMO_EVALUATOR_TELEMETRY_LEVEL", "0")
    for name in ("JUDGE_API_KEY", "USER_API_KEY", "HF_TOKEN"):
        monkeypatch.setenv(name, "not-a-real-key")


def _loud(directory: Path, text: str) -> list[Finding]:
    return [finding for finding in check(write(directory, text)).findings if finding.severity != "note"]


@pytest.mark.parametrize("handle", ["<X>", "<MODEL_HANDLE>"])
def test_a_placeholder_that_nel_s_command_takes_over_is_one_finding(tmp_path: Path, handle: str) -> None:
    text = put(put(SLURM, "deployment.checkpoint_path", None), "deployment.hf_model_handle", handle)
    [found] = _loud(tmp_path, text)
    assert (found.rule, found.path) == ("C04", "deployment.hf_model_handle")


def test_a_gap_is_listed_once_where_it_is_written(tmp_path: Path) -> None:
    text = put(put(SLURM, "deployment.checkpoint_path", None), "deployment.hf_model_handle", "<MODEL_HANDLE>")
    path = write(tmp_path, text)
    gaps = missing.gaps(ConfigDocument.load(path), compose(path))
    assert [gap.path for gap in gaps] == ["deployment.hf_model_handle"]


@pytest.mark.parametrize(
    ("base", "name", "written"),
    [
        (SLURM, "deployment", "deployement"),
        (SLURM, "evaluation", "evalution"),
        (SLURM, "execution", "exection"),
        (SLURM, "target", "targt"),
        (SLURM, "defaults", "defualts"),
        (LOCAL, "defaults", "default"),
        (LOCAL, "target", "targte"),
        (example("nvfp4_slurm"), "deployment", "deployement"),
    ],
)
def test_a_misspelt_section_is_one_finding_that_names_the_right_one(
    tmp_path: Path, base: str, name: str, written: str
) -> None:
    [found] = _loud(tmp_path, ("\n" + base).replace(f"\n{name}:", f"\n{written}:"))
    assert (found.rule, found.fix) == ("C01", f"did you mean `{name}`?")


def test_a_section_that_is_there_beside_its_misspelling_is_still_looked_at(tmp_path: Path) -> None:
    text = SLURM.replace("  account: team", "  acount: team") + "exection: {account: team}\n"
    assert {finding.rule for finding in _loud(tmp_path, text)} == {"C01", "C02"}


@pytest.mark.parametrize("endpoint", ["", "    model_id: small\n    url: http://127.0.0.1:8080/v1/chat/completions\n"])
def test_a_deployment_for_the_process_executor_is_one_finding(tmp_path: Path, endpoint: str) -> None:
    whole = "    model_id: small\n    url: http://127.0.0.1:8080/v1/chat/completions\n"
    text = PROCESS.replace("deployment: none", "deployment: vllm").replace(whole, endpoint)
    [found] = _loud(tmp_path, text)
    assert (found.rule, found.path) == ("P02", "deployment")


def test_a_key_name_that_no_section_has_is_missed_at_the_task_that_wants_it(tmp_path: Path) -> None:
    text = drop(SLURM, "target")
    [found] = _loud(tmp_path, text)
    assert (found.rule, found.path) == ("C37", "evaluation.tasks[0].name")
    assert "ns_mmlu_pro" in text.splitlines()[found.line - 1]


def test_a_gap_in_braces_says_to_quote_it(tmp_path: Path) -> None:
    [found] = _loud(tmp_path, SLURM.replace("mount_home: false", "mount_home: ???"))
    assert (found.rule, "quote it" in found.fix, found.line) == ("compose", True, 11)


def test_the_key_of_another_framework_is_no_misspelling(tmp_path: Path) -> None:
    text = SLURM.replace("deployment: vllm", "deployment: trtllm").replace(
        "  tensor_parallel_size: 8\n", "  tensor_parallel_size: 8\n  data_parallel_size: 2\n"
    )
    [found] = [each for each in _loud(tmp_path, text) if each.rule == "C02"]
    assert (found.path, "did you mean" in found.fix) == ("deployment.data_parallel_size", False)


def test_many_equal_tasks_are_one_finding(tmp_path: Path) -> None:
    text = LOCAL.replace("    - name: ifbench.ifbench # 294 prompts\n", "    - name: ifbench.ifbench\n" * 300)
    [found] = _loud(tmp_path, text)
    assert (found.rule, "299 in all" in found.message) == ("P12", True)


def test_a_tokenizer_and_its_backend_that_no_task_uses_are_one_finding_and_one_edit(tmp_path: Path) -> None:
    text = put(put(LOCAL, "evaluation.tasks[0].name", "nemo_skills.ns_gpqa"), f"{PARAMS}.extra", {})
    text = put(text, f"{PARAMS}.extra", {"tokenizer": "???", "tokenizer_backend": "huggingface"})
    [found] = _loud(tmp_path, text)
    assert found.fix == f"edit_config(unset=['{PARAMS}.extra.tokenizer', '{PARAMS}.extra.tokenizer_backend'])"


def _judged(url: str, *, declared: bool) -> str:
    text = put(example("tau2_judge_slurm"), "auxiliary_deployments", {"judge": JUDGE})
    text = put(text, f"{TASK}.extra.judge.url", url)
    return text if declared else drop(text, "evaluation.tasks[0].env_vars.JUDGE_API_KEY")


@pytest.mark.parametrize("url", ["auxiliary_deployments.judge.chat_url", "$JUDGE_CHAT_URL", "\\${JUDGE_CHAT_URL}"])
def test_a_judge_beside_the_model_needs_no_real_key(tmp_path: Path, url: str) -> None:
    assert _loud(tmp_path, _judged(url, declared=True)) == []
    [found] = _loud(tmp_path, _judged(url, declared=False))
    assert (found.rule, found.severity) == ("T03", "warning")


def test_a_judge_elsewhere_does_need_its_key(tmp_path: Path) -> None:
    text = _judged("http://judge.corp.internal:8000/v1/chat/completions", declared=False)
    assert [(each.rule, each.severity) for each in _loud(tmp_path, text)] == [("T03", "error")]


def test_a_reference_to_a_server_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    [found] = _loud(tmp_path, _judged("auxiliary_deployments.jugde.chat_url", declared=True))
    assert (found.rule, found.fix) == ("P31", "did you mean `auxiliary_deployments.judge.chat_url`?")


@pytest.mark.parametrize("task", ["lm-evaluation-harness.gsm8k", "lm-evaluation-harness.adlr_mmlu"])
def test_a_completions_task_that_generates_needs_no_tokenizer(tmp_path: Path, task: str) -> None:
    text = put(LOCAL, "evaluation.tasks[0].name", task)
    assert _loud(tmp_path, put(text, URL, COMPLETIONS)) == []
    assert [found.rule for found in _loud(tmp_path, text)] == ["C36"]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({}, [("error", "tokenizer=…")]),
        ({"tokenizer": "org/m"}, [("error", "tokenizer_backend=huggingface")]),
        ({"tokenizer_backend": "huggingface"}, [("warning", "tokenizer=…")]),
        ({"tokenizer": "org/m", "tokenizer_backend": "huggingface"}, []),
    ],
)
def test_log_probabilities_need_a_tokenizer_with_a_backend(
    tmp_path: Path, extra: dict[str, str], said: list[tuple[str, str]]
) -> None:
    text = put(put(LOCAL, "evaluation.tasks[0].name", "lm-evaluation-harness.hellaswag"), URL, COMPLETIONS)
    found = [each for each in _loud(tmp_path, put(text, f"{PARAMS}.extra", extra)) if each.rule == "T34"]
    assert [(each.severity, part in each.fix) for each, (_, part) in zip(found, said, strict=True)] == [
        (severity, True) for severity, _ in said
    ]


def _engine(directory: Path, deployment: str, file: str = "rank0.engine") -> str:
    engine = directory / "engine"
    engine.mkdir()
    (engine / file).write_bytes(b"engine")
    command = "command: /serve --model /checkpoint --port 8000\nport: 8000\n"
    command += "endpoints: {chat: /v1/chat/completions, health: /health}"
    return served(
        deployment,
        f"checkpoint_path: {engine}\nserved_model_name: m\nimage: registry.corp.internal/serve:1.2\n"
        + (command if deployment == "generic" else ""),
    )


@pytest.mark.parametrize(("deployment", "file"), [("generic", "weights.bin"), ("trtllm", "rank0.engine")])
def test_a_directory_of_engines_is_no_broken_export(tmp_path: Path, deployment: str, file: str) -> None:
    report = check(write(tmp_path, _engine(tmp_path, deployment, file)))
    assert [found for found in report.findings if found.rule == "D38"] == []
    assert any("no Transformers checkpoint" in line for line in report.skipped)


@pytest.mark.parametrize(("deployment", "file"), [("vllm", "rank0.engine"), ("trtllm", "notes.txt")])
def test_a_directory_without_a_model_is_a_broken_export(tmp_path: Path, deployment: str, file: str) -> None:
    assert "D38" in [found.rule for found in _loud(tmp_path, _engine(tmp_path, deployment, file))]


def test_what_only_the_checkpoint_tells_is_skipped_by_name(tmp_path: Path) -> None:
    skipped = " ".join(check(write(tmp_path, SLURM)).skipped)
    assert {"D12", "D13", "D14", "D15", "D17", "D18"} <= set(skipped.replace(",", " ").replace(":", " ").split())
