"""Rules that look beyond the file: the launcher, the environment, files of earlier runs, this machine, the checkpoint."""

import json
import platform
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.errors import BadInput, ConfigError
from quantgate.evalconfig.lint import Report, check
from quantgate.evalconfig.lint.rules_table import rules_markdown
from quantgate.launcher import package

from .corpus.case import put
from .made import PROCESS, write
from .valid_configs import LOCAL, SLURM, VALID

CONDITIONS = {"C32", "C33", "S14", "S16", "T14"}
CHECKPOINT = Path(__file__).parents[1] / "data" / "checkpoints" / "bf16_dense"
NAME = "evaluation.tasks[0].name"


def _rules(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}


def test_another_launcher_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "C32" not in _rules(check(write(tmp_path, PROCESS)))
    monkeypatch.setattr(package, "launcher_version", lambda: "0.3.0")
    found = [finding for finding in check(write(tmp_path, PROCESS)).findings if finding.rule == "C32"]
    assert [finding.severity for finding in found] == ["warning"]


def test_two_values_of_one_variable_are_found_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VARIABLE", "firstvalue99")
    text = LOCAL.replace("lit:dummy", "host:SOME_VARIABLE")
    (tmp_path / ".env").write_text("SOME_VARIABLE=firstvalue99\n")
    assert "C33" not in _rules(check(write(tmp_path, text)))
    (tmp_path / ".env").write_text("SOME_VARIABLE=secondvalue99\n")
    report = check(write(tmp_path, text))
    assert "C33" in _rules(report)
    assert "value99" not in json.dumps([vars(finding) for finding in report.findings])


def test_readable_secrets_of_earlier_runs_are_found(tmp_path: Path) -> None:
    file = tmp_path / "results" / "20260101_000000-abc" / "ifbench.ifbench.0" / ".secrets.env"
    file.parent.mkdir(parents=True)
    file.write_text("export A=1\n")
    text = PROCESS.replace("/tmp/results", str(tmp_path / "results"))
    file.chmod(0o644)
    assert "S14" in _rules(check(write(tmp_path, text)))
    file.chmod(0o600)
    assert "S14" not in _rules(check(write(tmp_path, text)))


def test_secrets_that_a_dry_run_removes_meanwhile_are_none(tmp_path: Path) -> None:
    file = tmp_path / "results" / "20260101_000000-abc" / "ifbench.ifbench.0" / ".secrets.env"
    file.parent.mkdir(parents=True)
    file.symlink_to(tmp_path / "gone")  # stands for a file that is listed and then is not there
    assert "S14" not in _rules(check(write(tmp_path, PROCESS.replace("/tmp/results", str(tmp_path / "results")))))


NOBODY = "~nobody-has-this-name/x"


@pytest.mark.parametrize("path", [NOBODY, '"/tmp/a\\0b"'])
@pytest.mark.parametrize(
    ("text", "key"),
    [
        (PROCESS, "execution.output_dir"),
        (LOCAL, "execution.output_dir"),
        (LOCAL, "execution.extra_docker_args"),
        (SLURM, "execution.output_dir"),
        (SLURM, "deployment.checkpoint_path"),
        (SLURM, "quantgate.checkpoint"),
        (SLURM, "evaluation.nemo_evaluator_config.config.params.extra.tokenizer"),
    ],
)
def test_a_path_that_no_file_can_have_ends_in_a_report(tmp_path: Path, text: str, key: str, path: str) -> None:
    assert check(
        write(tmp_path, put(put(text, NAME, "lm-evaluation-harness.hellaswag"), key, path.strip('"')))
    ).findings


def test_a_mount_from_the_home_of_nobody_is_not_here(tmp_path: Path) -> None:
    text = put(LOCAL, "execution.mounts", {"evaluation": {NOBODY: "/data"}})
    assert "P20" not in _rules(check(write(tmp_path, text))), "Docker would not get it as a path"


def test_a_config_in_the_home_of_nobody_is_not_there() -> None:
    with pytest.raises(ConfigError, match="home of a user"):
        check(Path(f"{NOBODY}.yaml"))


@pytest.mark.parametrize(("machine", "task", "found"), [("aarch64", "helm.medec", True), ("aarch64", "hle.hle", False)])
def test_an_amd64_container_on_arm_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, task: str, found: bool
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert ("S16" in _rules(check(write(tmp_path, put(LOCAL, NAME, task))))) is found


def test_an_amd64_container_on_a_grace_node_is_found(tmp_path: Path) -> None:
    text = put(put(SLURM, NAME, "helm.medec"), "execution.gres", "gpu:gb200:4")
    assert "S16" in _rules(check(write(tmp_path, text)))
    assert "S16" not in _rules(check(write(tmp_path, text.replace("gb200:4", "h100:8"))))


def test_images_for_a_text_model_are_found(tmp_path: Path) -> None:
    text = put(put(LOCAL, NAME, "nemo_skills.ns_mmmu_pro"), "quantgate.checkpoint", str(CHECKPOINT))
    assert "T14" in _rules(check(write(tmp_path, text)))
    assert "T14" not in _rules(check(write(tmp_path, put(text, NAME, "nemo_skills.ns_mmlu_pro"))))


def test_the_context_of_the_checkpoint_counts_where_no_flag_gives_one(tmp_path: Path) -> None:
    text = put(put(LOCAL, NAME, "nemo_skills.ns_aa_lcr"), "quantgate.checkpoint", str(CHECKPOINT))
    assert "T09" in _rules(check(write(tmp_path, text)))


def test_a_trusted_unlisted_task_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = put(LOCAL, "evaluation.tasks[0]", {"name": "simple_evals.entirely_new_one"})
    assert "C29" in _rules(check(write(tmp_path, text)))
    monkeypatch.setenv("NEMO_EVALUATOR_TRUST_UNLISTED_TASKS", "1")
    assert check(write(tmp_path, text)).ok


def test_what_only_a_cluster_can_tell_is_listed_as_skipped(tmp_path: Path) -> None:
    skipped = check(write(tmp_path, SLURM)).skipped
    assert any("S07" in line and "S03" in line and "D24" in line and "login.cluster" in line for line in skipped)
    assert not any("S07" in line for line in check(write(tmp_path, LOCAL)).skipped)


def test_what_needs_a_checkpoint_that_is_not_here_is_listed_as_skipped_with_the_reason(tmp_path: Path) -> None:
    assert any("T14" in line and "names no checkpoint" in line for line in check(write(tmp_path, LOCAL)).skipped)
    assert any("T14" in line and "m-FP8" in line for line in check(write(tmp_path, SLURM)).skipped)
    declared = put(LOCAL, "quantgate.checkpoint", str(CHECKPOINT))
    assert check(write(tmp_path, declared)).skipped == []


def test_a_misspelt_key_and_what_follows_from_it_are_one_finding(tmp_path: Path) -> None:
    report = check(write(tmp_path, SLURM.replace("account: team", "acount: team")))
    assert [(finding.rule, finding.path) for finding in report.findings] == [("C02", "execution.acount")]


def test_a_config_that_does_not_compose_says_why_once_and_that_the_rest_was_not_looked_at(tmp_path: Path) -> None:
    report = check(write(tmp_path, put(SLURM, "execution.sbatch_comment", "run ${RUN_ID}")))
    assert [finding.rule for finding in report.findings] == ["C20"]
    assert "does not compose" in report.skipped[0]
    assert report.composed is None


def test_a_list_where_a_section_belongs_is_found_at_its_line(tmp_path: Path) -> None:
    text = put(SLURM, "execution.mounts", ["/a:/b"])
    [finding] = check(write(tmp_path, text)).findings
    assert (finding.rule, finding.path) == ("P05", "execution.mounts")
    assert "mounts" in text.splitlines()[finding.line - 1]


def test_keys_of_an_included_file_are_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text("execution: {walltme: '01:00:00'}\n")
    text = SLURM.replace("  - _self_", "  - shared\n  - _self_")
    [finding] = check(write(tmp_path, text)).findings
    assert (finding.rule, finding.path) == ("C02", "execution.walltme")
    assert finding.line == text.splitlines().index("execution:") + 1


def test_the_table_of_rules_has_a_row_for_each(tmp_path: Path) -> None:
    table = rules_markdown()
    assert "| S07 | error |" in table
    assert "| cluster |" in table
    assert (Path(__file__).parents[2] / "docs" / "rules.md").read_text().count("| T16 |") == 1


JUNK: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    float("inf"),
    10**30,
    "",
    "???",
    [],
    [1],
    {},
    {"a": 1},
    "a\nb",
    "'",
    "${x",
    {1: 2},
)


@pytest.mark.parametrize("seed", range(150))
def test_no_value_of_any_kind_at_any_place_ends_in_a_traceback(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    config = yaml.safe_load(VALID[chance.choice(sorted(VALID))])
    places: list[tuple[Any, Any]] = []

    def collect(node: Any) -> None:
        for key, child in list(node.items()) if isinstance(node, dict) else list(enumerate(node)):
            places.append((node, key))
            if isinstance(child, dict | list):
                collect(child)

    collect(config)
    for _ in range(3):
        node, key = chance.choice(places)
        node[key] = json.loads(json.dumps(chance.choice(JUNK)))
    path = tmp_path / "eval.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    try:
        report = check(path)
    except BadInput:
        return
    assert all(finding.line >= 1 for finding in report.findings)


@pytest.mark.parametrize(
    ("value", "fix"),
    [("$host:NGC_API_KEY", "host:NGC_API_KEY"), ("HF_TOKEN", "host:HF_TOKEN")],
)
def test_a_variables_name_in_an_older_spelling_is_no_compromised_key(tmp_path: Path, value: str, fix: str) -> None:
    found = [f for f in check(write(tmp_path, LOCAL.replace("lit:dummy", value))).findings if f.rule == "C09"]
    assert [f.fix for f in found] == [f"write {fix}"]


def test_what_may_be_a_value_is_not_repeated_as_a_name(tmp_path: Path) -> None:
    found = [f for f in check(write(tmp_path, LOCAL.replace("lit:dummy", "QWERTY_ASDFGH"))).findings if f.rule == "C09"]
    assert "QWERTY" not in found[0].fix


def test_a_field_of_the_request_is_not_corrected_into_another_parameter(tmp_path: Path) -> None:
    text = LOCAL.replace("        parallelism: 4", "        top_k: 20\n        parallelism: 4")
    (found,) = [f for f in check(write(tmp_path, text)).findings if f.rule == "C05"]
    assert "params_to_add" in found.fix
    assert "top_p" not in found.fix


@pytest.mark.parametrize(("written", "meant"), [("12:00:00", "12:00:00"), ("7", "00:00:07")])
def test_the_time_that_was_meant_is_proposed(tmp_path: Path, written: str, meant: str) -> None:
    text = SLURM.replace('"04:00:00"', written)
    found = [f for f in check(write(tmp_path, text)).findings if f.rule == "C12"]
    assert meant in found[0].fix


def test_a_name_that_is_too_long_for_a_file_is_refused() -> None:
    with pytest.raises(ConfigError):
        check(Path("x" * 5000))
