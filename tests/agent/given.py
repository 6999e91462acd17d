"""What an agent is given: the text, the skill and the commands; all of it copies, so that a trial stays as it was begun."""

from __future__ import annotations

import base64
import hashlib
import shlex
import shutil
import sys
from pathlib import Path

import yaml

from . import scenario as scenarios
from .recorder import COMMANDS, MAIN_SKILL
from .world import PROGRAMS

ROOT = Path(__file__).parents[2]

TEXT = """\
You are an assistant that evaluates models for a user. The user has installed a skill named "{main}" for you. You know
nothing of its tools but what its documents say; read them first, beginning with:

    {bin}/read {main}/SKILL.md

Everything you do goes through these four commands, run in a shell with the working directory {work}:

    {bin}/read [FILE]
        prints a document of the skill; without FILE it lists them
    {bin}/quantgate call TOOL JSON
        calls a tool of the skill and prints its answer as JSON (`{bin}/quantgate tools` lists the tools)
    {bin}/ask "QUESTION"
        asks the user and prints the answer
    {bin}/tell "TEXT"
        tells the user something (ask and tell also take their text from standard input)

You may look at and edit files below {work} with ordinary commands such as ls, cat, cp and an editor; those are the user's files.
Look at nothing else on this machine: not at {dir} beside that folder, not at the source of quantgate or of these commands,
not at other processes. Use no network and no other program for the job. Runs and endpoints answer for real; a run takes seconds to
minutes.

This is a rehearsal. The models, the benchmarks' questions and the clusters are small ones that behave like those they stand for and
write the same files. Treat them as what they stand for; that they are small, and what questions or answers look like, is no finding
and no reason to stop.

The user sees only what you `ask` and `tell`. Tell your result, with what the user must know about it, in one last `tell`, and then
stop. When you cannot go on, say why in a last `tell` and stop.

The user writes:

{opening}
"""


def text(directory: Path, work: Path, opening: str) -> str:
    """The text to hand to the agent."""
    return TEXT.format(main=MAIN_SKILL, bin=directory / "bin", work=work, dir=directory, opening=opening)


def copy_skill(target: Path) -> None:
    """The skills as `quantgate install-skill` puts them: a folder each, with the documents that they name."""
    shutil.copytree(ROOT / "skills", target)
    for part in ("references", "recipes"):
        if not (target / MAIN_SKILL / part).exists():
            shutil.copytree(ROOT / part, target / MAIN_SKILL / part)


def form(skill: Path) -> str:
    """The form of a skill: a word of eight letters and digits that differs as soon as a document does."""
    digest = hashlib.sha256()
    for path in sorted(p for p in skill.rglob("*") if p.is_file()):
        digest.update(str(path.relative_to(skill)).encode() + b"\0" + path.read_bytes() + b"\0")
    return base64.b32encode(digest.digest()).decode().lower()[:8]


def copy_programs(directory: Path, scenario: str) -> None:
    """quantgate and the recorder as they are now, laid out as in a wheel; of the scenario all but its rubric.

    Args:
        directory: The trial's directory.
        scenario: The scenario's name.
    """
    programs = directory / PROGRAMS
    package = programs / "quantgate"
    shutil.copytree(ROOT / "server" / "quantgate", package)
    for part in ("skills", "references", "recipes"):
        shutil.copytree(ROOT / part, package / "_shipped" / part)
    shutil.copy2(ROOT / "SKILL.md", package / "_shipped" / "SKILL.md")
    agent = programs / "tests" / "agent"
    (agent / "scenarios").mkdir(parents=True)
    shutil.copy2(ROOT / "tests" / "__init__.py", programs / "tests")
    for module in (ROOT / "tests" / "agent").glob("*.py"):
        shutil.copy2(module, agent)
    raw = yaml.safe_load((scenarios.SCENARIOS / f"{scenario}.yaml").read_text(encoding="utf-8"))
    played = yaml.safe_dump(raw | {"rubric": []}, allow_unicode=True)
    (agent / "scenarios" / f"{scenario}.yaml").write_text(played, encoding="utf-8")


def write_commands(directory: Path) -> None:
    """The four commands, in the trial's `bin`."""
    for command in COMMANDS:
        path = directory / "bin" / command
        # -P: a folder named `tests` where the agent stands is not ours.
        words = [sys.executable, "-P", "-m", "tests.agent.recorder", str(directory), command]
        where = shlex.quote(str(directory / PROGRAMS))
        path.write_text(f'#!/bin/sh\nPYTHONPATH={where} exec {shlex.join(words)} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
