"""check_config says what is wrong, which images are needed, and what to call next."""

from pathlib import Path

import pytest

from quantgate import shipped
from quantgate.errors import ConfigError, Refused
from quantgate.tools.check_config import check_config

EXAMPLES = shipped.recipes_dir() / "examples"


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "not-a-real-token")


def test_a_clean_config_leads_to_the_dry_run() -> None:
    answer = check_config(str(EXAMPLES / "ifbench_process.yaml"))
    assert (answer.ok, answer.findings, answer.images, answer.preflight) == (True, [], [], {})
    assert answer.rules_checked > 20
    assert answer.next_step.startswith("dry_run(")


def test_the_images_of_a_cluster_config_are_listed_with_their_access() -> None:
    answer = check_config(str(EXAMPLES / "nvfp4_slurm.yaml"))
    rows = {row.image: (row.registry, row.access) for row in answer.images}
    assert rows["nvcr.io/nvidia/eval-factory/nemo-skills:26.03"] == ("nvcr.io", "public")
    (served,) = [value for image, value in rows.items() if image.startswith("vllm/")]
    assert served == ("docker.io", "public")


def test_a_private_image_and_an_image_file_are_told_apart(tmp_path: Path) -> None:
    text = (EXAMPLES / "ifbench_process.yaml").read_text().replace("  type: process", "  mode: sequential")
    tasks = "    - name: a.b\n      container: gitlab.example.org:5050/team/x:1\n    - name: a.c\n      container: /images/x.sqsh\n"
    path = tmp_path / "eval.yaml"
    path.write_text(text[: text.index("  tasks:\n")] + "  tasks:\n" + tasks)
    rows = [(row.registry, row.access) for row in check_config(str(path)).images]
    assert rows == [("gitlab.example.org:5050", "unknown"), ("", "file")]


def test_a_preflight_that_is_not_possible_is_said() -> None:
    assert "nothing to preflight" in check_config(str(EXAMPLES / "ifbench_process.yaml"), preflight=True).warnings[0]


def test_a_preflight_of_a_host_that_nobody_named_is_refused_and_plain_checking_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "ssh_config"
    config.write_text("Host other\n")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
    path = str(EXAMPLES / "nvfp4_slurm.yaml")
    with pytest.raises(Refused, match="is neither in clusters") as refused:
        check_config(path, preflight=True)
    assert "Host login.cluster.example.org" in refused.value.fix
    assert any("L01" in line and "preflight=true looks" in line for line in check_config(path).skipped)


def test_a_finding_has_the_line_and_the_next_step_mends_the_first_error(tmp_path: Path) -> None:
    text = (EXAMPLES / "ifbench_process.yaml").read_text().replace("- name: ifbench.ifbench", "- name: mmlu_pro")
    path = tmp_path / "eval.yaml"
    path.write_text(text)
    answer = check_config(str(path))
    (row,) = answer.findings
    assert (row.rule, answer.ok) == ("C14", False)
    assert text.splitlines()[row.line - 1].strip() == "- name: mmlu_pro"
    assert "C14" in answer.next_step


def test_silenced_rules_are_said(tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text((EXAMPLES / "ifbench_process.yaml").read_text() + "\nquantgate:\n  silence: [S06]\n")
    answer = check_config(str(path))
    assert answer.silenced == ["S06"]
    assert "S06" in answer.warnings[0]


def test_a_broken_file_is_a_finding_and_an_absent_one_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text("a: 1\na: 2\n")
    answer = check_config(str(path))
    assert [(row.rule, row.line) for row in answer.findings] == [("compose", 2)]
    assert "line 2" in answer.next_step
    with pytest.raises(ConfigError):
        check_config(str(tmp_path / "none.yaml"))


def test_its_description_is_short() -> None:
    assert len(check_config.__doc__ or "") < 700
