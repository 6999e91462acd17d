"""Rules about paths that are mounted into containers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ...checkpoint.source import expanded
from .. import paths
from ..paths import Segment
from ..remote_checkpoint import is_here
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

if TYPE_CHECKING:
    from ...cluster.preflight import PathSeen

MOUNTS = (
    "NeMo Evaluator Launcher 0.2.6 executors/slurm/executor.py (test -d, --container-mounts) and run.template.sh (-v)"
)
DOCKER = "docker run -v (Docker 27 documentation, bind mounts: a missing source is created as an empty directory)"
_FILES = frozenset(
    {
        ".json",
        ".jsonl",
        ".yaml",
        ".yml",
        ".txt",
        ".sh",
        ".py",
        ".sqsh",
        ".gguf",
        ".safetensors",
        ".bin",
        ".env",
        ".md",
        ".csv",
        ".tar",
        ".gz",
        ".zip",
        ".pem",
        ".key",
        ".log",
    }
)


def _sources(subject: Subject) -> Iterator[tuple[str, str]]:
    """Each path of the host (or cluster) that is mounted, with the key that names it."""
    deployed = subject.composed.deployment != "none"
    for key in ("checkpoint_path", "cache_path") if deployed else ():
        value = subject.at("deployment", key)
        if isinstance(value, str) and value:
            yield f"deployment.{key}", value
    for at, source, _ in _mounts(subject):
        yield at, source
    for task in subject.tasks:
        value = task.raw.get("dataset_dir")
        if isinstance(value, str):
            yield f"evaluation.tasks[{task.index}].dataset_dir", value


def _mounts(subject: Subject) -> Iterator[tuple[str, str, object]]:
    """Path, source and target of each extra mount."""
    places: list[tuple[Segment, ...]] = [("execution", "mounts", key) for key in ("deployment", "evaluation")]
    auxiliary = ("execution", "mounts", "auxiliary")
    places += [(*auxiliary, str(name)) for name in as_mapping(subject.at(*auxiliary))]
    places.append(("execution", "auto_export", "export_mounts"))
    for place in places:
        for source, target in as_mapping(subject.at(*place)).items():
            yield paths.join((*place, str(source))), str(source), target


def not_a_directory(subject: Subject) -> Iterable[Hit]:
    """A mount of a file: NEL looks for directories on the cluster."""
    if subject.composed.executor != "slurm":
        return
    for path, source in _sources(subject):
        seen = subject.seen(source) if "export_mounts" not in path else None
        if seen is not None and seen.found != "unseen":
            yield from _not_there(path, source, seen)
        elif (
            PurePosixPath(source).suffix.lower() in _FILES and "export_mounts" not in path and "dataset_dir" not in path
        ):
            yield Hit(path, f"{source[:120]!r} is a file by its name, and NEL mounts directories only", cause="S03")


def _not_there(path: str, source: str, seen: PathSeen) -> Iterator[Hit]:
    if path == "deployment.checkpoint_path":
        return  # another rule's, which knows how it gets there
    if seen.found == "absent":
        fix = "make or correct it: NEL refuses the run, and Slurm would not start the container"
        yield Hit(path, f"{source[:120]!r} is not on the cluster", fix, cause="S03")
    elif seen.found in ("file", "other"):
        yield Hit(path, f"{source[:120]!r} is a file on the cluster, and NEL mounts directories only", cause="S03")


def directories(subject: Subject) -> Iterator[tuple[str, str]]:
    """Each directory of the cluster that is mounted, with the key that names it."""
    yield from _sources(subject)
    yield from auxiliary_checkpoints(subject)


def auxiliary_checkpoints(subject: Subject) -> list[tuple[str, str]]:
    """The checkpoints of auxiliary deployments, with their keys."""
    found = []
    for name, one in as_mapping(subject.at("auxiliary_deployments")).items():
        value = as_mapping(one).get("checkpoint_path")
        if isinstance(value, str) and value.startswith("/"):
            found.append((paths.join(("auxiliary_deployments", str(name), "checkpoint_path")), value))
    return found


def not_absolute(subject: Subject) -> Iterable[Hit]:
    """A mount that is relative, begins with ~, goes through .., or has characters that end it."""
    if subject.composed.executor not in ("slurm", "local"):
        return
    for path, source in _sources(subject):
        if source.startswith("~") and subject.composed.executor == "local" and "dataset_dir" not in path:
            continue  # there the shell of NEL's script expands it
        why = _why_not(source)
        if why:
            yield Hit(path, f"{source[:120]!r} {why}")
    for path, _, target in _mounts(subject):
        # A target may end in options such as :ro.
        if isinstance(target, str) and "???" not in target and not target.startswith("/"):
            yield Hit(path, f"The container path {target[:80]!r} is not absolute", cause="target")
    yield from _over_nels_own(subject)
    for task in subject.tasks:
        inside = task.raw.get("dataset_mount_path")
        if isinstance(inside, str) and not inside.startswith("/"):
            path = f"evaluation.tasks[{task.index}].dataset_mount_path"
            yield Hit(path, f"The container path {inside[:80]!r} is not absolute")


def _over_nels_own(subject: Subject) -> Iterable[Hit]:
    """A mount in the place that NEL mounts something of its own to."""
    served = bool(subject.at("deployment", "checkpoint_path")) and subject.composed.deployment != "none"
    for path, _, target in _mounts(subject):
        inside = str(target).partition(":")[0].rstrip("/")
        taken = {
            "execution.mounts.evaluation": "/results",
            "execution.mounts.deployment": "/checkpoint" if served else "",
        }
        own = next((place for section, place in taken.items() if path.startswith(section)), "")
        if own and inside == own:
            message = f"{own} is where NEL mounts its own directory: one of the two is hidden"
            yield Hit(path, message, "mount it elsewhere in the container", cause="P19.own")


def not_here(subject: Subject) -> Iterable[Hit]:
    """A directory that is not on this machine, where Docker would mount an empty one in its place."""
    if subject.composed.executor not in ("local", "process") or os.environ.get("DOCKER_HOST", "").startswith(
        ("tcp", "ssh")
    ):
        return
    for path, source in _sources(subject):
        if "export_mounts" in path or path.endswith("cache_path") or "???" in source or "<" in source:
            continue
        if expanded(source).is_absolute() and not is_here(source):
            mounted = "mounts" in path
            message = f"{source[:120]} is not on this machine: the container gets an empty directory"
            yield Hit(path, message, severity="warning" if mounted else None)


def _why_not(source: str) -> str:
    if "???" in source or ("<" in source and ">" in source):
        return ""
    if source.startswith("~"):
        return "begins with ~, which nothing expands here"
    if "://" in source:
        return "is a URL, not a directory"
    if not source.startswith("/"):
        return "is a relative path"
    if ".." in PurePosixPath(source).parts:
        return "goes through .."
    return "has characters that end a mount" if any(c in source for c in ",: \t\n'\"") else ""


RULES = (
    Rule("P19", "error", "Mounted path that is not absolute", "give the absolute path", MOUNTS, not_absolute),
    Rule("P20", "error", "Directory that is not here", "correct the path, or fetch the files first", DOCKER, not_here),
    Rule(
        "S03",
        "error",
        "Mount that is no directory",
        "mount the directory that holds it",
        FACTS,
        not_a_directory,
        needs=("cluster",),
    ),
)
