"""Each rule is broken by one config and kept by another."""

import json
from pathlib import Path

import pytest

from quantgate.errors import ConfigError
from quantgate.evalconfig.lint import Finding, Report, check
from quantgate.evalconfig.lint.engine import RULES

from .made import PROCESS, write
from .valid_configs import LOCAL, SLURM

CHECKPOINT = Path(__file__).parents[1] / "data" / "checkpoints" / "bf16_dense"
PARAMS = "        parallelism: 4 # what the server bears\n"
TASK = "    - name: ifbench.ifbench # 294 prompts\n"
LOGPROB = LOCAL.replace(TASK, "    - name: lm-evaluation-harness.hellaswag\n")
COMPLETIONS = LOGPROB.replace("/v1/chat/completions", "/v1/completions")

# rule, config that breaks it, path of the finding, words of the finding
BROKEN = [
    ("C01", LOCAL + "cluster: {account: x}\n", "cluster", "execution"),
    ("C01", LOCAL + "exection: {account: x}\n", "exection", "execution"),
    ("C01", LOCAL + "quantgate: {chekpoint: x}\n", "quantgate.chekpoint", "checkpoint"),
    ("C02", SLURM.replace("walltime:", "walltme:"), "execution.walltme", "walltime"),
    ("C02", SLURM.replace("  image:", "  imgae:"), "deployment.imgae", "image"),
    ("C03", SLURM.replace("account: team", "account: ???"), "execution.account", "GPU hours"),
    ("C03", SLURM.replace("  account: team\n", ""), "execution.account", "edit_config"),
    ("C04", SLURM.replace("account: team", "account: <ACCOUNT>"), "execution.account", "<ACCOUNT>"),
    ("C04", SLURM.replace("account: team", "account: CHANGEME"), "execution.account", "CHANGEME"),
    (
        "C05",
        LOCAL.replace(PARAMS, PARAMS + "        max_tokens: 5\n"),
        "evaluation.nemo_evaluator_config.config.params.max_tokens",
        "max_new_tokens",
    ),
    (
        "C07",
        LOCAL.replace("      params:\n", "      target: {api_endpoint: {}}\n      params:\n"),
        "evaluation.nemo_evaluator_config.config.target",
        "sibling",
    ),
    (
        "C08",
        LOCAL.replace("  output_dir", "  env_vars: {A: lit:1}\n  output_dir"),
        "execution.env_vars",
        "evaluation.env_vars",
    ),
    (
        "C09",
        LOCAL.replace("DUMMY_API_KEY: lit:dummy", "HF_TOKEN: abcdefghijklmnop\n    DUMMY_API_KEY: lit:dummy"),
        "evaluation.env_vars.HF_TOKEN",
        "host:HF_TOKEN",
    ),
    (
        "C10",
        LOCAL.replace("lit:dummy", '"lit:${oc.env:QUANTGATE_A,none}"'),
        "evaluation.env_vars.DUMMY_API_KEY",
        "host:DUMMY_API_KEY",
    ),
    (
        "C11",
        LOCAL.replace("lit:dummy", "host:QUANTGATE_NEVER_SET"),
        "evaluation.env_vars.DUMMY_API_KEY",
        "QUANTGATE_NEVER_SET",
    ),
    (
        "C11",
        LOCAL.replace("api_key_name: DUMMY_API_KEY", "api_key_name: QUANTGATE_NEVER_SET"),
        "target.api_endpoint.api_key_name",
        "QUANTGATE_NEVER_SET",
    ),
    ("C12", SLURM.replace('"04:00:00"', "12:00:00"), "execution.walltime", "43200"),
    ("C12", SLURM.replace('"04:00:00"', "banana"), "execution.walltime", "banana"),
    (
        "C13",
        SLURM.replace("    api_key_name:", "    url: http://x/v1/chat/completions\n    api_key_name:"),
        "target.api_endpoint.url",
        "vllm",
    ),
    (
        "C13",
        SLURM.replace("    api_key_name:", "    model_id: m\n    api_key_name:"),
        "target.api_endpoint.model_id",
        "vllm",
    ),
    ("C14", LOCAL.replace(TASK, "    - name: mmlu_pro\n"), "evaluation.tasks[0].name", "simple_evals.mmlu_pro"),
    ("C15", LOCAL.replace("ifbench.ifbench", "ifbench.ifbnch"), "evaluation.tasks[0].name", "ifbench.ifbench"),
    ("C15", LOCAL.replace("ifbench.ifbench", "a.b.c"), "evaluation.tasks[0].name", "more than one dot"),
    ("C15", LOCAL.replace(TASK, "    - container: x/y:1\n"), "evaluation.tasks[0].name", "no name"),
    (
        "C16",
        LOCAL.replace("  env_vars:\n", "  overrides: {config.params.top_p: 0.5}\n  env_vars:\n"),
        "evaluation.overrides",
        "nemo_evaluator_config",
    ),
    (
        "C22",
        SLURM.replace("  image:", "  multiple_instances: true\n  image:"),
        "deployment.multiple_instances",
        "num_instances",
    ),
    (
        "C23",
        SLURM.replace("  account:", "  num_nodes: 3\n  num_instances: 2\n  account:"),
        "execution.num_instances",
        "3",
    ),
    (
        "C28",
        LOCAL.replace(TASK, TASK + "      pre_cmd: pip install x\n"),
        "evaluation.tasks[0].pre_cmd",
        "TRUST_PRE_CMD",
    ),
    ("C34", LOCAL.replace("  tasks:\n" + TASK, "  tasks: []\n"), "evaluation.tasks", "nothing runs"),
    ("C34", LOCAL + "tasks: [{name: ifbench.ifbench}]\n", "tasks", "evaluation.tasks"),
    (
        "C35",
        LOCAL.replace("parallelism: 4", "parallelism: many"),
        "evaluation.nemo_evaluator_config.config.params.parallelism",
        "'many'",
    ),
    (
        "C35",
        LOCAL.replace("temperature: 0.0", 'temperature: "0.6"'),
        "evaluation.nemo_evaluator_config.config.params.temperature",
        "number",
    ),
    (
        "D04",
        SLURM.replace("hf_model_handle: null", "hf_model_handle: org/m"),
        "deployment.hf_model_handle",
        "Both",
    ),
    (
        "D04",
        SLURM.replace("checkpoint_path: /shared/models/m-FP8", "checkpoint_path: null"),
        "deployment.checkpoint_path",
        "Neither",
    ),
    ("P01", PROCESS.replace("ifbench.ifbench", "nemo_skills.ns_ifbench"), "evaluation.tasks[0].name", "container"),
    (
        "P02",
        SLURM.replace("execution: slurm/default", "execution: local").replace(
            "  hostname: login.cluster", "  type: process"
        ),
        "deployment",
        "vllm",
    ),
    (
        "P04",
        PROCESS.replace("/tmp/results", '"/tmp/$(touch x)"'),
        "execution.output_dir",
        "shell",
    ),
    (
        "C10",
        LOCAL.replace(PARAMS, PARAMS + "        extra: {judge: {api_key: '${oc.env:JUDGE_API_KEY,x}'}}\n"),
        "evaluation.nemo_evaluator_config.config.params.extra.judge.api_key",
        "JUDGE_API_KEY",
    ),
    ("C02", LOCAL.replace("    url:", "    ulr:"), "target.api_endpoint.ulr", "no key"),
    ("C02", LOCAL.replace("      params:", "      parms:"), "evaluation.nemo_evaluator_config.config.parms", "no key"),
    ("C02", LOCAL.replace(TASK, TASK + "      nam: x\n"), "evaluation.tasks[0].nam", "no key"),
    (
        "D26",
        LOCAL.replace(PARAMS, PARAMS + "        max_new_tokens: 999999\n")
        + f"quantgate: {{checkpoint: {CHECKPOINT}}}\n",
        "evaluation.nemo_evaluator_config.config.params.max_new_tokens",
        "context",
    ),
    ("P03", LOCAL.replace("  output_dir", "  type: kubernetes\n  output_dir"), "execution.type", "process"),
    ("S06", SLURM.replace("/shared/results", "results"), "execution.output_dir", "relative"),
    (
        "T16",
        LOCAL.replace(PARAMS, PARAMS + "        limit_samples: 10\n"),
        "evaluation.nemo_evaluator_config.config.params.limit_samples",
        "partial",
    ),
    ("T34", LOGPROB, "target.api_endpoint.url", "completions endpoint"),
    ("T34", COMPLETIONS, "evaluation.tasks[0].name", "tokenizer"),
]


def _check(directory: Path, text: str) -> Report:
    return check(write(directory, text))


def _only(report: Report) -> Finding:
    assert len(report.findings) == 1, report.findings
    return report.findings[0]


@pytest.mark.parametrize(("rule", "text", "path", "words"), BROKEN, ids=[f"{r[0]}-{r[2]}" for r in BROKEN])
def test_a_broken_rule_is_one_finding_at_its_line_with_a_fix(
    tmp_path: Path, rule: str, text: str, path: str, words: str
) -> None:
    found = [finding for finding in _check(tmp_path, text).findings if finding.rule == rule]
    assert [finding.path for finding in found] == [path]
    assert words in found[0].message + found[0].fix
    assert found[0].fix
    key = path.rpartition(".")[2].partition("[")[0]
    line = text.splitlines()[found[0].line - 1]
    assert key in line or rule in {"C03", "C15", "C34", "D04", "P02", "P03"}


def test_a_value_without_a_prefix_is_never_shown(tmp_path: Path) -> None:
    secret = "plainsecretvalue1234"
    report = _check(tmp_path, LOCAL.replace("lit:dummy", secret))
    assert _only(report).rule == "C09"
    assert secret not in json.dumps([vars(finding) for finding in report.findings])


def test_an_unset_variable_is_named_with_the_places_that_were_looked_at(tmp_path: Path) -> None:
    finding = _only(_check(tmp_path, LOCAL.replace("lit:dummy", "host:QUANTGATE_NEVER_SET")))
    assert str(tmp_path / ".env") in finding.message
    assert "environment" in finding.message


def test_a_variable_in_the_env_file_beside_the_config_is_set(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOMETIMES_SET_HERE=valuevalue\n")
    assert _check(tmp_path, LOCAL.replace("lit:dummy", "host:SOMETIMES_SET_HERE")).ok


def test_a_trust_switch_does_not_count_from_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("NEMO_EVALUATOR_TRUST_PRE_CMD=1\n")
    assert _only(_check(tmp_path, LOCAL.replace(TASK, TASK + "      pre_cmd: echo\n"))).rule == "C28"


def test_a_reviewed_command_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMO_EVALUATOR_TRUST_PRE_CMD", "1")
    assert _check(tmp_path, LOCAL.replace(TASK, TASK + "      pre_cmd: echo\n")).ok


def test_a_variable_that_every_task_declares_itself_is_not_asked_for(tmp_path: Path) -> None:
    text = LOCAL.replace("lit:dummy", "host:QUANTGATE_NEVER_SET")
    assert _check(tmp_path, text.replace(TASK, TASK + "      env_vars: {DUMMY_API_KEY: lit:x}\n")).ok


def test_one_unset_variable_in_two_places_is_one_finding(tmp_path: Path) -> None:
    text = LOCAL.replace("lit:dummy", "host:QUANTGATE_NEVER_SET").replace(
        TASK, TASK + "      env_vars: {OTHER: host:QUANTGATE_NEVER_SET}\n"
    )
    assert _only(_check(tmp_path, text)).path == "evaluation.env_vars.DUMMY_API_KEY"


def test_many_log_probability_tasks_on_one_chat_endpoint_are_one_finding(tmp_path: Path) -> None:
    report = _check(
        tmp_path, LOGPROB.replace("hellaswag\n", "hellaswag\n    - name: lm-evaluation-harness.winogrande\n")
    )
    assert _only(report).path == "target.api_endpoint.url"
    assert "winogrande" in _only(report).message


def test_a_gap_that_others_refer_to_is_one_finding(tmp_path: Path) -> None:
    finding = _only(_check(tmp_path, SLURM.replace("served_model_name: m", "served_model_name: ???")))
    assert (finding.rule, finding.path) == ("C03", "deployment.served_model_name")


def test_a_relative_output_dir_is_only_a_note_on_this_machine(tmp_path: Path) -> None:
    report = _check(tmp_path, LOCAL.replace("/tmp/results", "results"))
    assert (_only(report).severity, report.ok) == ("note", True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LOCAL.replace("deployment: none", "deployment: vlm"), 2),
        (LOCAL.replace("execution: local", "execution: process"), 3),
        (LOCAL + "a: 1\na: 2\n", 29),
        (LOCAL.replace("evaluation:", "evaluation: ["), 18),
    ],
)
def test_a_config_that_does_not_compose_is_one_finding(tmp_path: Path, text: str, line: int) -> None:
    report = _check(tmp_path, text)
    finding = _only(report)
    assert (finding.rule, finding.severity, report.ok) == ("compose", "error", False)
    assert finding.line >= line - 1
    assert finding.fix


def test_a_missing_file_is_refused_not_found_wanting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        check(tmp_path / "none.yaml")


def test_a_silenced_rule_is_not_applied_and_said(tmp_path: Path) -> None:
    text = LOCAL.replace(PARAMS, PARAMS + "        limit_samples: 10\n")
    report = _check(tmp_path, text + "quantgate: {silence: [T16]}\n")
    assert (report.findings, report.silenced, report.ok) == ([], ["T16"], True)
    assert report.rules_checked == len(RULES) - 1


def test_an_unknown_id_under_silence_is_a_note(tmp_path: Path) -> None:
    report = _check(tmp_path, LOCAL + "quantgate: {silence: [T61]}\n")
    assert (_only(report).severity, report.silenced) == ("note", [])


def test_silence_must_be_a_list(tmp_path: Path) -> None:
    assert _only(_check(tmp_path, LOCAL + "quantgate: {silence: T16}\n")).rule == "compose"
