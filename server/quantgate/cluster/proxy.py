"""ssh's ProxyCommand: a program of the user's ssh_config that carries the connection on its standard input and output."""

from __future__ import annotations

import contextlib
import re
import subprocess

from ..errors import BadInput
from ..system import links, processes

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@%+-]*")
_MARK = re.compile(r"%([%hpr])")
CLOSED_SECONDS = 0.2
"""A proxy command ends by itself when its connection is closed."""
END_SECONDS = 2.0


class Proxy:
    """A running proxy command; `socket` is our end of it.

    Its two streams are one socket, so that its end is seen as the end of the connection. paramiko's own class (5.1) reads a pipe:
    it spins when the program ends, and never waits for it.
    """

    def __init__(self, command: str) -> None:
        self.socket, self._process = links.carrier(command)

    def close(self) -> None:
        """End it with whatever it started, and wait for its end."""
        self.socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSED_SECONDS)
        processes.end_child(self._process, END_SECONDS)


def command_line(template: str, host: str, port: int, user: str) -> str:
    """The command with its marks replaced (`%h`, `%p`, `%r`, `%%`: ssh_config(5), TOKENS).

    Raises:
        BadInput: The host or the user holds characters that a shell would read.
    """
    for value, what in ((host, "host"), (user, "user")):
        if not _PLAIN.fullmatch(value):
            raise BadInput(
                f"The {what} {value[:60]!r} cannot be put into a ProxyCommand",
                fix="name it with letters, digits, dots, dashes and underscores, or give it a Host alias in ssh_config",
            )
    values = {"%": "%", "h": host, "p": str(port), "r": user}
    return _MARK.sub(lambda mark: values[mark[1]], template)
