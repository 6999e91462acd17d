"""How the stand-ins ask: many requests at once, a few repetitions on a failure, and the answers in the order of the questions."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import questions

SECONDS = 120.0


class AuthenticationError(Exception):
    """The server refused the key. Named as the error of the openai library, which the real harnesses end with."""

    __module__ = "openai"


class BadRequestError(Exception):
    """The server refused the request itself: no repetition helps. Named as that of the openai library."""

    __module__ = "openai"


_NAMED = {400: BadRequestError, 404: BadRequestError, 401: AuthenticationError, 403: AuthenticationError}


@dataclass(frozen=True)
class Answer:
    """One answer: the question's number, the repeat, the text, the letter in it, and how it ended."""

    number: int
    repeat: int
    text: str
    letter: str
    finish: str
    tokens: int


@dataclass(frozen=True)
class Asked:
    """What a server is asked for.

    Attributes:
        url: Of the completions, or of the API above them.
        model: Its name there.
        key_name: The variable with the key.
        max_tokens: Of an answer.
        parallelism: Requests at once.
        retries: Repetitions after a failure.
    """

    url: str
    model: str
    key_name: str = ""
    max_tokens: int = 4096
    parallelism: int = 8
    retries: int = 2
    temperature: float = 0.0

    def one(self, prompt: str, seed: int = 0) -> dict[str, Any]:
        """The answer to a prompt.

        Raises:
            AuthenticationError: 401 or 403.
            BadRequestError: 400 or 404.
            OSError: Every attempt failed.
        """
        url = self.url if self.url.endswith("/chat/completions") else self.url.rstrip("/") + "/chat/completions"
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            **({"seed": seed} if seed else {}),
        }
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get(self.key_name, '')}"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        for left in range(self.retries, -1, -1):
            try:
                with urllib.request.urlopen(request, timeout=SECONDS) as response:
                    answer: dict[str, Any] = json.load(response)
                    return answer
            except urllib.error.HTTPError as error:
                told = error.read().decode("utf-8", "replace")[:600]
                if error.code in _NAMED:
                    raise _NAMED[error.code](f"Error code: {error.code} - {told}") from None
                if not left:
                    raise
            except OSError:
                if not left:
                    raise
            time.sleep(0.5)
        raise AssertionError("unreachable")

    def all(self, benchmark: str, count: int, repeats: int = 1) -> list[Answer]:
        """Every question, `repeats` times."""
        pairs = [(number, repeat) for repeat in range(repeats) for number in range(count)]
        with ThreadPoolExecutor(max(1, self.parallelism)) as pool:
            return list(pool.map(lambda pair: self._answer(benchmark, *pair), pairs))

    def _answer(self, benchmark: str, number: int, repeat: int) -> Answer:
        told = self.one(questions.text(benchmark, number), repeat)
        choice = told["choices"][0]
        said = str(choice["message"]["content"])
        return Answer(
            number,
            repeat,
            said,
            questions.chosen(said),
            str(choice["finish_reason"]),
            told["usage"]["completion_tokens"],
        )


def correct(benchmark: str, answers: Sequence[Answer]) -> list[bool]:
    """Which of them are right."""
    return [a.letter == questions.right(benchmark, a.number) for a in answers]
