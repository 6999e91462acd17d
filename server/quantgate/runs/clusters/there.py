"""Runs the code of `scanner` in the python3 of a cluster's login node: it is sent with each request, and leaves nothing there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...cluster.connection import Connection
from ...errors import ClusterError, Unreachable
from .. import scanner
from ..sanitise import one_line
from . import answers

MODULES = ("reading", "lines", "tracebacks", "files", "stream", "search", "program", "pages")
"""Of `scanner`, in the order of their imports."""
_NO_PYTHON = frozenset({97, 126, 127})
_FIRST = "import sys; sys.version_info < (3, 6) and sys.exit(97); exec(sys.stdin.buffer.read(int(sys.argv[1])).decode('utf-8'))"
"""One line: a login shell such as tcsh takes no line break between quotes."""
_BEGIN = """import json, types
def module(name):
    made = sys.modules[name] = types.ModuleType(name)
    made.__package__, made.__path__ = "scanner", []
    return made
module("scanner")
for name, text in json.loads(sys.stdin.buffer.read(int(sys.argv[2])).decode("utf-8")):
    exec(compile(text, name + ".py", "exec"), module("scanner." + name).__dict__)
sys.modules["scanner." + sys.argv[3]].main()
"""


def ask(link: Connection, module: str, request: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
    """The answer of a module's `main` to a request; None where there is no python3 of 3.6 or later.

    Args:
        link: To the login node.
        module: "program" or "pages".
        request: As JSON.
        seconds: For all of it.

    Raises:
        Unreachable: The host does not answer, or the link broke in the middle.
        ClusterError: It does not let us in, or its python3 cannot run it.
    """
    begin, code = _BEGIN.encode("ascii"), _code()
    done = link.run(
        ["python3", "-I", "-S", "-c", _FIRST, str(len(begin)), str(len(code)), module],
        stdin=begin + code + json.dumps(request).encode("ascii"),
        seconds=seconds,
    )
    if done.code in _NO_PYTHON:
        return None
    if done.code != 0:
        said = (done.err or done.out).strip().splitlines()[-1:] or [f"exit code {done.code}"]
        raise ClusterError(
            f"The python3 on {link.host} could not read the logs",
            where=one_line(said[0], 300),
            fix="make `python3 -c 'import json'` work on the login node",
        )
    # What a login shell prints comes before it.
    try:
        answer = json.loads(done.out.strip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Unreachable(f"{link.host} broke off in the middle of its answer", fix="call this again")
    answers.require(answer, module, link.host)
    return answer


@lru_cache(maxsize=1)
def _code() -> bytes:
    folder = Path(str(scanner.__file__)).parent
    return json.dumps([(name, (folder / f"{name}.py").read_text("utf-8")) for name in MODULES]).encode("ascii")
