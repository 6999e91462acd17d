"""The demo: a real checkpoint evaluated through the tool server, from the first question to a validated score."""

from __future__ import annotations

from pathlib import Path

DEFAULT_DIRECTORY = Path("demo-output")
DEFAULT_SAMPLES = 24
DEFAULT_CANARY_SAMPLES = 5
DEFAULT_MAX_TOKENS = 96
"""The defaults fit five minutes on two busy cores: about 50 tokens per second over all slots."""


def play(
    samples: int = DEFAULT_SAMPLES,
    canary_samples: int = DEFAULT_CANARY_SAMPLES,
    max_tokens: int = DEFAULT_MAX_TOKENS,
    home: Path | None = None,
) -> int:
    """Play the conversation of SKILL.md over stdio, with real weights and a real benchmark, and print it.

    Args:
        samples: Questions of the run; the verdict says that it is a subset.
        canary_samples: Questions of the canary.
        max_tokens: Most tokens of one answer.
        home: Directory of everything that the demo writes; `./demo-output` when None.

    Returns:
        The exit code: 0, 1 when a step failed, 130 when it was interrupted.
    """
    from . import player

    return player.play(player.Sizes(samples, canary_samples, max_tokens), (home or DEFAULT_DIRECTORY).resolve())
