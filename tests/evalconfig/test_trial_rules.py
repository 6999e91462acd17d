"""What an agent's trial of the rules found: each test is one false silence or one false alarm."""

import json
import shutil
from pathlib import Path

import pytest

from quantgate.evalconfig.lint import Finding, check
from quantgate.evalconfig.lint.serving_flags import flag_names, nearest

from .corpus.case import drop, example, put
from .made import write
from .valid_configs import LOCAL, SLURM

NAME = "evaluation.tasks[0].name"
TASK = "evaluation.tasks[0].nemo_evaluator_config.config.params"
PARAMS = "evaluation.nemo_evaluator_config.config.params"
CHECKPOINT = Path(__file__).parents[1] / "data" / "checkpoints" / "bf16_dense"
URL = "target.api_endpoint.url"


def _found(directory: Path, text: str, rule: str) -> list[Finding]:
    return [finding for finding in check(write(directory, text)).findings if finding.rule == rule]


@pytest.mark.parametrize(
    ("task", "recipe"), [("nemo_skills.ns_aa_lcr", "aa_lcr"), ("simple_evals.AIME_2025_aa_v2", "aime2025")]
)
def test_a_benchmark_with_a_judge_and_no_url_of_one_is_an_error_that_names_the_recipe(
    tmp_path: Path, task: str, recipe: str
) -> None:
    [found] = _found(tmp_path, put(LOCAL, NAME, task), "T02")
    assert (found.severity, f"recipes/tasks/{recipe}.md" in found.fix) == ("error", True)


def test_a_task_whose_harness_has_a_judge_section_and_does_not_ask_it_is_no_finding(tmp_path: Path) -> None:
    assert _found(tmp_path, put(LOCAL, NAME, "nemo_skills.ns_gpqa"), "T02") == []


@pytest.mark.parametrize("who", ["judge", "user"])
def test_tau2_left_at_the_catalogue_s_other_models_is_a_warning(tmp_path: Path, who: str) -> None:
    text = drop(example("tau2_judge_slurm"), f"{TASK}.extra.{who}")
    [found] = _found(tmp_path, text, "T02")
    assert (found.severity, "tau2_bench_telecom.md" in found.fix) == ("warning", True)


def test_a_section_with_an_anchor_that_an_alias_uses_is_a_note(tmp_path: Path) -> None:
    head = "x_common: &common {DUMMY_API_KEY: 'lit:dummy'}\n"
    shared = head + LOCAL.replace("    DUMMY_API_KEY: lit:dummy\n", "    <<: *common\n")
    [found] = _found(tmp_path, shared, "C01")
    assert (found.severity, "`quantgate: silence`" in found.fix) == ("note", True)
    [unused] = _found(tmp_path, head + LOCAL, "C01")
    assert (unused.severity, "`quantgate: silence`" in unused.fix) == ("error", True)


def test_a_key_of_a_section_with_an_anchor_that_an_alias_uses_is_a_note(tmp_path: Path) -> None:
    text = SLURM.replace("  account: team", "  my_own: &account team\n  account: *account")
    [found] = _found(tmp_path, text, "C02")
    assert (found.severity, "C02" in found.fix) == ("note", True)
    typo = SLURM.replace('  walltime: "04:00:00"', '  walltme: &w "04:00:00"\n  sbatch_comment: *w')
    assert [finding.severity for finding in _found(tmp_path, typo, "C02")] == ["error"]


@pytest.mark.parametrize(
    ("framework", "written", "meant"),
    [
        ("vllm", "--max-modellen", "--max-model-len"),
        ("vllm", "--tensor-paralel-size", "--tensor-parallel-size"),
        ("vllm", "--trust-remote-cod", ""),  # argparse takes the beginning of a flag
        ("vllm", "--disable-log-requests", ""),
        ("vllm", "--no-enable-prefix-caching", ""),
        ("vllm", "--temperature", ""),
        ("vllm", "--in-house-scheduler", ""),
        ("vllm", "--max_model_len", ""),
        ("vllm", "--moe-data-parallel-size", ""),
        ("vllm", "--kda-prefill-backends", "--kda-prefill-backend"),
        ("sglang", "--contxt-length", "--context-length"),
        ("sglang", "--tp", ""),
        ("sglang", "--mem-fraction-static", ""),
    ],
)
def test_a_flag_is_corrected_only_when_it_is_nearly_one_of_the_program(
    framework: str, written: str, meant: str
) -> None:
    assert nearest(framework, written) == meant


def test_the_tables_of_flags_have_a_source_and_are_of_two_programs() -> None:
    assert {name for name, row in flag_names().items() if row.source and len(row.names) > 200} == {"vllm", "sglang"}


def test_a_misspelt_flag_is_a_warning_with_the_nearest(tmp_path: Path) -> None:
    text = example("tau2_judge_slurm").replace("--max-num-seqs 4", "--max-numseqs 4")
    [found] = _found(tmp_path, text, "P30")
    assert (found.severity, "--max-num-seqs" in found.fix) == ("warning", True)


def test_trials_with_a_seed_of_their_own_are_not_answered_from_the_cache(tmp_path: Path) -> None:
    assert _found(tmp_path, example("tau2_judge_slurm"), "T19") == []


@pytest.mark.parametrize(("task", "rule"), [("nemo_skills.ns_aa_lcr", "T09"), ("nemo_skills.ns_scicode", "T10")])
def test_a_task_that_the_model_has_no_room_for_is_to_be_removed(tmp_path: Path, task: str, rule: str) -> None:
    model = shutil.copytree(CHECKPOINT, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 40960}))
    text = put(put(LOCAL, NAME, task), "quantgate.checkpoint", str(model))
    [found] = _found(tmp_path, text, rule)
    assert f"remove_tasks=['{task}']" in found.fix


def test_what_the_command_line_decides_is_not_listed_as_skipped(tmp_path: Path) -> None:
    bare = " ".join(check(write(tmp_path, SLURM)).skipped)
    assert "T09" in bare
    assert "D26" in bare
    told = put(SLURM, "deployment.extra_args", "--max-model-len 32768")
    skipped = " ".join(check(write(tmp_path, put(told, NAME, "nemo_skills.ns_aa_lcr"))).skipped)
    assert "T14" in skipped
    assert "T09" not in skipped
    assert "D26" not in skipped


def test_a_variable_that_the_user_simulator_takes_its_key_from_is_not_offered_for_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("USER_API_KEY", raising=False)
    text = example("tau2_judge_slurm").replace(
        "JUDGE_API_KEY: host:JUDGE_API_KEY", "JUDGE_API_KEY: lit:x\n        SPARE: host:NEVER_SET_HERE"
    )
    fixes = {finding.path.rpartition(".")[2]: finding.fix for finding in _found(tmp_path, text, "C11")}
    assert "unset=" not in fixes["USER_API_KEY"]
    assert "unset=" in fixes["SPARE"]


def test_an_open_parameter_that_no_task_uses_is_to_be_unset(tmp_path: Path) -> None:
    unused = put(put(LOCAL, NAME, "nemo_skills.ns_gpqa"), f"{PARAMS}.extra", {"tokenizer": "???"})
    [found] = _found(tmp_path, unused, "C03")
    assert found.fix == f"edit_config(unset=['{PARAMS}.extra.tokenizer'])"
    used = put(unused, NAME, "lm-evaluation-harness.hellaswag")
    assert [finding.fix.startswith("edit_config(unset") for finding in _found(tmp_path, used, "C03")] == [False]


def test_transport_settings_without_effect_are_one_note(tmp_path: Path) -> None:
    text = put(SLURM, PARAMS, {"request_timeout": 60, "max_retries": 3})
    text = put(text, f"{TASK}.max_retries", 3)
    [found] = _found(tmp_path, text, "T17")
    assert (found.severity, "max_retries" in found.message) == ("note", True)


def test_a_slash_at_the_end_of_the_url_is_a_warning(tmp_path: Path) -> None:
    [found] = _found(tmp_path, put(LOCAL, URL, "http://10.0.0.5:8080/v1/chat/completions/"), "C36")
    assert (found.severity, "slash" in found.fix) == ("warning", True)


@pytest.mark.parametrize("host", ["10.0.0.9:8000", "10.0.0.9:8000/", "gateway.corp.internal"])
def test_the_url_that_is_proposed_breaks_no_other_rule(tmp_path: Path, host: str) -> None:
    [found] = _found(tmp_path, put(LOCAL, URL, host), "P09")
    proposed = found.fix.removeprefix("write ")
    findings = check(write(tmp_path, put(LOCAL, URL, proposed))).findings
    assert [finding for finding in findings if finding.path == URL] == []
