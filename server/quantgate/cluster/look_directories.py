"""What `look.sh` tells of the tasks' directories on a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from . import words

MOST_SAID = 60
_LOG = re.compile(r"slurm-(\d{1,12}(?:_\d{1,9})?)\.log")
_HEADING = "@file "


@dataclass(frozen=True)
class Directory:
    """A task's directory on the cluster.

    Attributes:
        path: As asked for.
        exists: Whether it is there; None when that cannot be told.
        chain: Ids of the jobs that ran in it, first to last (`.slurm_job_id.list`).
        script: Whether NEL's run.sub is there: without it the directory is none of a Slurm job.
        results: Whether artifacts/results.yml is there; what follows is looked at only where it is not.
        interrupted: Whether nemo-evaluator's interrupted marker is there.
        server_error: Whether nemo-evaluator's adapter ended the run because of a fatal response.
        cancelled: Whether our mark of a cancel is there.
        progress: Requests answered, where progress tracking is on.
        answers: Successful answers in the statistics, as (how many, by when on the cluster's clock): the newest may be missing.
            None when nothing tells.
        accumulated: Seconds that the chain had run before its newest job, as NEL's script counted them.
        changed: When its newest log or artifact changed, in seconds of the cluster's clock.
        said: Lines of the jobs' own logs in which Slurm or NEL's script tells how a job ended, each as (job id, line).
    """

    path: str
    exists: bool | None
    chain: tuple[str, ...] = ()
    script: bool = False
    results: bool = False
    interrupted: bool = False
    server_error: bool = False
    cancelled: bool = False
    progress: int | None = None
    answers: tuple[int, int] | None = None
    accumulated: int | None = None
    changed: int | None = None
    said: tuple[tuple[str, str], ...] = ()


def parse(sections: Mapping[str, Sequence[str]]) -> dict[str, Directory]:
    """The directories of an answer, by path.

    Args:
        sections: Its lines by section; that of "" begins with the clock, and "places" goes on with the directories.
    """
    marks = _marks([*sections[""][1:], *sections.get("places", [])])
    chains = dict(_contents(sections["chains"]))
    contents = dict(_contents(sections["contents"]))
    changed = _newest(sections["changes"], marks)
    said = _said(sections["said"])
    answers = dict(_answers(sections["answers"]))
    return {
        path: Directory(
            path=path,
            exists=None if "@unseen" in has else not ({"@absent", "@other"} & has),
            chain=_ids(chains.get(f"{path}/.slurm_job_id.list", [])),
            script="run.sub" in has,
            results="artifacts/results.yml" in has,
            interrupted="artifacts/.nemo_evaluator_interrupted" in has,
            server_error="artifacts/.nemo_evaluator_server_error" in has,
            cancelled="logs/stage.cancelled" in has,
            progress=_number(contents.get(f"{path}/artifacts/progress", [])),
            answers=answers.get(path),
            accumulated=_number(contents.get(f"{path}/.accumulated_walltime", [])),
            changed=changed.get(path),
            said=tuple(said.get(path, ())[-MOST_SAID:]),
        )
        for path, has in marks.items()
    }


def _marks(lines: Sequence[str]) -> dict[str, set[str]]:
    """By directory: the files that are there, and what the directory itself is when it is none."""
    found: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in lines:
        kind, _, value = line.partition(" ")
        if kind == "@directory":
            current = found.setdefault(value, set())
        else:
            current.add(value if kind == "@has" else kind)
    return found


def _contents(lines: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """The files whose beginnings were printed, with their lines. No line of a file can be a heading: look.sh sees to it."""
    path, body = "", list[str]()
    for line in [*lines, _HEADING]:
        if not line.startswith(_HEADING):
            body.append(line.strip())
            continue
        if path:
            yield path, body
        path, body = line.removeprefix(_HEADING), []


def _newest(lines: Sequence[str], paths: Mapping[str, object]) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in lines:
        when, _, name = line.partition(" ")
        directory, seconds = str(PurePosixPath(name).parent.parent), words.whole(when.partition(".")[0])
        if directory in paths and seconds is not None:
            found[directory] = max(found.get(directory, 0), seconds)
    return found


def _answers(lines: Sequence[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    for line in lines:
        given, _, rest = line.partition(" ")
        when, _, path = rest.partition(" ")
        count, changed = words.whole(given), words.whole(when)
        if count and changed is not None and len(given) <= 12:
            yield path, (count, changed)


def _said(lines: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for line in lines:
        name, _, text = line.partition(".log:")
        path = PurePosixPath(f"{name}.log")
        job = _LOG.fullmatch(path.name)
        if job is not None:
            found.setdefault(str(path.parent.parent), []).append((job[1], text.strip()))
    return found


def _ids(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for line in lines if words.whole(line) is not None and len(line) <= 12))


def _number(lines: Sequence[str]) -> int | None:
    text = next((line for line in lines if line), "")
    return words.whole(text) if len(text) <= 15 else None
