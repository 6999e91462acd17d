"""Every string of a config against the scripts that NEL makes of it: harmless, or shown to a person before anything is launched.

NEL's own executors write the scripts, and bash runs them. What they start (srun, sbatch, docker, curl) is a recorder of its
arguments: there are neither containers nor a cluster, and what a string does inside of its container is not looked at here.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.launcher import commands
from tests.security import configs

HOSTILE = yaml.safe_load(Path(__file__).with_name("hostile.yaml").read_text(encoding="utf-8"))["shell"]
EXECUTORS: dict[str, Callable[[Path], dict[str, Any]]] = {"slurm": configs.slurm, "local": configs.local}
RECORDER = """#!/bin/bash
printf '%s\\n' "${0##*/}" "$@" >> "$RECORD"
case "${0##*/}" in
curl) printf 200 ;;
scontrol) printf 'n1\\nn2\\nn3\\n' ;;
hostname | srun) echo 127.0.0.1 ;;
sacct) echo COMPLETED ;;
sbatch) echo 'Submitted batch job 7' ;;
esac
"""
PROGRAMS = ("srun", "sbatch", "sacct", "scontrol", "docker", "curl", "sleep", "nemo-evaluator-launcher", "hostname")
RUN = "together"
"""Which string is run, where nobody is asked for it; all are looked at."""
DANGEROUS = [
    ("slurm", ("deployment", "image"), "substitution"),
    ("slurm", ("execution", "account"), "line"),
    ("slurm", ("auxiliary_deployments", "judge", "command"), "semicolon"),
    ("slurm", ("evaluation", "tasks", 0, "container"), "option"),
    ("slurm", ("evaluation", "env_vars", "<L_VAR>"), "semicolon"),
    ("local", ("deployment", "image"), "backticks"),
    ("local", ("evaluation", "tasks", 0, "dataset_dir"), "substitution"),
    ("local", ("deployment", "checkpoint_path"), "option"),
]
"""Of these it is known that NEL 0.2.6 runs them: by them this file shows that it would see it."""


@dataclass(frozen=True)
class Attack:
    """One string in one place."""

    name: str
    executor: str
    place: configs.Place
    text: str
    canary: Path
    word: str
    is_run: bool

    @property
    def value(self) -> str:
        """As it stands in the config: a variable's value needs NEL's prefix."""
        is_variable = self.place[-2:-1] == ("env_vars",) and not str(self.place[-1]).startswith("<")
        return f"lit:{self.text}" if is_variable else self.text


def _attack(number: int, executor: str, place: configs.Place, kind: str, canaries: Path) -> Attack:
    canary, word = canaries / f"canary-{number}", f"--injected-{number}"
    text = HOSTILE[kind].replace("@CANARY@", str(canary)).replace("@WORD@", word)
    name = f"{executor} {'.'.join(map(str, place))} {kind}"
    return Attack(name, executor, place, text, canary, word, kind == RUN)


def _generate(attacks: list[Attack], executor: str, work: Path) -> dict[str, tuple[str, str]]:
    config, output = work / f"{executor}.yaml", work / f"scripts-{executor}"
    output.mkdir(parents=True)
    config.write_text(yaml.safe_dump(EXECUTORS[executor](work / "remote"), sort_keys=False), encoding="utf-8")
    rows = [[a.name, list(a.place), a.value] for a in attacks if a.executor == executor]
    request = work / f"{executor}.json"
    request.write_text(json.dumps({"config": str(config), "output": str(output), "changes": rows}), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "tests.security.nel_scripts", str(request)],
        check=True,
        capture_output=True,
        timeout=400,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "MY_API_KEY": 'a$HOME"b`c\\d', "RT": "x"},
    )
    answers: dict[str, tuple[str, str]] = json.loads((output / "answers.json").read_text(encoding="utf-8"))
    return answers


def _ran(directory: str, attack: Attack, programs: Path) -> bool:
    """Run the script of an attack; whether the string did anything outside of its place."""
    (script, *_) = [p for p in Path(directory).rglob("*") if p.name in ("run.sub", "run_all.sequential.sh")]
    text = script.read_text(encoding="utf-8")
    there = re.search(r'^TASK_DIR="(.*?)"$', text, re.MULTILINE | re.DOTALL)
    if there:
        # The job's directory on the cluster is the one that the dry run wrote here.
        script.write_text(text.replace(there[1], str(script.parent)), encoding="utf-8")
    record = attack.canary.with_suffix(".record")
    subprocess.run(
        ["bash", script.name],
        cwd=script.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        env={
            "PATH": f"{programs}:/usr/bin:/bin",
            "RECORD": str(record),
            "SLURM_JOB_ID": "5",
            "SLURM_JOB_NODELIST": "n[1-3]",
            "RT": "x",
            "HOME": "/",
        },
    )
    words = record.read_text(encoding="utf-8", errors="replace").split("\n") if record.exists() else []
    assert words, f"{attack.name}: the script came to nothing"
    return attack.canary.exists() or attack.word in words


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scripts")
    (path / "programs").mkdir()
    for name in PROGRAMS:
        program = path / "programs" / name
        program.write_text(RECORDER, encoding="utf-8")
        program.chmod(0o755)
    return path


def _asked(attack: Attack, work: Path) -> bool:
    """Whether a launch of this config wants a person's yes."""
    base = EXECUTORS[attack.executor](work / "remote")
    base["execution"]["type"] = attack.executor
    config = configs.changed(base, attack.place, attack.value)
    # The example's own command of the export is one too.
    return not set(commands.commands(config)) <= set(commands.commands(base))


def _attacks(work: Path) -> Iterator[Attack]:
    number = 0
    for executor, make in EXECUTORS.items():
        for place in configs.places(make(work / "remote")):
            for kind in HOSTILE:
                number += 1
                yield _attack(number, executor, place, kind, work)


@pytest.fixture(scope="module")
def dangerous(work: Path) -> dict[str, bool]:
    """What those do that are known to run, with nobody asked."""
    rows = [_attack(10**6 + n, *row, work) for n, row in enumerate(DANGEROUS)]
    done = {}
    for executor in EXECUTORS:
        answers = _generate(rows, executor, work / "dangerous")
        done |= {a.name: _ran(answers[a.name][1], a, work / "programs") for a in rows if a.name in answers}
    return done


def test_what_is_known_to_run_is_seen_to_run_and_is_asked_for(dangerous: dict[str, bool], work: Path) -> None:
    assert dangerous == dict.fromkeys(dangerous, True)
    assert len(dangerous) == len(DANGEROUS)
    assert all(_asked(_attack(0, *row, work), work) for row in DANGEROUS)


def test_a_plain_config_asks_for_nothing_but_its_own_command(work: Path) -> None:
    for executor, make in EXECUTORS.items():
        config = make(work / "remote")
        config["execution"]["type"] = executor
        expected = {"slurm": ["execution.auto_export.launcher_install_cmd"], "local": []}[executor]
        assert [c.place for c in commands.commands(config)] == expected


def test_no_string_of_a_config_runs_anything_that_no_person_was_asked_for(work: Path) -> None:
    # `gates.questions.hosts` refuses any other directory on a cluster than a plain path.
    every = [a for a in _attacks(work) if (a.executor, a.place) != ("slurm", ("execution", "output_dir"))]
    unasked = [a for a in every if a.is_run and not _asked(a, work)]
    assert len(unasked) > 60
    answers: dict[str, tuple[str, str]] = {}
    for executor in EXECUTORS:
        answers |= _generate(unasked, executor, work / "unasked")
    left = [a for a in unasked if not answers[a.name][0]]
    with ThreadPoolExecutor(4) as pool:
        ran = list(pool.map(lambda a: _ran(answers[a.name][1], a, work / "programs"), left))
    assert [a.name for a, did in zip(left, ran, strict=True) if did] == []
    assert len(left) > 50
