"""What happened in a trial, in order: the opening, documents read, tool calls, questions, messages, and the end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Call:
    """One tool call.

    Attributes:
        index: Its place in the transcript.
        tool: The tool's name.
        arguments: What it was called with.
        ok: Whether it answered; a refusal is not an answer.
        answer: The result, or an empty object.
        text: The refusal's text.
        config: The config file that the call was about; empty when none.
        config_text: That file as the call left it.
    """

    index: int
    tool: str
    arguments: dict[str, Any]
    ok: bool
    answer: dict[str, Any]
    text: str
    config: str
    config_text: str


@dataclass(frozen=True)
class Message:
    """What the user saw: a question (with the user's answer) or a message."""

    index: int
    kind: str
    text: str
    answer: str = ""


@dataclass(frozen=True)
class Transcript:
    """A trial as it was recorded.

    Attributes:
        opening: The first line: scenario, placeholders, secrets, the user's words.
        calls: Tool calls, refused ones too.
        messages: Questions and messages in order.
        documents: The documents that were read.
        configs: The config files at the end, by path.
        runs: The ledger's runs at the end, as `quantgate runs --json` names them.
        tokens: Tokens of all that the agent read: the opening, documents, answers of tools and of the user.
        seconds: From the beginning of the first command to the end of the last; a world may have waited before.
    """

    opening: dict[str, Any]
    calls: tuple[Call, ...] = ()
    messages: tuple[Message, ...] = ()
    documents: tuple[str, ...] = ()
    configs: dict[str, str] = field(default_factory=dict)
    runs: tuple[dict[str, Any], ...] = ()
    tokens: int = 0
    seconds: float = 0.0

    @property
    def facts(self) -> dict[str, str]:
        """What the scenario's placeholders stand for."""
        return dict(self.opening.get("facts", {}))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown."""
        return tuple(self.opening.get("secrets", ()))

    @property
    def told(self) -> tuple[Message, ...]:
        """The messages that ask nothing."""
        return tuple(m for m in self.messages if m.kind == "tell")

    @property
    def asked(self) -> tuple[Message, ...]:
        """The questions."""
        return tuple(m for m in self.messages if m.kind == "ask")


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The entries of a transcript file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def parse(entries: Sequence[dict[str, Any]]) -> Transcript:
    """A transcript of recorded entries.

    Raises:
        ValueError: The first entry is no opening.
    """
    if not entries or entries[0].get("kind") != "opening":
        raise ValueError("a transcript begins with its opening")
    ending: dict[str, Any] = next((e for e in reversed(entries) if e["kind"] == "end"), {})
    return Transcript(
        opening=entries[0],
        calls=tuple(_calls(entries)),
        messages=tuple(_messages(entries)),
        documents=tuple(e["file"] for e in entries if e["kind"] == "read" and e.get("exit", 0) == 0),
        configs=dict(ending.get("configs", {})),
        runs=tuple(ending.get("runs", ())),
        tokens=sum(int(e.get("tokens", 0)) for e in entries),
        seconds=_seconds([e for e in entries if e["kind"] not in {"opening", "end", "grade"}]),
    )


def _seconds(commands: Sequence[dict[str, Any]]) -> float:
    ends = [float(e.get("at", 0)) for e in commands]
    begins = [float(e.get("at", 0)) - float(e.get("seconds", 0)) for e in commands]
    return max(ends) - min(begins) if commands else 0.0


def load(path: Path) -> Transcript:
    """The transcript of a file."""
    return parse(lines_of(path))


def _calls(entries: Sequence[dict[str, Any]]) -> Iterator[Call]:
    texts: dict[str, str] = {}
    for index, entry in enumerate(entries):
        if entry["kind"] != "call":
            continue
        path = str(entry.get("config", ""))
        if "config_text" in entry:  # it is written only where it differs from the one before
            texts[path] = entry["config_text"]
        answer = entry.get("answer")
        arguments = entry.get("arguments")
        yield Call(
            index=index,
            tool=str(entry["tool"]),
            arguments=arguments if isinstance(arguments, dict) else {"": arguments},
            ok=entry["exit"] == 0,
            answer=answer if isinstance(answer, dict) else {},
            text=str(entry.get("error", "")),
            config=path,
            config_text=texts.get(path, ""),
        )


def _messages(entries: Sequence[dict[str, Any]]) -> Iterator[Message]:
    for index, entry in enumerate(entries):
        if entry["kind"] == "ask":
            yield Message(index, "ask", str(entry["question"]), str(entry["answer"]))
        elif entry["kind"] == "tell":
            yield Message(index, "tell", str(entry["text"]))
