"""`quantgate eval`: Nemotron's command line. It compiles, saves the snapshots, and goes through the gates.

Nemotron launches at once. Here the full run comes after the gates: NEL's dry run, then a canary, which this command starts and
waits for. What is for programs is on standard output, in Nemotron's lines; the rest is on standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from .errors import BadInput, QuantgateError, Refused
from .nemotron import commands, compiling, provenance
from .redact import redact

CANARY_SAMPLES = 10
LOOK_SECONDS = 30
OK, FAILED, INTERRUPTED = 0, 1, 130


class _Parser(argparse.ArgumentParser):
    """Errors are refusals as everywhere, with exit code 1 as Nemotron's."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(redact(message[:1].upper() + message[1:])[:300], fix="`quantgate eval --help` lists the flags")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="quantgate eval",
        description="Compile a Nemotron evaluation config, check it, and run it through the gates (dry run, canary, run).",
        allow_abbrev=False,
        epilog="a.b=c overrides a value, the last one wins. Exit: 0 done, 1 refused or failed, 3 not known, 130 interrupted.",
    )
    parser.add_argument("-c", "--config", default="", metavar="NAME", help="config name of the recipe, or a path")
    parser.add_argument(
        "-r", "--run", default="", metavar="PROFILE", help="run on this profile and follow it to its end"
    )
    parser.add_argument(
        "-b", "--batch", default="", metavar="PROFILE", help="run on this profile; return after submission"
    )
    parser.add_argument("-d", "--dry-run", action="store_true", help="compile, save, check and dry run; launch nothing")
    parser.add_argument("-t", "--task", action="append", default=[], metavar="NAME", help="only this task (repeatable)")
    parser.add_argument("--force-squash", action="store_true", help="make the images' squash files again")
    parser.add_argument("--list", action="store_true", help="list the recipes")
    parser.add_argument("--describe", action="store_true", help="describe the recipe: inputs, parameters, named errors")
    parser.add_argument("words", nargs="*", metavar="RECIPE | a.b=c", help="model_eval or nano3, and overrides")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run `quantgate eval`.

    Args:
        argv: What follows `eval`.

    Returns:
        0; 1 when it was refused or failed; 3 when the run's state cannot be known; 130 when the user stopped waiting.
    """
    try:
        return _run(_arguments(argv))
    except QuantgateError as error:
        _say(str(error))
        return FAILED
    except KeyboardInterrupt:
        _say("Stopped waiting; what was launched goes on: `quantgate runs` lists it.")
        return INTERRUPTED


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    args, left = _parser().parse_known_intermixed_args(list(argv))
    # `~a.b` and `+a.b=c` begin with no dash; whatever does and is no flag is named.
    if left:
        raise BadInput(
            f"Unknown argument {redact(left[0].partition('=')[0])[:80]!r}",
            fix="`quantgate eval --help` lists the flags",
        )
    if args.run and args.batch:
        raise BadInput(
            "Both --run and --batch are given", fix="--run follows the run to its end, --batch returns; give one"
        )
    words = list(args.words)
    args.recipe = words.pop(0) if words and "=" not in words[0] and not words[0].startswith("~") else ""
    args.overrides = words
    return args


def _run(args: argparse.Namespace) -> int:
    if args.list or args.describe:
        return _recipes(args)
    profile = args.run or args.batch
    request = compiling.Request(
        config=args.config,
        recipe=args.recipe,
        profile=profile,
        overrides=tuple(args.overrides),
        tasks=tuple(args.task),
        force_squash=args.force_squash,
        launching=bool(profile) and not args.dry_run,
    )
    compiled = compiling.compile_request(request)
    for change in compiled.changes:
        _say(f"{change.what} ({change.why})")
    saved = provenance.save(compiled)
    _print(f"launcher_config: {saved.launcher_config}")
    path = str(saved.launcher_config)
    dry = args.dry_run or compiled.dry_run
    if compiled.squashed.images and not dry:
        from .nemotron import squashing

        squashing.carry_out(compiled.squashed, told=_say)
    _dry_run(path)
    if dry:
        _say("Dry run: nothing was launched.")
        return OK
    return _launch(path, compiled, follow=bool(args.run))


def _recipes(args: argparse.Namespace) -> int:
    from .nemotron import recipes

    _print(recipes.description(args.recipe) if args.describe else recipes.listing())
    return OK


def _dry_run(path: str) -> None:
    """The first gate."""
    from .gates.launches import launching

    outcome = launching.dry_run(path)
    for finding in outcome.findings:
        if finding.severity != "note":
            _say(f"{finding.severity} {finding.rule} {finding.path}: {finding.message}. Fix: {finding.fix}")
    if not outcome.passed:
        raise Refused(
            f"The dry run did not pass: {outcome.error}",
            where=path,
            fix="mend the YAML, env.toml or the overrides, and repeat",
        )
    _say("Gate 1 of 2, NEL's dry run: passed.")


def _launch(path: str, compiled: compiling.Compiled, *, follow: bool) -> int:
    """The canary, then the run."""
    from .gates.launches import launching
    from .gates.views import waiting

    tasks, limit = list(compiled.task_filters), compiled.sample_limit
    _canary(path, tasks, min(CANARY_SAMPLES, limit or CANARY_SAMPLES))
    launch = launching.run(path, tasks=tasks, max_samples=limit, skip_gates_reason="")
    attempt = launch.attempt
    lines = commands.commands(attempt.executor, attempt.invocation_id)
    _print(f"launcher_invocation_id: {attempt.invocation_id}")
    _print(f"status_command: {lines.status}")
    _print(f"logs_command: {lines.logs}")
    for warning in launch.warnings:
        _say(warning)
    if not follow:
        return OK
    from .watch.session import exit_code

    while not waiting.ended(view := waiting.until_final([attempt.invocation_id], LOOK_SECONDS)[0]):
        _say(f"run {attempt.invocation_id}: {view.state}")
    _say(f"run {attempt.invocation_id}: {view.state}. {view.reason}".rstrip(". ") + ".")
    _say(f'Before a score is reported: quantgate call verify_run \'{{"run": "{attempt.invocation_id}"}}\'')
    return exit_code(view)


def _canary(path: str, tasks: list[str], samples: int) -> None:
    """The second gate: a canary, waited for.

    Raises:
        Refused: It did not pass, or cannot be judged.
    """
    from .gates.launches import launching
    from .gates.views import waiting

    launch = launching.canary(path, samples=samples, tasks=tasks, again=False)
    invocation = launch.attempt.invocation_id
    _say(f"Gate 2 of 2, a canary of {samples} samples a task: {invocation}; the full run waits for it.")
    while not waiting.ended(view := waiting.until_final([invocation], LOOK_SECONDS)[0]):
        _say(f"canary {invocation}: {view.state}")
    if view.gate is None or not view.gate.passed:
        reasons = "; ".join(view.gate.reasons[:3]) if view.gate else view.reason or f"it is {view.state}"
        raise Refused(
            f"The canary {invocation} did not pass, so nothing more was launched: {reasons}",
            where=path,
            fix=f'quantgate call logs \'{{"invocation_id": "{invocation}"}}\' tells more; mend it and repeat',
        )
    _say("Gate 2 of 2, the canary: passed.")


def _print(text: str) -> None:
    sys.stdout.write(redact(text) + "\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(redact(" ".join(text.split())) + "\n")
    sys.stderr.flush()
