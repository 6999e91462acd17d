"""The command line: `quantgate serve | call TOOL | tools | eval | watch | runs | doctor | install-skill | demo`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import __version__
from .demo import DEFAULT_CANARY_SAMPLES, DEFAULT_DIRECTORY, DEFAULT_MAX_TOKENS, DEFAULT_SAMPLES
from .errors import BadInput, QuantgateError, UnknownName
from .install.arguments import add_arguments as add_install_arguments
from .redact import shown
from .system import processes, terminal

MOST_RUNS = 10_000
"""The longest list of `quantgate runs`."""
MOST = 1_000_000
"""Of any other number: of the demo's samples and tokens, of a minute's requests."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantgate", description="Evaluations of quantized models that can be trusted."
    )
    parser.add_argument("--version", action="version", version=f"quantgate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _serve_arguments(commands.add_parser("serve", help="speak MCP on standard input and output, or over HTTP"))
    token = commands.add_parser("http-token", help="make a token for `serve --http`; it is shown this once")
    token.add_argument("name", help="whose it is")
    token.add_argument("--read-only", action="store_true", help="only tools that change nothing")
    token.add_argument(
        "--file", type=Path, default=None, help="the tokens file that the line is added to (default: shown)"
    )
    call = commands.add_parser("call", help="call one tool and print its result as JSON")
    call.add_argument("tool", help="the tool's name")
    call.add_argument(
        "arguments", nargs="?", default="{}", help="its arguments as a JSON object; - reads them from standard input"
    )
    commands.add_parser("tools", help="list the tools with their steps")
    # Its arguments are Nemotron's: `eval_command` reads them.
    commands.add_parser(
        "eval", help="run a Nemotron evaluation config through the gates; see `eval --help`", add_help=False
    )
    watch = commands.add_parser("watch", help="watch a run until it has ended; Ctrl-C leaves the run alone")
    watch.add_argument(
        "invocation", nargs="?", default="", help="its id or directory (default: the newest that is going on)"
    )
    runs = commands.add_parser("runs", help="list what was launched, when, by which config, and how it ended")
    runs.add_argument("--limit", type=_up_to(MOST_RUNS), default=20, help="most runs (default %(default)s)")
    runs.add_argument("--json", action="store_true", help="print one JSON array")
    doctor = commands.add_parser("doctor", help="say what this machine has for an evaluation; exit 0 when it is ready")
    doctor.add_argument("--workspace", default="", help="a workspace or the root of several")
    doctor.add_argument("--config", default="", help="a launcher config whose variables are looked up")
    doctor.add_argument("--host", default="", help="a cluster's login host or name, looked at over SSH")
    add_install_arguments(
        commands.add_parser("install-skill", help="install the skills and the server into an agent's client")
    )
    demo = commands.add_parser("demo", help="evaluate and compare a small real model at two precisions on this machine")
    demo.add_argument(
        "--samples", type=_up_to(MOST), default=DEFAULT_SAMPLES, help="samples of each run (default %(default)s)"
    )
    demo.add_argument(
        "--canary-samples",
        type=_up_to(MOST),
        default=DEFAULT_CANARY_SAMPLES,
        help="samples of each canary (default %(default)s)",
    )
    demo.add_argument(
        "--max-tokens",
        type=_up_to(MOST),
        default=DEFAULT_MAX_TOKENS,
        help="most tokens of one answer (default %(default)s)",
    )
    demo.add_argument(
        "--home", type=Path, default=None, help=f"where everything is kept (default ./{DEFAULT_DIRECTORY})"
    )
    return parser


def _serve_arguments(serve: argparse.ArgumentParser) -> None:
    # Not a flag of `call`: that line is often typed by an agent.
    serve.add_argument(
        "--allow-skip-gates",
        action="store_true",
        help="let run start without a passed dry run and canary when it is given a reason, without asking you each time",
    )
    serve.add_argument(
        "--read-only", action="store_true", help="offer only tools that change nothing; beats every other setting"
    )
    serve.add_argument("--http", metavar="HOST:PORT", default="", help="speak streamable HTTP there, at /mcp")
    http = serve.add_argument_group("with --http (docs/serving.md)")
    # A token is no argument: the list of processes shows arguments to everybody.
    http.add_argument("--tokens-file", metavar="FILE", default="", help="who may use it; required beyond this machine")
    http.add_argument("--allowed-host", metavar="NAME", action="append", default=[], help="a further name clients use")
    http.add_argument(
        "--allowed-origin", metavar="URL", action="append", default=[], help="a web page that may call it"
    )
    http.add_argument(
        "--requests-per-minute", metavar="N", type=_up_to(MOST), default=None, help="of one token or peer (default 300)"
    )


def _up_to(most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if len(text) > len(str(most)) or not text.isdecimal() or not 1 <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"give a number from 1 to {most}")
        return int(text)

    return number


def _serve(args: argparse.Namespace) -> int:
    settings = (args.tokens_file, args.allowed_host, args.allowed_origin, args.requests_per_minute)
    if not args.http:
        if any(settings):
            print(
                "--tokens-file, --allowed-host, --allowed-origin and --requests-per-minute go with --http.",
                file=sys.stderr,
            )
            return 2
        from .server import serve

        serve(allow_skip_gates=args.allow_skip_gates, read_only=args.read_only)
        return 0
    from .server.http import limits, serving

    serving.serve(
        args.http,
        tokens_file=args.tokens_file,
        allowed_hosts=args.allowed_host,
        allowed_origins=args.allowed_origin,
        per_minute=args.requests_per_minute or limits.PER_MINUTE,
        read_only=args.read_only,
        allow_skip_gates=args.allow_skip_gates,
    )
    return 0


def _http_token(args: argparse.Namespace) -> int:
    from .server.http import tokens

    made = tokens.make(args.name, read_only=args.read_only)
    if args.file is not None:
        tokens.append(args.file.expanduser(), made.line)
    print(made.token)
    where = f"its hash is in {args.file}" if args.file is not None else f"its line for the tokens file: {made.line}"
    print(f"This token is not shown again; {where}", file=sys.stderr)
    return 0


def _call(args: argparse.Namespace) -> int:
    from .tools import TOOLS, calling
    from .tools.answer import answer

    spec = next((s for s in TOOLS if s.name == args.tool), None)
    if spec is None:
        raise UnknownName("tool", args.tool, fix="one of: " + ", ".join(s.name for s in TOOLS))
    text = sys.stdin.read() if args.arguments == "-" else args.arguments
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_object(f"JSON ({error})") from None
    if not isinstance(arguments, dict):
        raise _no_object("a JSON object")
    _end_in_order()
    result = spec.function(**calling.validated(spec, arguments))
    print(json.dumps(answer(result), indent=1, ensure_ascii=not terminal.speaks_utf8()), flush=True)
    return 0


def _no_object(what: str) -> BadInput:
    return BadInput(f"The arguments are not {what}", fix='give one JSON object, such as \'{"config": "eval.yaml"}\'')


def _end_in_order() -> None:
    """Let a signal that ends this process unwind it, as Ctrl-C does: its helpers end, and private files are removed."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may; then somebody else's program has called us
    for signum in processes.ENDING:
        if signum != signal.SIGINT and signal.getsignal(signum) is not signal.SIG_IGN:
            signal.signal(signum, lambda number, _frame: sys.exit(128 + number))


def _eval(words: Sequence[str]) -> int:
    from .eval_command import main as evaluate

    _end_in_order()
    return evaluate(words)


def _tools(_args: argparse.Namespace) -> int:
    from .tools import TOOLS

    for spec in TOOLS:
        print(f"{spec.step:>6}  {spec.name:<20} {spec.title}")
    return 0


def _runs(args: argparse.Namespace) -> int:
    from .watch.listing import list_runs

    return list_runs(args.limit, as_json=args.json)


def _watch(args: argparse.Namespace) -> int:
    from .watch.session import watch

    return watch(args.invocation)


def _doctor(args: argparse.Namespace) -> int:
    from .doctor import doctor

    return doctor(workspace=args.workspace, config=args.config, host=args.host)


def _install(args: argparse.Namespace) -> int:
    from .install.command import main as install

    return install(args)


def _demo(args: argparse.Namespace) -> int:
    from .demo import play

    return play(samples=args.samples, canary_samples=args.canary_samples, max_tokens=args.max_tokens, home=args.home)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "http-token": _http_token,
    "call": _call,
    "tools": _tools,
    "watch": _watch,
    "runs": _runs,
    "doctor": _doctor,
    "install-skill": _install,
    "demo": _demo,
}
_TELLING_BAD_INPUT = frozenset({"watch", "runs", "doctor", "install-skill"})
"""They answer what does not exist with 2, as a wrong argument; 1 says something of a run or of this machine."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line: the outer boundary, where every error becomes one redacted line.

    Returns:
        0; 1 when a tool refused or something failed; 2 for a wrong argument; 130 after Ctrl-C; for `watch` and `eval` how the
        run ended.
    """
    terminal.speak_utf8()
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(words[:1] if words[:1] == ["eval"] else words)
    try:
        return _eval(words[1:]) if args.command == "eval" else _COMMANDS[args.command](args)
    except BrokenPipeError:
        # `quantgate call … | head` is no error; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except QuantgateError as error:
        print(shown(str(error)), file=sys.stderr)
        return 2 if args.command in _TELLING_BAD_INPUT and isinstance(error, BadInput) else 1
    except Exception as error:  # noqa: BLE001 - a traceback could hold a secret; one redacted line says what it was
        name = args.tool if args.command == "call" else args.command
        print(shown(f"{name} failed with an unexpected {type(error).__name__}: {error}"), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
