"""The main job as an agent does it: from check_config to the verdict, each call taken from the answer before.

Whatever ends the server, the agent starts it again and repeats its call; whatever is refused, it does what the refusal says, or
waits a little and tries again.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .client import Answer, Server
from .steps import Step, steps
from .world import World

LIVE = {"pending", "running", "resuming"}
CALL_SECONDS = 150.0
PAUSE_SECONDS = 0.7
PATIENCE_SECONDS = 5.0
"""Before a run is looked at again that could not be resumed."""
WAIT_SECONDS = 5
MOST_CALLS = 200
_ENDS = {"canary", "run", "resume", "status", "verify_run", "compare_runs"}
"""Tools after whose answer only its own next step counts."""


class Moments:
    """Which phase the job is in; faults wait for theirs."""

    def __init__(self) -> None:
        self._began: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self.over = threading.Event()

    def _event(self, phase: str) -> threading.Event:
        with self._lock:
            return self._began.setdefault(phase, threading.Event())

    def enter(self, phase: str) -> None:
        """The job has come to a phase."""
        self._event(phase).set()

    def await_phase(self, phase: str) -> bool:
        """Wait until the job comes to a phase; False when it ended without."""
        event = self._event(phase)
        while not event.wait(0.05):
            if self.over.is_set():
                return False
        return True


@dataclass
class Journal:
    """Everything that the tools said."""

    answers: list[tuple[Answer, dict[str, Any]]] = field(default_factory=list)
    restarts: int = 0

    def add(self, answer: Answer, arguments: dict[str, Any]) -> None:
        """Note a call with its arguments."""
        self.answers.append((answer, arguments))

    def calls(self, tool: str) -> list[tuple[Answer, dict[str, Any]]]:
        """The calls of one tool."""
        return [(answer, arguments) for answer, arguments in self.answers if answer.tool == tool]


class Agent:
    """Does the job.

    Args:
        world: Where.
        moments: Told of each phase.
        journal: Told of each answer.
        baseline: The run directory to compare with; empty to end at the verdict of verify_run.
    """

    def __init__(self, world: World, moments: Moments, journal: Journal, baseline: str) -> None:
        self.world = world
        self.moments = moments
        self.journal = journal
        self.baseline = baseline
        self.kind = "run" if world.plan.start == "run" else "canary"
        self.invocation = ""
        self.done = False
        self.why = ""
        self._todo: list[Step] = []

    def play(self, may_go_on: Callable[[], bool]) -> bool:
        """Go on until the job is done; False when it is given up because `may_go_on` says so."""
        config = str(self.world.config)
        self._todo = [Step(self.world.plan.start, {"config": config})]
        for _ in range(MOST_CALLS):
            if not self._todo:
                self._todo = [self._fallback()]
            step = self._todo[0]
            answer = self.call(step.tool, step.arguments)
            if answer.how == "answered":
                self._todo.pop(0)
                self._take(answer)
                if self.done:
                    return True
            elif answer.how == "refused":
                if "unexpected" in answer.text:
                    self.why = f"{answer.tool} broke: {answer.text}"
                    return False
                self._refused(answer)
            elif step.arguments.get("again"):
                # It may have been started before the answer was lost: ask which canary there is.
                self._todo[0] = Step("canary", {k: v for k, v in step.arguments.items() if k != "again"})
            elif step.tool == "run":
                # So the skill says: look first whether it was started.
                self._todo = [Step("status", {}), step]
            if not may_go_on():
                self.why = f"after {answer.tool}: {answer.how} {answer.text or json.dumps(answer.data)[:1500]}"
                return False
        self.why = f"{MOST_CALLS} calls were not enough"
        return False

    def call(self, tool: str, arguments: dict[str, Any]) -> Answer:
        """Make a call, on a new server if the last one is gone."""
        phase = f"{self.kind}-wait" if tool == "status" else tool
        arguments = self._completed(tool, arguments)
        server = self.server()
        self.moments.enter(phase)
        answer = server.call(tool, arguments, CALL_SECONDS)
        self.journal.add(answer, arguments)
        if answer.how == "silent":
            server.process.kill()
        return answer

    def server(self) -> Server:
        """The server; a new one after the end of the last."""
        server = self.world.server
        if server is None or not server.alive or not server.greeted:
            self.journal.restarts += 0 if server is None else 1
            server = self.world.start_server()
        return server

    def _completed(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with what the user asked for."""
        plan = self.world.plan
        if tool == "canary":
            return {**arguments, "samples": plan.canary_samples}
        if tool == "run":
            return {**arguments, "max_samples": plan.samples}
        if tool == "status" and arguments.get("wait_seconds"):
            return {**arguments, "wait_seconds": WAIT_SECONDS}
        if tool == "compare_runs":
            return {**arguments, "baseline": self.baseline, "candidate": self.invocation}
        return arguments

    def _take(self, answer: Answer) -> None:
        tool, data = answer.tool, answer.data
        if tool == "status" and self._todo and self._todo[0].tool == "run":
            self._found(data["runs"])
            return
        if tool == "status" and not self.world.plan.faults and any(s.tool == "run" for s in steps(data["next_step"])):
            self.world.keep_canaried()
        if tool in ("canary", "run"):
            self.kind, self.invocation = tool, data["invocation_id"]
        if tool == "resume" and not data["resumed"]:
            time.sleep(PATIENCE_SECONDS)
        if tool == "compare_runs" or (tool == "verify_run" and data["verdict"] == "valid" and not self.baseline):
            self.done = True
            return
        named = [step for step in steps(data["next_step"]) if self._can(step)]
        if tool in _ENDS or not self._todo:
            self._todo = named
        if tool == "status" and any(row["state"] in LIVE for row in data["runs"]):
            self._todo = [step for step in named if step.tool == "status"][:1]

    def _found(self, runs: list[dict[str, Any]]) -> None:
        """Go on with the run that was started although its answer was lost; without one, start it."""
        started = [row for row in runs if row["kind"] in ("subset", "full") and row["state"] != "failed"]
        if started:
            self.kind, self.invocation = "run", started[0]["invocation_id"]
            self._todo = [Step("status", {"invocation_ids": [self.invocation], "wait_seconds": WAIT_SECONDS})]

    def _can(self, step: Step) -> bool:
        """Whether the agent can make a call: it has what stands open in it, and the user has asked for it."""
        return not step.open or step.tool == "compare_runs"

    def _refused(self, answer: Answer) -> None:
        """Do what the refusal says, then try again; what only time can mend is tried again after a while."""
        time.sleep(PAUSE_SECONDS)
        again = self._todo[0]
        fix = answer.text.rpartition("Fix:")[2]
        first = [step for step in steps(fix) if self._can(step)]
        if again.tool == "verify_run" and self.invocation:
            first = [Step("status", {"invocation_ids": [self.invocation]})]
        same = [step for step in first if step.tool == again.tool]
        self._todo = same or [*first, again]

    def _fallback(self) -> Step:
        """Where a next step names nothing that can be done: look again."""
        time.sleep(PAUSE_SECONDS)
        return Step("status", {"invocation_ids": [self.invocation]} if self.invocation else {})


def run_directory(world: World, invocation: str) -> Path | None:
    """The directory of an invocation."""
    return next((d for d in world.run_directories() if d.name.endswith(invocation)), None)
