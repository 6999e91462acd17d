"""Rules about what lies on the cluster: directories, space, programs, images. Skipped without the preflight."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import staging
from ..images import images
from .mounts import auxiliary_checkpoints, directories
from .rule import Hit, Need, Rule, Subject

if TYPE_CHECKING:
    from ...cluster.preflight import PathKind, PathSeen

NEL = "NeMo Evaluator Launcher 0.2.6 executors/slurm/executor.py (test -d, mkdir -p, rsync, sbatch)"
ENROOT = "NVIDIA enroot 3.5 doc/cmd/import.md (credentials in netrc format, by host)"
TASK_BYTES = 2_500_000_000
"""Room of one task: 12,000 answers of 64 KB (long reasoning), kept about three times (response cache, harness, client log)."""
LEAST_BYTES = 200_000_000
"""Below this not even a canary's files are safe."""
LEAST_FILES = 2_000
_OF_TRANSFORMERS = ("vllm", "vllm_ray", "sglang")
_SAME_REGISTRY = {
    "docker.io": ("docker.io", "auth.docker.io", "registry-1.docker.io", "index.docker.io"),
    "nvcr.io": ("nvcr.io", "authn.nvidia.com"),
}
"""Hosts whose line serves a registry too: enroot asks the registry's token server by its own name."""


def wanted_paths(subject: Subject) -> list[tuple[PathKind, str]]:
    """The absolute paths of a config to look at on the cluster, each once, with what it should be."""
    found: dict[str, PathKind] = {}
    for value, kind in ((subject.text("execution", "output_dir"), "output"), (checkpoint(subject), "checkpoint")):
        if value.startswith("/"):
            found.setdefault(value, kind)  # type: ignore[arg-type]
    for _, source in directories(subject):
        found.setdefault(source, "directory")
    for image in images(subject.composed):
        if image.access == "file":
            found.setdefault(image.image, "file")
    return [(kind, path) for path, kind in found.items() if _can_be_sent(path)]


def _can_be_sent(path: str) -> bool:
    return path.startswith("/") and "???" not in path and path.isprintable() and len(path) < 4096


def checkpoint(subject: Subject) -> str:
    """The checkpoint's path on the cluster; empty when the config serves none from a path."""
    return subject.text("deployment", "checkpoint_path") if subject.composed.deployment != "none" else ""


def output_closed(subject: Subject) -> Iterable[Hit]:
    """An output_dir that this user cannot make or write."""
    seen, path = subject.seen(subject.text("execution", "output_dir")), "execution.output_dir"
    if seen is None or seen.found == "unseen":
        return
    if seen.found in ("file", "other"):
        yield Hit(path, f"{subject.text('execution', 'output_dir')[:200]} is a file on the cluster")
    elif not seen.writable:
        what = (
            "may not be written" if seen.found == "directory" else f"cannot be made: {seen.nearest} may not be written"
        )
        yield Hit(path, f"output_dir {what} by {subject.there.user} on the cluster")


def checkpoint_away(subject: Subject) -> Iterable[Hit]:
    """A checkpoint that is not on the cluster, or may not be read there."""
    where = [("deployment.checkpoint_path", checkpoint(subject)), *auxiliary_checkpoints(subject)]
    for path, value in where:
        seen = subject.seen(value)
        if seen is None or seen.found == "unseen":
            continue
        if seen.found == "absent":
            command, target = staging.command(subject.config, subject.there, value, seen)
            local = f"{value[:200]} is on this machine and not on the cluster" if command else ""
            moved = f", then edit_config(set=['{path}={target}'])" if target not in ("", value) else ""
            fix = f"a person runs: {command}{moved}" if command else "copy it there, or correct the path"
            yield Hit(path, local or f"{value[:200]} is not on the cluster", fix)
        elif seen.found != "directory":
            yield Hit(path, f"{value[:200]} is no directory on the cluster, and NEL mounts directories only")
        elif not seen.readable:
            yield Hit(path, f"{value[:200]} may not be read by {subject.there.user} on the cluster")
        elif (
            not seen.config_json and path.startswith("deployment.") and subject.composed.deployment in _OF_TRANSFORMERS
        ):
            message = f"{value[:200]} has no config.json on the cluster"
            yield Hit(path, message, "give the directory that holds config.json and the weights", "warning")


def little_space(subject: Subject) -> Iterable[Hit]:
    """Too little room for the results. A quota does not show here."""
    sight, seen = subject.sight, subject.seen(subject.text("execution", "output_dir"))
    if sight is None or sight.free_bytes is None or seen is None or not seen.writable:
        return
    need = TASK_BYTES * max(1, len(subject.tasks))
    if sight.free_bytes < need:
        message = (
            f"{sight.free_bytes / 1e9:.1f} GB are free below output_dir; {len(subject.tasks)} tasks with long answers may write "
            f"{need / 1e9:.1f} GB"
        )
        yield Hit(
            "execution.output_dir", message, severity="error" if sight.free_bytes < LEAST_BYTES else None, cause="L05"
        )
    if sight.free_files is not None and 0 < sight.free_files < LEAST_FILES:
        message = f"Only {sight.free_files} more files can be made below output_dir"
        yield Hit("execution.output_dir", message, cause="L05.files")


def programs_away(subject: Subject) -> Iterable[Hit]:
    """A login node without the programs that NEL calls there."""
    if subject.sight is not None:
        lacking = [p for p in ("rsync", "sbatch", "sacct") if p not in subject.sight.programs]
        if lacking:
            message = f"{subject.sight.host} has no {', '.join(lacking)}, which NEL calls there"
            yield Hit("execution.hostname", message, "give the cluster's login node, or ask its administrators")


def registry_closed(subject: Subject) -> Iterable[Hit]:
    """An image that may be private, of a registry without a line in the cluster's credentials."""
    sight = subject.sight
    if sight is None or sight.registries is None:
        return
    held = {name.partition(":")[0] for name in sight.registries} | set(sight.registries)
    for image in images(subject.composed):
        bare = image.registry.partition(":")[0]
        if image.access == "unknown" and not held.intersection((image.registry, bare, *_SAME_REGISTRY.get(bare, ()))):
            message = (
                f"{image.image[:200]} may be private, and enroot's credentials on the cluster name no {image.registry}"
            )
            fix = "if it is private, a person adds a line for it (skills/common/slurm-setup.md); never read that file"
            yield Hit(image.path, message, fix, cause=f"L07.{image.registry}")


def image_away(subject: Subject) -> Iterable[Hit]:
    """An image file that is not on the cluster, or may not be read there."""
    for image in images(subject.composed):
        seen = subject.seen(image.image) if image.access == "file" else None
        if seen is not None and seen.found != "unseen" and (seen.found != "file" or not seen.readable):
            why = "is not on the cluster" if seen.found == "absent" else "is no file that you may read on the cluster"
            yield Hit(image.path, f"{image.image[:200]} {why}", cause="L08")


def unseen(subject: Subject, rule: str) -> str:
    """Why the preflight could not decide a rule; empty when it could."""
    sight = subject.sight
    if sight is None:
        return ""
    problems = sight.problems
    if rule in ("L03", "L09", "D24", "S07") and sight.partitions is None:
        return f"sinfo on {sight.host} gave no answer: {problems.get('nodes', '')}"
    if rule == "L04" and sight.associations is None:
        return f"the accounting of {sight.host} gave no answer: {problems.get('associations', '')}"
    if rule == "L05" and sight.free_bytes is None:
        return "df gave no answer for output_dir"
    if rule == "L07" and sight.registries is None:
        return "enroot's credentials file may not be read"
    kinds = {"L01": "output", "L02": "checkpoint", "S03": "directory", "L08": "file"}
    lost = [p for kind, p in wanted_paths(subject) if kind == kinds.get(rule) and _hidden(sight.paths.get(p))]
    return f"nothing can be seen of {lost[0][:200]} on {sight.host}" if lost else ""


def _hidden(seen: PathSeen | None) -> bool:
    return seen is None or seen.found == "unseen"


_CLUSTER: tuple[Need, ...] = ("cluster",)

RULES = (
    Rule(
        "L01",
        "error",
        "Output directory that cannot be written",
        "give a directory that you may write on the cluster",
        NEL,
        output_closed,
        needs=_CLUSTER,
    ),
    Rule(
        "L02",
        "error",
        "Checkpoint that is not on the cluster",
        "copy it there, or correct the path",
        NEL,
        checkpoint_away,
        needs=_CLUSTER,
    ),
    Rule(
        "L05",
        "warning",
        "Little space for the results",
        "free space there, or give an output_dir on a larger file system",
        "quantgate: sizes of answers and of what is kept of them",
        little_space,
        needs=_CLUSTER,
    ),
    Rule(
        "L06",
        "error",
        "Login node without the programs that NEL calls",
        "give the cluster's login node",
        NEL,
        programs_away,
        needs=_CLUSTER,
    ),
    Rule(
        "L07",
        "warning",
        "Registry without credentials on the cluster",
        "a person adds a line for it, when the image is private",
        ENROOT,
        registry_closed,
        needs=_CLUSTER,
    ),
    Rule(
        "L08",
        "error",
        "Image file that is not on the cluster",
        "correct the path, or import the image there",
        "NVIDIA pyxis 0.20 README (--container-image with a squashfs file)",
        image_away,
        needs=_CLUSTER,
    ),
)
