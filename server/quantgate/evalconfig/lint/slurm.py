"""Rules about Slurm: partitions, GPUs, costs, and what only the cluster itself can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import paths
from ..node_gpus import NodeGpus
from . import hardware
from .execution import walltime_seconds
from .rule import Hit, Rule, Subject, as_mapping
from .structure import FACTS

if TYPE_CHECKING:
    from ...cluster.preflight import Partition

SBATCH = "Slurm 24.11 sbatch(1); NeMo Evaluator Launcher 0.2.6 executors/slurm/executor.py"
MOST_GPUS = 16
"""GPUs of the largest node that is sold (HGX and DGX systems of 16)."""

_ONE_GRES = re.compile(
    r"(?P<name>[A-Za-z]\w*)(?::(?P<type>[A-Za-z][\w.\-]*))?(?::(?P<count>\d+[KkMmGg]?))?(?:\(S:[\d,\-]+\))?"
)
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_])?|\[?[0-9A-Fa-f:]+\]?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-\\@]*\$?")
_WORD = re.compile(r"[\w.,\-+%@]+")
_FLAG = re.compile(r"[A-Za-z][A-Za-z0-9\-]*")
_OWN_FLAGS = (
    "time",
    "account",
    "partition",
    "nodes",
    "ntasks-per-node",
    "gpus-per-node",
    "gres",
    "job-name",
    "output",
    "comment",
)


def _on_slurm(subject: Subject) -> bool:
    return subject.composed.executor == "slurm"


def home_mounted(subject: Subject) -> Iterable[Hit]:
    """The home directory inside the containers, with a cache that links to nowhere."""
    if _on_slurm(subject) and subject.at("execution", "mounts", "mount_home") in (None, True):
        yield Hit(
            "execution.mounts.mount_home",
            "The home directory is mounted into the containers (NEL's default): links in its cache dangle there",
        )


def export_partition(subject: Subject) -> Iterable[Hit]:
    """An export job without GPUs on the partition of the GPU jobs."""
    destinations = as_mapping(subject.at("execution", "auto_export")).get("destinations")
    if _on_slurm(subject) and destinations and not subject.at("execution", "cpu_partition"):
        message = "The export job asks for no GPU and goes to the GPU partition, which may refuse it"
        yield Hit("execution.auto_export", message, cause="S02")


def one_job_each(subject: Subject) -> Iterable[Hit]:
    """Several tasks: each is a job of its own that deploys the model again."""
    if not _on_slurm(subject) or subject.composed.deployment == "none" or len(subject.tasks) < 2:
        return
    hours = walltime_seconds(subject.at("execution", "walltime")) / 3600 * len(subject.tasks) * gpus(subject)
    cost = f": at most {hours:.0f} GPU hours" if hours else ""
    message = f"{len(subject.tasks)} tasks are {len(subject.tasks)} jobs, and each deploys the model again{cost}"
    yield Hit("evaluation.tasks", message, cause="S08")


def gpus(subject: Subject) -> int:
    """GPUs of one job, by its nodes; 0 when the config does not say."""
    nodes = subject.at("execution", "num_nodes")
    return hardware.asked(subject).count * nodes if isinstance(nodes, int) else 0


def gpu_request(subject: Subject) -> Iterable[Hit]:
    """A gres that is none, or asks for more GPUs than a node has."""
    if not _on_slurm(subject):
        return
    gres = subject.at("execution", "gres")
    if gres is not None and gres not in ("???", "") and not _is_gres(gres):
        yield Hit(
            "execution.gres", f"execution.gres is {str(gres)[:40]!r}, which sbatch does not understand", 'write "gpu:8"'
        )
    elif (request := hardware.asked(subject)).count > MOST_GPUS:
        message = f"{request.path} asks for {request.count} GPUs of one node; no node has more than {MOST_GPUS}"
        yield Hit(request.path, message)
    else:
        yield from _more_than_there(subject, request)


def partitions(subject: Subject) -> list[Partition]:
    """The partitions of the jobs, as far as the preflight saw them; a job goes to any of them."""
    known = subject.sight.partitions if subject.sight else None
    names = [part.strip() for part in subject.text("execution", "partition").split(",")]
    return [known[name] for name in names if name in known] if known else []


def _more_than_there(subject: Subject, request: NodeGpus) -> Iterable[Hit]:
    """GPUs that no node of the partition has, where the preflight saw it."""
    found = partitions(subject)
    kind, count, path = request.kind, request.count, request.path
    if not found or not count:
        return
    names = ", ".join(p.name for p in found)
    have = {k: max(p.gpus.get(k, 0) for p in found) for k in {k for p in found for k in p.gpus}}
    if not have:
        message = f"The partition {names} has no GPUs, and {count} are asked for"
        yield Hit(path, message, "set execution.gres=null for jobs that need none, or take another partition")
    elif kind and kind not in have:
        kinds = ", ".join(sorted(k for k in have if k)) or "no types"
        message = f"No node of the partition {names} has GPUs of the type {kind!r}"
        yield Hit(path, message, f"it names {kinds}: write gpu:{count}")
    elif count > (most := have[kind] if kind else max(have.values())):
        message = f"{count} GPUs of one node are asked for; a node of the partition {names} has {most}"
        yield Hit(path, message, f"ask for at most gpu:{most}")


def _is_gres(value: object) -> bool:
    if not isinstance(value, str):
        return False
    parts = [_ONE_GRES.fullmatch(part.strip()) for part in value.split(",")]
    # `gpu:eight` reads as a type; a number that is spelt out is none.
    return all(part and part["name"] != "gpus" and (part["type"] or "").lower() not in _SPELT for part in parts)


_SPELT = frozenset({"one", "two", "four", "eight", "sixteen", "all", "auto", "any"})


def words_for_sbatch(subject: Subject) -> Iterable[Hit]:
    """Host, user and options that ssh or sbatch would refuse, or take for an option of their own."""
    if not _on_slurm(subject):
        return
    for key, pattern in (
        ("hostname", _HOST),
        ("username", _USER),
        ("account", _WORD),
        ("partition", _WORD),
        ("cpu_partition", _WORD),
        ("subproject", _WORD),
    ):
        value = subject.at("execution", key)
        if isinstance(value, str) and "???" not in value and "<" not in value and not pattern.fullmatch(value):
            path = f"execution.{key}"
            hint = "give the host alone; user, port and key belong into ssh_config" if key == "hostname" else ""
            yield Hit(path, f"{path} is {value[:60]!r}, which is no {key}", hint)
    comment = subject.at("execution", "sbatch_comment")
    if isinstance(comment, str) and ("'" in comment or "\n" in comment):
        yield Hit(
            "execution.sbatch_comment", "execution.sbatch_comment has a quote or a line break, and NEL quotes it with '"
        )
    for name in map(str, as_mapping(subject.at("execution", "sbatch_extra_flags"))):
        path = paths.join(("execution", "sbatch_extra_flags", name))
        if not _FLAG.fullmatch(name):
            hint = name.lstrip("-").replace("_", "-")
            yield Hit(
                path, f"{name[:60]!r} is no long option of sbatch as NEL writes it (--{name[:60]})", f"write {hint}"
            )
        elif name in _OWN_FLAGS:
            field = {"time": "walltime", "nodes": "num_nodes", "comment": "sbatch_comment"}.get(
                name, name.replace("-", "_")
            )
            yield Hit(
                path, f"NEL writes --{name} itself, and sbatch gets it twice", f"use execution.{field}", "warning"
            )


def port_taken_twice(subject: Subject) -> Iterable[Hit]:
    """HAProxy on the port of the model's server: both listen on the first node."""
    instances = subject.at("execution", "num_instances")
    proxy = subject.at("execution", "proxy", "config", "haproxy_port")
    if (
        _on_slurm(subject)
        and isinstance(instances, int)
        and instances > 1
        and proxy == subject.at("deployment", "port")
    ):
        path = "execution.proxy.config.haproxy_port"
        yield Hit(path, f"{path} and deployment.port are both {proxy}, and the first node runs both", cause="P25")


RULES = (
    Rule(
        "S01",
        "warning",
        "Home directory mounted",
        "set execution.mounts.mount_home=false, mount the HF cache and set HF_HOME",
        FACTS,
        home_mounted,
    ),
    Rule("S02", "warning", "Export without cpu_partition", "set execution.cpu_partition", FACTS, export_partition),
    Rule(
        "S08", "note", "One deployment for each task", "nothing to mend; it is what the run costs", FACTS, one_job_each
    ),
    Rule(
        "D24",
        "error",
        "More GPUs than a node has",
        "look them up: sinfo -o '%P %G'",
        SBATCH,
        gpu_request,
        needs=("cluster",),
    ),
    Rule(
        "P25",
        "error",
        "Port taken twice",
        "give HAProxy another port (NEL's default is 5009)",
        SBATCH,
        port_taken_twice,
    ),
    Rule("P18", "error", "Word that ssh or sbatch refuses", "correct it", SBATCH, words_for_sbatch),
)
