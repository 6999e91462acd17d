"""Flags that a server does not take, and flags that stand twice: found where they are, and not where they are right."""

from pathlib import Path

import pytest

from quantgate.evalconfig.lint import Finding, check
from quantgate.evalconfig.lint.command_conflicts import foreign_flags
from quantgate.evalconfig.lint.serving_flags import flag_names

from .made import write
from .valid_configs import SLURM

OWN = "vllm serve /checkpoint --served-model-name ${deployment.served_model_name} --port ${deployment.port}"
SGLANG = "python3 -m sglang.launch_server --model-path /checkpoint --host 0.0.0.0 --port 8000"


def _found(directory: Path, command: str, group: str = "vllm") -> list[Finding]:
    text = SLURM.replace("deployment: vllm", f"deployment: {group}")
    text = text.replace("  tensor_parallel_size: 8\n", f"  command: >-\n    {command}\n")
    return [each for each in check(write(directory, text)).findings if each.rule in ("P32", "P33")]


@pytest.mark.parametrize(
    ("command", "group", "fix"),
    [
        (f"{OWN} --tp-size 8", "vllm", "vllm calls it --tensor-parallel-size"),
        (f"{OWN} --context_length=8192", "vllm", "vllm calls it --max-model-len"),
        (f"{SGLANG} --max-model-len 8192", "sglang", "sglang calls it --context-length"),
        (f"{SGLANG} --enable-prefix-caching", "sglang", "leave it out"),
        (f"{OWN} --temperature 0.6", "vllm", "config.params.temperature"),
        (f"{SGLANG} --top-k 20", "sglang", "params_to_add"),
    ],
)
def test_a_flag_of_another_program_is_an_error_that_names_the_own_one(
    tmp_path: Path, command: str, group: str, fix: str
) -> None:
    [found] = _found(tmp_path, command, group)
    assert (found.rule, found.severity, fix in found.fix) == ("P32", "error", True)


@pytest.mark.parametrize(
    ("command", "group"),
    [
        (f"{OWN} -tp 8 --data-parallel-size 2 --max-model-len 32k", "vllm"),
        (f"{SGLANG} --tensor-parallel-size 8 --ep 8 --context-length 8192", "sglang"),
        (f"{SGLANG} --tp 8", "sglang"),
        (f"{OWN} --seed 1 --seed 1", "vllm"),
        (f"{OWN} --middleware a.b --middleware c.d", "vllm"),
        (f"{OWN} --compilation-config.mode 3 --compilation-config.use_inductor false", "vllm"),
        (f"{OWN} --lora-modules a=/m/a --lora-modules b=/m/b", "vllm"),
    ],
)
def test_flags_that_the_program_takes_are_no_finding(tmp_path: Path, command: str, group: str) -> None:
    assert _found(tmp_path, command, group) == []


@pytest.mark.parametrize(
    "flags", ["--max-model-len 4096 --seed 1 --max_model_len 2048", "-tp 8 --tensor-parallel-size=4"]
)
def test_a_flag_with_two_values_is_a_warning_that_the_last_one_counts(tmp_path: Path, flags: str) -> None:
    [found] = _found(tmp_path, f"{OWN} {flags}")
    assert (found.rule, found.severity, "the last one counts" in found.message) == ("P33", "warning", True)


@pytest.mark.parametrize(
    ("extra", "count"), [("--tensor-parallel-size 4", 1), ("--tensor-parallel-size 8", 0), ("'{", 0)]
)
def test_a_field_and_a_flag_that_differ_are_a_warning(tmp_path: Path, extra: str, count: int) -> None:
    text = SLURM.replace("  image:", f'  extra_args: "{extra}"\n  image:')
    assert len([each for each in check(write(tmp_path, text)).findings if each.rule == "P33"]) == count


def test_no_flag_is_called_foreign_that_the_program_has() -> None:
    for framework in ("vllm", "sglang"):
        names, rows = flag_names()[framework].names, foreign_flags()[framework]
        assert not names & set(rows.instead)
        assert not names & set(foreign_flags()["requests"].instead)
        # What is named instead is a flag of this program, in its positive form.
        wanted = {
            "--" + flag.removeprefix("--no-") if flag.startswith("--no-") else flag for flag in rows.instead.values()
        }
        assert {flag.replace("-----", "--") for flag in wanted if flag} <= names
