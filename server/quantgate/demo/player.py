"""Plays the demo: serves the model, starts the tool server, holds the conversation, stops what it started."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread
from rich.console import Console

from ..errors import LauncherError, QuantgateError, StorageError
from ..redact import redact
from ..system import processes
from .agent import Answer
from .conversation import Conversation, Setting
from .evaluation import KEY_NAME, Sizes
from .fields import Fields
from .screen import Screen
from .small_model import Endpoint, serving
from .weights import TERMS, candidate_path, weights_path

CALL_SECONDS = 150
"""Longest wait for one answer of the server: tools answer within seconds, NEL's child slower on a busy machine."""

if TYPE_CHECKING:
    from mcp import Client

INTERRUPTED_CODE = 130
_TAIL = 600
_PASSED_PREFIXES = ("PIP_", "UV_", "SSL_", "XDG_", "LC_", "QUANTGATE_")
_PASSED_NAMES = frozenset(
    {"HOME", "PATH", "LANG", "TMPDIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
)
_LOOPBACK = "127.0.0.1,localhost"


@dataclass(frozen=True)
class Places:
    """The demo's directory, laid out as a quantization project would leave it for an evaluation to find."""

    directory: Path

    @property
    def home(self) -> Path:
        """quantgate's own state; the same for every demo here, so that the harness is installed once."""
        return self.directory / "home"

    @property
    def workspaces(self) -> Path:
        """The root of the workspaces."""
        return self.directory / "workspaces"

    @property
    def workspace(self) -> Path:
        """The workspace of the demo's model."""
        return self.workspaces / "gemma-gguf"

    @property
    def results(self) -> Path:
        """The runs."""
        return self.workspace / "eval_results"

    @property
    def report(self) -> Path:
        """The comparison, as a page."""
        return self.directory / "report.html"

    def logs(self, name: str) -> Path:
        """A log of the demo's own processes."""
        return self.directory / "logs" / name


class Models:
    """The model that is served: one at a time, so that two need no more memory than one.

    Args:
        places: Where its log goes.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._served = ExitStack()

    async def serve(self, weights: Path) -> Endpoint:
        """End the model that is served, and serve this file.

        Raises:
            EndpointError: It did not start.
        """
        # In a thread: the connection to the tool server is kept alive meanwhile.
        return await to_thread.run_sync(self._replace, weights)

    def _replace(self, weights: Path) -> Endpoint:
        self.close()
        return self._served.enter_context(serving(weights, self._places.logs(f"{weights.stem}.log")))

    def close(self) -> None:
        """End the model that is served."""
        self._served.close()


class Interrupts:
    """SIGINT, SIGTERM and SIGHUP end the conversation once; a second one does not disturb the stopping."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._cancel: Callable[[], object] | None = None
        self._deferred = False
        self.received = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.received:
            return
        self.received = True
        self._screen.note("Stopping; the harness gets a few seconds to end …", style="yellow")
        if self._cancel is not None:
            # Raising here would land in the middle of the event loop; the scope unwinds it in order.
            self._cancel()
        elif not self._deferred:
            raise KeyboardInterrupt

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take the signals over for the length of the block."""
        # SIGHUP is ignored under nohup.
        signs = [sign for sign in processes.ENDING if signal.getsignal(sign) is not signal.SIG_IGN]
        before = {sign: signal.signal(sign, self._handle) for sign in signs}
        try:
            yield
        finally:
            for sign, handler in before.items():
                signal.signal(sign, handler)

    @contextmanager
    def cancelling(self, scope: anyio.CancelScope) -> Iterator[None]:
        """Let a signal cancel this scope instead of raising."""
        loop = asyncio.get_running_loop()
        self._cancel = partial(loop.call_soon_threadsafe, scope.cancel)
        try:
            yield
        finally:
            self._cancel = None

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the block end before anything is interrupted: it is the stopping itself."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False


def play(sizes: Sizes, directory: Path) -> int:
    """Play the demo in a directory, which is made; returns the exit code (0, 1, or 130 when interrupted)."""
    screen = Screen(Console(highlight=False), directory)
    places = Places(directory)
    interrupts = Interrupts(screen)
    with interrupts.watching():
        try:
            valid = _play(sizes, places, screen, interrupts)
        except QuantgateError as error:
            valid = False
            if not interrupts.received:
                screen.failure(str(error))
        except KeyboardInterrupt:
            valid = False
        if interrupts.received:
            screen.note("Stopped: the model, the tool server and the evaluation have ended.", style="yellow")
            return INTERRUPTED_CODE
    return 0 if valid else 1


def _play(sizes: Sizes, places: Places, screen: Screen, interrupts: Interrupts) -> bool:
    try:
        places.results.mkdir(parents=True, exist_ok=True)
        places.logs("").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"Cannot write to the demo's directory: {error.strerror}", where=str(places.directory)
        ) from None
    screen.welcome()
    screen.note(TERMS + ".")
    baseline = weights_path(places.workspace / "output")
    screen.note("Baseline and candidate are the same weights at two precisions; the candidate is made here, once.")
    candidate = candidate_path(baseline)
    earlier = set(places.results.iterdir())
    models = Models(places)
    setting = Setting(
        baseline=baseline,
        candidate=candidate,
        serve=models.serve,
        workspace=places.workspace,
        report=places.report,
        sizes=sizes,
    )
    try:
        return anyio.run(_converse, setting, places, screen, interrupts)
    finally:
        # The evaluation first: it would report a model that is gone as an error.
        with interrupts.deferred():
            _stop_runs(places.results, earlier, screen)
            models.close()


async def _converse(setting: Setting, places: Places, screen: Screen, interrupts: Interrupts) -> bool:
    from mcp import Client, MCPError, StdioServerParameters
    from mcp.client.stdio import stdio_client

    command = ["-m", "quantgate", "serve"]
    environment = server_environment(places, os.environ)
    server = StdioServerParameters(command=sys.executable, args=command, env=environment, cwd=places.directory)
    valid, failure = False, None
    log = places.logs("server.log")
    with log.open("w", encoding="utf-8") as errors, anyio.CancelScope() as scope, interrupts.cancelling(scope):
        try:
            async with Client(stdio_client(server, errlog=errors), read_timeout_seconds=CALL_SECONDS) as client:
                tools = (await client.list_tools()).tools
                screen.note(f"quantgate serves {len(tools)} tools over stdio, MCP {client.protocol_version}.")
                # Kept as a value: what is raised through the client's task groups arrives as an exception group.
                try:
                    valid = await Conversation(partial(_call, client), screen, setting).hold()
                except QuantgateError as error:
                    failure = error
        except* (MCPError, OSError) as group:
            failure = _server_failure(group, log)
    if failure is not None:
        raise failure
    return valid


async def _call(client: Client, tool: str, arguments: Mapping[str, Any]) -> Answer:
    from mcp import MCPError

    try:
        answer = await client.call_tool(tool, dict(arguments))
    except MCPError as error:
        raise LauncherError(f"The tool server did not answer {tool}: {error}", where="server.log") from None
    text = "\n".join(part for block in answer.content if (part := getattr(block, "text", "")))
    return Answer(not answer.is_error, Fields(answer.structured_content), text)


def _server_failure(error: BaseException, log: Path) -> LauncherError:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    tail = redact(log.read_text(encoding="utf-8", errors="replace")[-_TAIL:]).strip()
    return LauncherError(f"The tool server failed: {error}; its last output was {tail!r}", where=str(log))


def server_environment(places: Places, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the tool server: what a package installation needs of this one, and the demo's own places.

    A client of MCP passes little by default; credentials of the user are left behind on purpose.
    """
    passed = {
        name: value
        for name, value in environment.items()
        if name.upper() in _PASSED_NAMES or name.startswith(_PASSED_PREFIXES)
    }
    # The endpoint is on this machine: a proxy must not be asked for it.
    for name in ("NO_PROXY", "no_proxy"):
        passed[name] = ",".join(part for part in (environment.get(name, ""), _LOOPBACK) if part)
    return passed | {
        "QUANTGATE_HOME": str(places.home),
        "MODELOPT_WORKSPACE_ROOT": str(places.workspaces),
        "NEMO_EVALUATOR_EXEC_DB_FILE": str(places.home / "exec-db" / "exec.v1.jsonl"),
        KEY_NAME: "dummy",
    }


def _stop_runs(results: Path, earlier: set[Path], screen: Screen) -> None:
    from ..launcher import process_control

    for invocation in sorted(set(results.iterdir()) - earlier):
        if (invocation / "runner.json").is_file() and not process_control.stop(invocation):
            screen.note(f"An evaluation could not be ended: {invocation}", style="bold red")
