"""Invented questions: harness and model server know the right letter of each by its number, without a file between them."""

from __future__ import annotations

import hashlib
import re

LETTERS = "ABCDEFGHIJ"
SIZES = {"mmlu-pro": 12032, "gpqa": 198, "ifbench": 294, "aalcr": 100, "aime25": 30}
"""Questions of each real benchmark, which its stand-in has, too."""

_NAMED = re.compile(r"Question (\d+) of the stand-in for ([\w-]+)")
_ANSWER = re.compile(r"Answer: ([A-J])\b")


def text(benchmark: str, number: int) -> str:
    """The prompt of a question."""
    choices = "\n".join(f"{letter}) stone {hash_of(benchmark, number, letter) % 9973}" for letter in LETTERS)
    return (
        f"Question {number} of the stand-in for {benchmark}: which stone is the right one?\n\n{choices}\n\n"
        "The last line of your response should be in the following format: 'Answer: A' (e.g. 'Answer: A')."
    )


def right(benchmark: str, number: int) -> str:
    """The right letter of a question."""
    return LETTERS[hash_of(benchmark, number) % len(LETTERS)]


def named(prompt: str) -> tuple[str, int] | None:
    """Benchmark and number of the question in a prompt."""
    found = _NAMED.search(prompt)
    return (found[2], int(found[1])) if found else None


def chosen(answer: str) -> str:
    """The letter that an answer gives; empty when it gives none."""
    found = _ANSWER.findall(answer)
    return found[-1] if found else ""


def hash_of(*parts: object) -> int:
    """A number that depends on nothing but the parts."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big")
