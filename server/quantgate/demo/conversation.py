"""The conversation of SKILL.md as an agent would hold it: what it says, which tool it calls, when it stops."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LauncherError, Refused
from .fields import Fields
from .screen import Screen

ENDED = frozenset({"succeeded", "failed", "cancelled", "interrupted"})
CANARY_WAIT_SECONDS = 30
RUN_WAIT_SECONDS = 5
LONGEST_RUN_SECONDS = 1800
"""The first canary also installs the harness, which a slow package index can stretch to minutes."""

MOST_CUT_SHARE = 0.5
"""Above this share of answers cut at max_new_tokens an agent says so before it goes on."""
PARAMS = "evaluation.nemo_evaluator_config.config.params"
ADAPTER = "evaluation.nemo_evaluator_config.target.api_endpoint.adapter_config"
TEMPERATURE = 0
CHANGED_TEMPERATURE = 0.7
KEY_NAME = "DUMMY_API_KEY"
UNNEEDED = (f"{PARAMS}.extra", f"{ADAPTER}.params_to_add", "evaluation.env_vars.HF_TOKEN")
"""What the template asks for and this model does not have: a tokenizer, a reasoning switch, a gated data set."""


@dataclass(frozen=True)
class Answer:
    """What a tool call gave: its structured result, or the text of its refusal."""

    ok: bool
    result: Fields
    text: str


@dataclass(frozen=True)
class Setting:
    """What the conversation is about.

    Attributes:
        checkpoint: The GGUF file.
        url: The chat-completions URL behind which it is served.
        model_id: The name it answers to.
        workspace: The workspace of this model.
        samples: Questions of the run.
        canary_samples: Questions of the canary.
        max_tokens: Most tokens of one answer.
    """

    checkpoint: Path
    url: str
    model_id: str
    workspace: Path
    samples: int
    canary_samples: int
    max_tokens: int

    @property
    def results(self) -> Path:
        """The directory of the runs."""
        return self.workspace / "eval_results"


Call = Callable[[str, Mapping[str, Any]], Awaitable[Answer]]


class Conversation:
    """One evaluation, from the first question to a validated score.

    Args:
        call: Calls a tool of the server.
        screen: Shows what happens.
        setting: What is evaluated.
    """

    def __init__(self, call: Call, screen: Screen, setting: Setting) -> None:
        self._call = call
        self._screen = screen
        self._setting = setting
        self._started = time.monotonic()
        self._cut_share = 0.0

    async def hold(self) -> bool:
        """Hold the conversation to its end.

        Returns:
            Whether the run is valid.

        Raises:
            Refused: A tool refused or a gate did not pass.
            LauncherError: A run did not succeed, or did not end in time.
        """
        await self._look_around()
        config = await self._configure()
        await self._dry_run(config)
        early = await self._try_the_run_too_early(config)
        await self._pass_the_canary(config)
        await self._change_it_after_the_canary(config)
        run = early or await self._launch(config)
        ended = await self._watch(run, RUN_WAIT_SECONDS, say=("8.3", "It runs. I look at it from time to time."))
        return await self._validate(run, ended.text("run_dir", str(self._setting.results)))

    async def _ask(self, step: str, sentence: str, tool: str, **arguments: Any) -> Fields:
        self._screen.say(step, sentence)
        self._screen.call(tool, arguments)
        result = await self._expect(tool, arguments)
        self._screen.result(tool, result)
        return result

    async def _expect(self, tool: str, arguments: Mapping[str, Any]) -> Fields:
        answer = await self._call(tool, arguments)
        if not answer.ok:
            self._screen.refusal(answer.text, expected=False)
            raise Refused(f"The tool {tool} refused, see above")
        return answer.result

    async def _look_around(self) -> None:
        checkpoint = str(self._setting.checkpoint)
        await self._ask("0, 1", "Let me see what this machine has.", "check_environment")
        await self._ask(
            "1",
            "You want to know how well it follows instructions.",
            "list_tasks",
            query="instruction following",
            limit=3,
        )
        await self._ask("3", "Which precision does the file really hold?", "detect_quantization", model=checkpoint)
        await self._ask("3", "What kind of model is it?", "read_model_config", model=checkpoint)

    async def _configure(self) -> str:
        setting = self._setting
        built = await self._ask(
            "2",
            "No container engine is needed: I evaluate the running endpoint with the harness's own package.",
            "build_config",
            execution="process",
            deployment="none",
            model_type="chat_reasoning",
            benchmarks=[],
            output=str(setting.workspace / "eval_config.yaml"),
        )
        values = {
            "target.api_endpoint.url": setting.url,
            "target.api_endpoint.model_id": setting.model_id,
            "target.api_endpoint.api_key_name": KEY_NAME,
            f"evaluation.env_vars.{KEY_NAME}": "lit:dummy",
            f"{PARAMS}.max_new_tokens": setting.max_tokens,
            f"{PARAMS}.temperature": TEMPERATURE,
            f"{PARAMS}.parallelism": 4,
            "execution.output_dir": setting.results,
        }
        edited = await self._ask(
            "3, 4, 5",
            "I fill in the endpoint and short answers, drop what this model does not need, and add IFBench.",
            "edit_config",
            config=built.text("path"),
            model=str(setting.checkpoint),
            set=[f"{path}={value}" for path, value in values.items()],
            unset=_to_unset(built, values),
            add_tasks=["ifbench"],
        )
        config = edited.text("path", built.text("path"))
        checked = await self._ask("7.5", "Does the config say what we mean?", "check_config", config=config)
        if not checked.flag("ok"):
            raise Refused("The config did not pass its check", where=config)
        return config

    async def _try_the_run_too_early(self, config: str) -> str:
        answer = await self._try("8.3, too early", "What if I forget the canary and start the run at once?", config)
        if not answer.ok:
            self._screen.refusal(answer.text, expected=True)
            return ""
        self._screen.result("run", answer.result)
        self._screen.note("    A canary of an earlier demo covers this very config, so the gate was open.")
        return answer.result.text("invocation_id")

    async def _try(self, step: str, sentence: str, config: str) -> Answer:
        self._screen.say(step, sentence)
        arguments = {"config": config, "max_samples": self._setting.samples}
        self._screen.call("run", arguments)
        return await self._call("run", arguments)

    async def _dry_run(self, config: str) -> None:
        dry = await self._ask("8.1", "First without running anything.", "dry_run", config=config)
        if not dry.flag("passed"):
            raise Refused("The dry run did not pass", where=config)

    async def _pass_the_canary(self, config: str) -> None:
        samples = self._setting.canary_samples
        canary = await self._ask(
            "8.2",
            "So a few questions first, to see it work before it costs anything.",
            "canary",
            config=config,
            samples=samples,
        )
        invocation = canary.text("invocation_id")
        say = ("8.2", "I wait for the canary. The first one on a machine also installs the harness.")
        judged = await self._watch(invocation, CANARY_WAIT_SECONDS, say)
        self._cut_share = judged.inner("gate").inner("estimate").number("truncated_share") or 0.0
        if not judged.inner("gate").flag("passed"):
            await self._show_logs(invocation)
            raise Refused("The canary did not pass its gate, so there is no run", where=invocation)

    async def _change_it_after_the_canary(self, config: str) -> None:
        """The gates are those of the very config: a change closes them, and the same config opens them again."""
        await self._set_temperature(config, CHANGED_TEMPERATURE, "8.2", "And if somebody changes the config now?")
        answer = await self._try("8.3, changed", "Is the canary of the other config good enough?", config)
        if answer.ok:
            raise Refused("A run of a config that no canary has seen was not refused", where=config)
        self._screen.refusal(answer.text, expected=True)
        await self._set_temperature(config, TEMPERATURE, "8.2", "I set it back: its gates are remembered.")

    async def _set_temperature(self, config: str, value: float, step: str, sentence: str) -> None:
        await self._ask(step, sentence, "edit_config", config=config, set=[f"{PARAMS}.temperature={value}"])

    async def _launch(self, config: str) -> str:
        started = await self._ask(
            "8.3",
            self._why_to_go_on(),
            "run",
            config=config,
            max_samples=self._setting.samples,
        )
        return started.text("invocation_id")

    def _why_to_go_on(self) -> str:
        cut = self._cut_share > MOST_CUT_SHARE
        accepted = "Most of its answers were cut off: fine for a demo, not for a result. " if cut else ""
        return f"The canary passed. {accepted}I start the run on a subset that fits a demo."

    async def _watch(self, invocation: str, wait_seconds: int, say: tuple[str, str]) -> Fields:
        arguments = {"invocation_ids": [invocation], "wait_seconds": wait_seconds}
        self._screen.say(*say)
        self._screen.call("status", arguments)
        deadline = time.monotonic() + LONGEST_RUN_SECONDS
        with self._screen.watching() as watch:
            while True:
                result = await self._expect("status", arguments)
                run = next(iter(result.rows("runs")), Fields(None))
                if run.text("state") in ENDED:
                    break
                watch.update(run)
                if time.monotonic() > deadline:
                    raise LauncherError(
                        f"The run did not end within {LONGEST_RUN_SECONDS // 60} minutes", where=invocation
                    )
        self._screen.result("status", result)
        if run.text("state") != "succeeded":
            await self._show_logs(invocation)
            raise LauncherError(f"The run {run.text('state')}", where=invocation)
        return run

    async def _show_logs(self, invocation: str) -> None:
        self._screen.note("The logs say why:")
        await self._ask("–", "What happened?", "logs", invocation_id=invocation, lines=20)

    async def _validate(self, run: str, directory: str) -> bool:
        verification = await self._ask(
            "9", "Finished is not yet valid. I check the run before I report it.", "verify_run", run=run
        )
        answers = f"at most {self._setting.max_tokens} tokens"
        if self._cut_share:
            answers += f"; {self._cut_share:.0%} of the canary's were cut off there"
        seconds = time.monotonic() - self._started
        self._screen.final(verification, self._setting.checkpoint.name, answers, directory, seconds)
        return verification.text("verdict") == "valid"


def _to_unset(built: Fields, values: Mapping[str, object]) -> list[str]:
    unset = list(UNNEEDED)
    for row in built.rows("missing"):
        path = row.text("path")
        covered = any(path == known or path.startswith(f"{known}.") for known in unset)
        if path and path not in values and not covered:
            unset.append(path)
    return unset
