"""Transcripts made for tests, line by line as the recorder writes them."""

from __future__ import annotations

from typing import Any

from .transcript import Transcript, parse

SECRET = "pA55word-of-theirs"
OPENING = {"kind": "opening", "scenario": "made", "facts": {"endpoint": "http://h:1/v1"}, "secrets": [SECRET]}
FINGERPRINT = "f1"


def call(tool: str, answer: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
    """An answered call."""
    return {"kind": "call", "tool": tool, "arguments": arguments, "exit": 0, "answer": answer or {}, "tokens": 10}


def refusal(tool: str, text: str, **arguments: Any) -> dict[str, Any]:
    """A refused call."""
    return {"kind": "call", "tool": tool, "arguments": arguments, "exit": 1, "error": text, "tokens": 5}


def ask(question: str, answer: str = "yes") -> dict[str, Any]:
    """A question to the user."""
    return {"kind": "ask", "question": question, "answer": answer, "tokens": 1}


def tell(text: str) -> dict[str, Any]:
    """A message to the user."""
    return {"kind": "tell", "text": text, "tokens": 0}


def canary(invocation: str = "c1", fingerprint: str = FINGERPRINT) -> dict[str, Any]:
    """A canary that was started."""
    return call("canary", {"invocation_id": invocation, "fingerprint": fingerprint, "gate": None}, config="e.yaml")


def judged(invocation: str = "c1", *, passed: bool = True) -> dict[str, Any]:
    """A look at a canary that has ended."""
    row = {"invocation_id": invocation, "kind": "canary", "gate": {"passed": passed}}
    return call("status", {"runs": [row]}, invocation_ids=[invocation])


def run(invocation: str = "r1", fingerprint: str = FINGERPRINT, kind: str = "full", **arguments: Any) -> dict[str, Any]:
    """A run that was started."""
    answer = {"invocation_id": invocation, "fingerprint": fingerprint, "kind": kind}
    return call("run", answer, config="e.yaml", **arguments)


def end(configs: dict[str, str] | None = None, runs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The end of a trial."""
    return {"kind": "end", "configs": configs or {}, "runs": runs or []}


def trial(*entries: dict[str, Any]) -> Transcript:
    """A transcript of these entries."""
    return parse([OPENING, *entries])
