"""Layouts of a Slurm deployment: how many nodes, and how many independent instances of the model on them.

NEL 0.2.6 (executors/slurm/executor.py) gives each of `execution.num_instances` an equal share of `execution.num_nodes`; an
instance of several nodes needs a command that joins them, and HAProxy stands before several instances.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import BadInput
from . import capacity, choices, haproxy, packaged, paths, ray, serving_sizes, surgery
from .document import ConfigDocument
from .serving_sizes import Sizes

MAX_NODES = 1024

OPTIONS = (
    '"single" (one node), "haproxy:N" (N nodes with one instance each behind HAProxy), "ray:N" (one instance over N nodes), '
    '"combined:NxI" (N nodes shared by I instances behind HAProxy, such as combined:4x2: 2 instances of 2 nodes)'
)
WITHOUT_GPUS = "ray: PP"
"""Begins the note on sizes that were set without the GPUs of a node; with them it no longer holds."""
_SYNTAX = re.compile(r"(?P<kind>haproxy|ray|combined)(?::(?P<nodes>[1-9]\d{0,4})(?:x(?P<instances>[1-9]\d{0,4}))?)?")
_NOT_HERE = {
    "local": "NEL's local executor starts one container on this machine: it has no nodes and no proxy",
    "process": "the process executor serves no model",
    "lepton": "NEL's Lepton executor reads neither num_nodes nor num_instances",
}


@dataclass(frozen=True)
class Layout:
    """Nodes of a job, and the instances of the model that share them evenly."""

    nodes: int
    instances: int

    @property
    def nodes_per_instance(self) -> int:
        """Nodes of one instance; above 1 it needs Ray."""
        return self.nodes // self.instances


def read_layout(document: ConfigDocument) -> Layout:
    """The layout that a config has now; 1 for what is no number."""
    nodes, instances = (packaged.value(document, "execution", key) for key in ("num_nodes", "num_instances"))
    whole = [n if isinstance(n, int) and not isinstance(n, bool) and n > 0 else 1 for n in (nodes, instances)]
    return Layout(max(whole), whole[1])


def parse_layout(text: str, document: ConfigDocument) -> Layout:
    """A layout as it is asked for; a kind without numbers takes those that the config has.

    Raises:
        BadInput: No such layout, or numbers that do not make one.
    """
    text = text.strip()
    if text == "single":
        return Layout(1, 1)
    match = _SYNTAX.fullmatch(text)
    if match is None:
        raise _refused(f"There is no layout {text[:40]!r}")
    kind, present = match["kind"], read_layout(document)
    nodes = int(match["nodes"] or present.nodes)
    if bool(match["instances"]) != (kind == "combined" and bool(match["nodes"])):
        raise _refused(f"The layout {text!r} " + ("wants two numbers" if kind == "combined" else "takes one number"))
    if nodes < 2:
        raise _refused(f"The layout {kind} needs two nodes or more")
    if nodes > MAX_NODES:
        raise BadInput(f"{nodes} nodes are more than {MAX_NODES}", where="layout", fix="give the number of nodes")
    if kind != "combined":
        return Layout(nodes, nodes if kind == "haproxy" else 1)
    instances = int(match["instances"] or present.instances)
    if instances < 2 or nodes % instances or nodes == instances:
        raise _refused(
            f"{nodes} nodes and {instances} instances are no combined layout: NEL wants num_nodes divisible by num_instances, "
            "and here both instances and nodes of each are 2 or more"
        )
    return Layout(nodes, instances)


def apply_layout(document: ConfigDocument, layout: str, notes: list[str] | None = None) -> ConfigDocument:
    """The config with a layout, and with sizes and `--max-num-seqs` that suit it.

    Args:
        document: A config for Slurm that deploys the model; not changed.
        layout: One of `OPTIONS`.
        notes: Gets the arithmetic and what else a person should know.

    Raises:
        BadInput: An unknown layout, or one that the executor or the deployment cannot have.
        ConfigError: The file cannot be edited there.
    """
    notes = [] if notes is None else notes
    wanted = parse_layout(layout, document)
    _check_possible(document)
    had_ray = ray.uses_ray(document)
    document = _with_nodes(document, wanted, notes)
    sizes = serving_sizes.read(document)
    if wanted.nodes_per_instance > 1:
        document = ray.use_ray(document, notes)
        document = serving_sizes.write(document, Sizes(sizes.tensor, wanted.nodes_per_instance, 1))
        notes.append(
            f"{WITHOUT_GPUS} {wanted.nodes_per_instance} = the instance's nodes, TP {sizes.tensor} within each, DP 1; "
            "give gpus (and gpu_memory_gb) to have TP worked out"
        )
    elif had_ray:
        document = ray.leave_ray(document, notes)
        document = serving_sizes.write(document, Sizes(sizes.tensor, 1, sizes.data))
    if wanted.instances > 1:
        document = haproxy.use_proxy(document, notes)
    return capacity.settle(document, notes)


def _refused(what: str) -> BadInput:
    return BadInput(what, where="layout", fix=f"use one of {OPTIONS}")


def _check_possible(document: ConfigDocument) -> None:
    executor = choices.executor(document)
    reason = ""
    if executor != "slurm":
        reason = _NOT_HERE.get(executor, f"the executor {executor[:40]!r} is not Slurm")
    elif choices.deployment(document) == "none":
        reason = "with deployment none the model is served elsewhere, and NEL starts no server"
    if reason:
        raise BadInput(
            f"A layout is for a Slurm config that deploys the model: {reason}",
            where=str(document.path),
            fix="leave `layout` empty, or build a config with execution slurm and a deployment",
        )


def _with_nodes(document: ConfigDocument, wanted: Layout, notes: list[str]) -> ConfigDocument:
    document = surgery.set_value(document, "execution.num_nodes", wanted.nodes)
    document = surgery.set_value(document, "execution.num_instances", wanted.instances)
    # NEL starts n_tasks / num_instances server processes for each instance; its default is one for each node.
    tasks = paths.dig(document.plain, "execution", "deployment", "n_tasks")
    if isinstance(tasks, int) and tasks != wanted.nodes:
        notes.append(
            f"execution.deployment.n_tasks {tasks} was removed: its default is one server process for each node"
        )
        document = surgery.unset(document, "execution.deployment.n_tasks")
    if paths.dig(document.plain, "deployment", "multiple_instances") is not None:
        notes.append("deployment.multiple_instances was removed: NEL refuses it")
        document = surgery.unset(document, "deployment.multiple_instances")
    return document
