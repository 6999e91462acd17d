"""The command line: `quantgate serve | call TOOL | tools | eval | watch | runs | demo`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__
from .demo import DEFAULT_CANARY_SAMPLES, DEFAULT_DIRECTORY, DEFAULT_MAX_TOKENS, DEFAULT_SAMPLES

MOST_RUNS = 10_000
"""The longest list of `quantgate runs`."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quantgate", description="Evaluations of quantized models that can be trusted."
    )
    parser.add_argument("--version", action="version", version=f"quantgate {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="speak MCP on standard input and output")
    # Not a flag of `call`: that line is often typed by an agent.
    serve.add_argument(
        "--allow-skip-gates",
        action="store_true",
        help="let run start without a passed dry run and canary when it is given a reason, without asking you each time",
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
    runs.add_argument("--limit", type=_positive, default=20, help="most runs (default %(default)s)")
    runs.add_argument("--json", action="store_true", help="print one JSON array")
    demo = commands.add_parser("demo", help="evaluate and compare a small real model at two precisions on this machine")
    demo.add_argument("--samples", type=int, default=DEFAULT_SAMPLES, help="samples of each run (default %(default)s)")
    demo.add_argument(
        "--canary-samples",
        type=int,
        default=DEFAULT_CANARY_SAMPLES,
        help="samples of each canary (default %(default)s)",
    )
    demo.add_argument(
        "--max-tokens", type=int, default=DEFAULT_MAX_TOKENS, help="most tokens of one answer (default %(default)s)"
    )
    demo.add_argument(
        "--home", type=Path, default=None, help=f"where everything is kept (default ./{DEFAULT_DIRECTORY})"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_RUNS:
        raise argparse.ArgumentTypeError(f"give a number from 1 to {MOST_RUNS}")
    return int(text)


def _call(name: str, text: str) -> int:
    from .errors import BadInput, QuantgateError, UnknownName
    from .redact import redact, redact_value
    from .tools import TOOLS, calling

    try:
        spec = next((s for s in TOOLS if s.name == name), None)
        if spec is None:
            raise UnknownName("tool", name, fix="one of: " + ", ".join(s.name for s in TOOLS))
        try:
            arguments = json.loads(sys.stdin.read() if text == "-" else text)
        except ValueError as error:
            raise BadInput(
                f"The arguments are not JSON ({error})", fix='give one JSON object, such as \'{"config": "eval.yaml"}\''
            ) from None
        if not isinstance(arguments, dict):
            raise BadInput(
                "The arguments are not a JSON object", fix='give one JSON object, such as \'{"config": "eval.yaml"}\''
            )
        result = spec.function(**calling.validated(spec, arguments))
    except QuantgateError as error:
        print(redact(str(error)), file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - a traceback could hold a secret; one redacted line says what it was
        print(redact(f"{name} failed with an unexpected {type(error).__name__}: {error}"), file=sys.stderr)
        return 1
    print(json.dumps(redact_value(result.model_dump(mode="json")), indent=1, ensure_ascii=False), flush=True)
    return 0


def _tools() -> int:
    from .tools import TOOLS

    for spec in TOOLS:
        print(f"{spec.step:>6}  {spec.name:<20} {spec.title}")
    return 0


def _watching(args: argparse.Namespace) -> int:
    """`watch` and `runs`: 2 for a run that does not exist, as for a wrong argument."""
    from .errors import BadInput, QuantgateError
    from .redact import redact

    try:
        if args.command == "runs":
            from .watch.listing import list_runs

            return list_runs(args.limit, as_json=args.json)
        from .watch.session import watch

        return watch(args.invocation)
    except QuantgateError as error:
        print(redact(str(error)), file=sys.stderr)
        return 2 if isinstance(error, BadInput) else 1
    except KeyboardInterrupt:
        return 130


def _demo(args: argparse.Namespace) -> int:
    from .demo import play

    return play(samples=args.samples, canary_samples=args.canary_samples, max_tokens=args.max_tokens, home=args.home)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, or 1 when a tool refused; for `watch` how the run ended.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser().parse_args(words[:1] if words[:1] == ["eval"] else words)
    try:
        if args.command == "eval":
            from .eval_command import main as evaluate

            return evaluate(words[1:])
        return _run(args)
    except BrokenPipeError:
        # `quantgate call … | head` is no error; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(args: argparse.Namespace) -> int:
    if args.command == "serve":
        from .server import serve

        serve(allow_skip_gates=args.allow_skip_gates)
        return 0
    if args.command == "call":
        return _call(args.tool, args.arguments)
    if args.command in {"watch", "runs"}:
        return _watching(args)
    return _demo(args) if args.command == "demo" else _tools()


if __name__ == "__main__":
    sys.exit(main())
