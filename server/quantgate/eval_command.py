"""`quantgate eval`: Nemotron's command line. It compiles, saves the snapshots, and goes through the gates.

Nemotron launches at once. Here the full run comes after the gates: NEL's dry run, then a canary, which this command starts and
waits for. What is for programs is on standard output, in Nemotron's lines; the rest is on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .errors import BadInput, QuantgateError, Refused, StorageError
from .nemotron import commands, compiling, env_toml, provenance
from .redact import redact, shown

if TYPE_CHECKING:
    from .evalconfig.lint import Finding
    from .gates.judgement.judging import View

CANARY_SAMPLES = 10
LOOK_SECONDS = 30
OK, FAILED, INTERRUPTED = 0, 1, 130

EPILOG = """\
The recipe is a word (model_eval, nano3), and needed only for a config's name: a path may stand alone.
An override is a.b=c, the last one wins; [x, y] and {a: b} are lists and mappings, a.0.b or a[0].b is a position, ~a.b removes.
A profile is a table of env.toml ($NEMOTRON_ENV_FILE, else the nearest one upwards to the directory with a pyproject.toml).
Without -r and -b the executor of the config is taken, and the command returns after submission.

  quantgate eval --list
  quantgate eval nano3 --describe
  quantgate eval model_eval -c tiny_chat -d
  quantgate eval -c ./my.yaml --run CLUSTER -t adlr_mmlu -t hellaswag run.model=sft:v2

On standard output: launcher_config, and after a launch launcher_invocation_id, status_command, logs_command.
Exit codes: 0 done (--run: the run succeeded), 1 refused or failed, 3 the run's state cannot be known, 130 interrupted
(what was launched goes on).
"""


class _Stopped(Exception):
    """The person stopped waiting; the text says what goes on, and how to come back to it."""


class _Parser(argparse.ArgumentParser):
    """Errors are refusals as everywhere, with exit code 1 as Nemotron's."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(redact(message[:1].upper() + message[1:])[:300], fix="`quantgate eval --help` lists the flags")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="quantgate eval",
        description="Compile a Nemotron evaluation config, check it, and run it through the gates (dry run, canary, run).",
        allow_abbrev=False,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-c", "--config", default="", metavar="NAME", help="config name of the recipe, or a path")
    parser.add_argument(
        "-r", "--run", default=None, metavar="PROFILE", help="run on this profile and follow it to its end"
    )
    parser.add_argument(
        "-b", "--batch", default=None, metavar="PROFILE", help="run on this profile; return after submission"
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
    except _Stopped as stopped:
        _say(str(stopped))
        return INTERRUPTED
    except KeyboardInterrupt:
        _say("Stopped; what was launched, if anything was, goes on: `quantgate runs` lists it.")
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
    if "" in (args.run, args.batch):
        # An unset variable of a script: without its profile the run would go somewhere else.
        flag = "--run" if args.run == "" else "--batch"
        raise BadInput(f"{flag} names no profile: it is empty", fix=env_toml.listed(env_toml.read_from(Path.cwd())))
    words = list(args.words)
    args.recipe = words.pop(0) if words and "=" not in words[0] and not words[0].startswith("~") else ""
    args.overrides = words
    return args


def _run(args: argparse.Namespace) -> int:
    if args.list or args.describe:
        return _recipes(args)
    profile = args.run or args.batch or ""
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
    if not dry:
        _squash(path, compiled)
    _dry_run(path)
    if dry:
        _say("Dry run: nothing was launched.")
        return OK
    return _launch(saved, compiled, follow=bool(args.run))


def _squash(path: str, compiled: compiling.Compiled) -> None:
    """Import the images; not for a config that the next gate would refuse anyhow."""
    if not compiled.squashed.images:
        return
    from .nemotron import squashing

    hindered = squashing.hindrances(path, compiled.squashed)
    for finding in hindered:
        _finding(finding)
    if hindered:
        raise Refused(
            f"No image was imported: the config has {len(hindered)} errors"
            if len(hindered) > 1
            else "No image was imported: the config has an error",
            where=path,
            fix="mend the YAML, env.toml or the overrides, and repeat",
        )
    squashing.carry_out(compiled.squashed, told=_say)


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
            _finding(finding)
    if not outcome.passed:
        raise Refused(
            f"The dry run did not pass: {outcome.error}",
            where=path,
            fix="mend the YAML, env.toml or the overrides, and repeat",
        )
    _say("Gate 1 of 2, NEL's dry run: passed.")


def _finding(finding: Finding) -> None:
    _say(f"{finding.severity} {finding.rule} {finding.path}: {finding.message}. Fix: {finding.fix}")


def _launch(saved: provenance.Saved, compiled: compiling.Compiled, *, follow: bool) -> int:
    """The canary, then the run."""
    from .gates.launches import launching

    path = str(saved.launcher_config)
    tasks, limit = list(compiled.task_filters), compiled.sample_limit
    _canary(saved, tasks, min(CANARY_SAMPLES, limit or CANARY_SAMPLES))
    launch = launching.run(path, tasks=tasks, max_samples=limit, skip_gates_reason="")
    attempt = launch.attempt
    _note(saved, "run", attempt.invocation_id)
    lines = commands.commands(attempt.executor, attempt.invocation_id)
    _print(f"launcher_invocation_id: {attempt.invocation_id}")
    _print(f"status_command: {lines.status}")
    _print(f"logs_command: {lines.logs}")
    for warning in launch.warnings:
        _say(warning)
    if not follow:
        return OK
    from .watch.session import exit_code

    name = attempt.invocation_id
    view = _followed(
        name, "run", f"Come back to it: quantgate watch {name}; end it: quantgate call cancel '{_named(name)}'"
    )
    _say(f"run {name}: {view.state}. {view.reason}".rstrip(". ") + ".")
    _say(f'Before a score is reported: quantgate call verify_run \'{{"run": "{name}"}}\'')
    return exit_code(view)


def _note(saved: provenance.Saved, kind: str, name: str) -> None:
    try:
        provenance.note_launch(saved, kind, name)
    except StorageError as error:
        _say(str(error))  # it was launched all the same


def _canary(saved: provenance.Saved, tasks: list[str], samples: int) -> None:
    """The second gate: a canary, waited for. One of before that failed is made again: the command was repeated.

    Raises:
        Refused: It did not pass, or cannot be judged.
    """
    from .gates.launches import launching
    from .gates.views import waiting

    path = str(saved.launcher_config)
    launch = launching.canary(path, samples=samples, tasks=tasks, again=False)
    if launch.found:
        name = launch.attempt.invocation_id
        view = waiting.views([name])[0]
        if waiting.ended(view) and (view.gate is None or not view.gate.passed):
            _say(f"The canary {name} of before did not pass; a new one is made.")
            launch = launching.canary(path, samples=samples, tasks=tasks, again=True)
    name = launch.attempt.invocation_id
    _note(saved, "canary", name)
    _say(f"Gate 2 of 2, a canary of {samples} samples a task: {name}; the full run waits for it.")
    view = _followed(
        name, "canary", "The full run was not launched: the same command again takes this canary, and goes on"
    )
    if view.gate is None or not view.gate.passed:
        reasons = "; ".join(view.gate.reasons[:3]) if view.gate else view.reason or f"it is {view.state}"
        raise Refused(
            f"The canary {name} did not pass, so nothing more was launched: {reasons}",
            where=path,
            fix=f"quantgate call logs '{_named(name)}' tells more; mend it and repeat",
        )
    _say("Gate 2 of 2, the canary: passed.")


def _followed(name: str, what: str, come_back: str) -> View:
    """Wait for the end of a run, with a line for each new state.

    Raises:
        _Stopped: By Ctrl-C. Nothing was told to the run: it has processes and a session of its own, or is on a cluster.
    """
    from .gates.views import waiting

    said = ""
    try:
        while not waiting.ended(view := waiting.until_final([name], LOOK_SECONDS)[0]):
            if view.state != said:
                _say(f"{what} {name}: {view.state}")
            said = view.state
    except KeyboardInterrupt:
        raise _Stopped(f"Stopped waiting; the {what} {name} goes on. {come_back}.") from None
    return view


def _named(invocation: str) -> str:
    return json.dumps({"invocation_id": invocation})


def _print(text: str) -> None:
    sys.stdout.write(shown(text) + "\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(shown(" ".join(text.split())) + "\n")
    sys.stderr.flush()
