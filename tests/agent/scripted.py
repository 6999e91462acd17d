"""A deterministic agent in the place of a language model: it follows `next_step`.

It proves that worlds and checker work without a model. What a model must read from the documents and the user's words is written
down in `plays.py`, scenario by scenario; the order of the calls it takes from the tools' own answers.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quantgate.tools import TOOLS

COMMAND_SECONDS = 200
LIVE = {"pending", "running", "resuming"}

_TOOLS = {spec.name for spec in TOOLS}
_START = re.compile(rf"\b({'|'.join(sorted(_TOOLS, key=len, reverse=True))})\(")


class Stuck(AssertionError):
    """The agent cannot go on: a refusal that it has no answer to, or no next step."""


@dataclass(frozen=True)
class Step:
    """A call that a `next_step` names."""

    tool: str
    arguments: dict[str, Any]

    @property
    def open(self) -> bool:
        """Whether a value must be found first (`<path>`)."""
        return bool(re.search(r"<[a-zA-Z][^>]*>", json.dumps(self.arguments)))


def steps(text: str) -> list[Step]:
    """The calls that a `next_step` names, in its order."""
    return list(_steps(text))


def _steps(text: str) -> Iterator[Step]:
    for found in _START.finditer(text):
        source = _call_source(text[found.start() :])
        try:
            call = ast.parse(source, mode="eval").body
            assert isinstance(call, ast.Call)
            arguments = {k.arg or "": _value(k.value) for k in call.keywords}
        except (SyntaxError, ValueError, AssertionError):
            continue
        yield Step(found[1], arguments)


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in {"true", "false"}:
        return node.id == "true"
    return ast.literal_eval(node)


def _call_source(text: str) -> str:
    """The call that the text begins with, up to its closing bracket; brackets inside quotes do not count."""
    depth, quote = 0, ""
    for index, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and text[index - 1] != "\\" else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth == 0:
                return text[: index + 1]
    return text


@dataclass
class Agent:
    """Plays by a trial's four commands.

    Attributes:
        directory: The trial's directory.
        answers: The last answer of each tool.
        refusals: What was refused, in order.
    """

    directory: Path
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    def _shell(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.directory / "bin" / command, *words],
            cwd=self.directory / "work",
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def read(self, *documents: str) -> None:
        """Read documents of the skill."""
        for name in documents:
            done = self._shell("read", name)
            assert done.returncode == 0, done.stderr

    def ask(self, question: str) -> str:
        """Ask the user."""
        return self._shell("ask", question).stdout.strip()

    def tell(self, text: str) -> None:
        """Tell the user."""
        self._shell("tell", text)

    def attempt(self, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """Call a tool; None when it refuses."""
        done = self._shell("quantgate", "call", tool, json.dumps(arguments))
        if done.returncode:
            self.refusals.append(done.stderr.strip())
            return None
        answer: dict[str, Any] = json.loads(done.stdout)
        self.answers[tool] = answer
        return answer

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that must answer.

        Raises:
            Stuck: It refused.
        """
        answer = self.attempt(tool, **arguments)
        if answer is None:
            raise Stuck(f"{tool} refused: {self.refusals[-1]}")
        return answer

    def follow(self, answer: dict[str, Any], tool: str, **more: Any) -> dict[str, Any]:
        """Make the call of this tool that the answer's next step names.

        Args:
            answer: The answer before.
            tool: The tool that must be named there.
            more: Arguments beside, or instead of, those that are named.

        Raises:
            Stuck: The next step does not name it, or leaves a value open.
        """
        named = [s for s in steps(answer["next_step"]) if s.tool == tool]
        if not named:
            raise Stuck(f"{tool} is not the next step: {answer['next_step']}")
        step = Step(tool, named[0].arguments | more)
        if step.open:
            raise Stuck(f"{tool} has open values: {answer['next_step']}")
        return self.call(tool, **step.arguments)

    def filled(self, config: str, values: Mapping[str, str | None]) -> dict[str, Any]:
        """Edit a config until nothing is missing in it.

        Args:
            config: The config file.
            values: By the last part of its path what each missing value is; None removes it.

        Returns:
            The last answer of edit_config.

        Raises:
            Stuck: A value is missing that is not among them.
        """
        answer = self.answers["edit_config"]
        while answer["missing"]:
            path = answer["missing"][0]["path"]
            name = path.rpartition(".")[2]
            if name not in values:
                raise Stuck(f"nothing is known of {path}: {answer['missing'][0]['meaning']}")
            value = values[name]
            change = {"unset": [path]} if value is None else {"set": [f"{path}={value}"]}
            answer = self.call("edit_config", config=config, **change)
        return answer

    def wait(self, launched: dict[str, Any], seconds: float = 150) -> dict[str, Any]:
        """Follow a launch's `status` until it has ended; the last answer."""
        deadline = time.monotonic() + seconds
        answer = self.follow(launched, "status", wait_seconds=20)
        while answer["runs"][0]["state"] in LIVE:
            if time.monotonic() > deadline:
                raise Stuck(f"it did not end within {seconds:.0f} s: {answer['runs'][0]}")
            answer = self.follow(answer, "status", wait_seconds=20)
        return answer

    def gates(self, checked: dict[str, Any], estimate: str, **run: Any) -> dict[str, Any]:
        """From a config that check_config passed to a validated run, each call as the answer before names it.

        Args:
            checked: The answer of check_config.
            estimate: What the user is told of a passed canary, with the fields of its estimate in braces.
            run: Arguments of `run` that the user asked for.

        Returns:
            The answer of verify_run.
        """
        canary = self.follow(self.follow(checked, "dry_run"), "canary")
        ended = self.wait(canary)
        gate = ended["runs"][0]["gate"]
        if not gate["passed"]:
            raise Stuck(f"the canary did not pass: {gate['reasons']}")
        self.tell(estimate.format(**gate["estimate"]))
        return self.follow(self.wait(self.follow(ended, "run", **run)), "verify_run")
