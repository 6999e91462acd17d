"""A trial from its start to its record: `python -m tests.agent.trial start SCENARIO DIR | grade DIR | stop DIR | record DIR NAME`.

`start` builds the scenario's world and prints the text to hand to an agent; the agent works; `grade` says which facts hold;
`stop` ends what was started; `record` keeps the transcript with its grade among the repository's, without paths, times and ids;
`regrade` grades the kept ones again after a rubric has changed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from . import ending, given, grading, recording, transcript, world
from . import scenario as scenarios
from .recorder import append, count


def start(name: str, directory: Path) -> str:
    """Build a scenario's world in a directory, which is made; the text to hand to the agent.

    Raises:
        FileExistsError: The directory holds something.
    """
    scenario = scenarios.load(name)
    directory = directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty")
    for part in (world.PRIVATE, "bin", "work", "world", "home"):
        (directory / part).mkdir()
    given.copy_skill(directory / "skill")
    given.copy_programs(directory, name)
    given.write_commands(directory)
    built = world.build(scenario.builder, directory, scenario.options)
    work = built.work or directory / "work"
    found = world.Built(
        scenario=name,
        began=time.time(),
        env=world.base_env(directory) | built.env,
        facts={"dir": str(directory), "work": str(work)} | built.facts,
        processes=world.processes(built.pids),
        end=built.end,
        secrets=built.secrets,
        work=str(work),
    )
    found.save(directory)
    opening = scenarios.filled(scenario.opening, found.facts)
    text = given.text(directory, work, opening)
    append(
        directory,
        {
            "kind": "opening",
            "scenario": name,
            "title": scenario.title,
            "opening": opening,
            "facts": found.facts,
            "secrets": found.secrets,
            "skill": given.form(directory / "skill"),
            "tokens": count(text),
            "at": 0,
        },
    )
    return text


def grade(directory: Path) -> grading.Grade:
    """Grade the trial in this directory."""
    directory = directory.absolute()
    scenario = scenarios.load(world.Built.load(directory).scenario)
    return grading.grade(transcript.parse(ending.entries(directory)), scenario)


def main(argv: list[str] | None = None) -> int:
    """Run a command of a trial; 0, or 1 when a grade is no pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.agent.trial", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, more in (("start", ("scenario", "directory")), ("grade", ("directory",)), ("stop", ("directory",))):
        command = commands.add_parser(name)
        for argument in more:
            command.add_argument(argument, type=Path if argument == "directory" else str)
    commands.add_parser("regrade")
    record = commands.add_parser("record")
    record.add_argument("directory", type=Path)
    record.add_argument("name")
    record.add_argument("--by", default="a language-model agent", help="who played, for the first line")
    args = parser.parse_args(argv)
    if args.command == "start":
        print(start(args.scenario, args.directory))
        return 0
    if args.command == "regrade":
        recording.regrade()
        return 0
    directory = args.directory.absolute()
    if args.command == "stop":
        print(f"ended {len(ending.stop(directory))} processes")
        return 0
    if args.command == "record":
        print(recording.record(directory, args.name, by=args.by))
        return 0
    judged = grade(directory)
    print("\n".join(judged.lines()))
    return 0 if judged.passed else 1


if __name__ == "__main__":
    sys.exit(main())
