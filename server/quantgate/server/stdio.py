"""The server on standard input and output."""

from __future__ import annotations

import os
import sys

from ..gates.permission import consent
from . import ending
from .building import build


def serve(*, allow_skip_gates: bool = False, read_only: bool = False) -> None:
    """Speak MCP on standard input and output until the client closes the input, SIGTERM or SIGINT.

    Args:
        allow_skip_gates: The person who starts the server lets `run` go past its gates when it is given a reason.
        read_only: Offer only the tools that change nothing; beats every other setting.
    """
    if allow_skip_gates and not read_only:
        consent.allow_skipped_gates()
    ending.end_on_signals()
    build(read_only=read_only).run("stdio")
    ending.clean_up()
    sys.stdout.flush()
    # A call that still waits in a thread would hold the interpreter; its helpers have been ended.
    os._exit(0)
