"""Which paths survive a shell: NEL and the harnesses put some of them unquoted into commands."""

from __future__ import annotations

import shlex


def is_shell_safe(text: str) -> bool:
    """Whether a shell takes the text as one word, as it stands."""
    return shlex.quote(text) == text
