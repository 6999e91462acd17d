"""Rules about auxiliary deployments: servers for a judge or a simulator beside the model, on Slurm."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from .. import paths
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping

AUXILIARY = "NeMo Evaluator Launcher 0.2.6 common/auxiliary_deployments.py"
REFERENCES = "NeMo Evaluator Launcher 0.2.6 common/helpers.py (get_eval_factory_command)"
_RESERVED = ("SLURM", "PRIMARY", "MODEL", "SERVER")
_REQUIRED = ("type", "image", "port", "served_model_name", "endpoints")


def auxiliary_server(subject: Subject) -> Iterable[Hit]:
    """An auxiliary deployment that NEL refuses, or that its executor leaves out."""
    prefixes: dict[str, str] = {}
    for name, value in as_mapping(subject.at("auxiliary_deployments")).items():
        settings = as_mapping(value)
        path = f"auxiliary_deployments.{name}"
        if settings.get("type", "none") == "none" or subject.composed.executor == "process":
            continue
        if subject.composed.executor != "slurm":
            yield Hit(path, f"The {subject.composed.executor} executor does not start {path}: only Slurm does")
            continue
        missing = [key for key in _REQUIRED if key not in settings]
        if missing:
            yield Hit(path, f"{path} lacks {', '.join(missing)}", "give all of " + ", ".join(_REQUIRED))
        prefix = str(settings.get("env_prefix") or str(name).upper())
        if prefix in _RESERVED:
            yield Hit(path, f"{path} takes the reserved prefix {prefix}", f"give {path}.env_prefix", cause="prefix")
        elif prefix in prefixes:
            yield Hit(
                path,
                f"{path} has the prefix {prefix}, as {prefixes[prefix]} has",
                f"give {path}.env_prefix",
                cause="prefix",
            )
        prefixes.setdefault(prefix, path)
        nodes, instances = settings.get("num_nodes", 1), settings.get("num_instances", 1)
        if isinstance(nodes, int) and isinstance(instances, int) and (instances < 1 or nodes < 1 or nodes % instances):
            yield Hit(path, f"num_nodes {nodes} of {path} is not divisible by num_instances {instances}", cause="nodes")


def endpoints(subject: Subject) -> dict[str, str]:
    """The texts by which a task may name an endpoint of an auxiliary server, each with the path of its URL.

    NEL writes the address of `auxiliary_deployments.NAME.ENDPOINT_url`, and of the shell variable PREFIX_ENDPOINT_URL, into the
    task's config when the job runs.
    """
    found = {}
    for name, settings in _servers(subject):
        prefix = str(settings.get("env_prefix") or name.upper())
        for endpoint, path in as_mapping(settings.get("endpoints")).items():
            if endpoint != "health":
                variable = f"{prefix}_{str(endpoint).upper()}_URL"
                references = (f"auxiliary_deployments.{name}.{endpoint}_url", f"${{{variable}}}", f"${variable}")
                found.update(dict.fromkeys(references, str(path)))
    return found


def _servers(subject: Subject) -> Iterator[tuple[str, dict[str, object]]]:
    for name, value in as_mapping(subject.at("auxiliary_deployments")).items():
        settings = as_mapping(value)
        if settings.get("type", "none") != "none":
            yield str(name), settings


def unknown_reference(subject: Subject) -> Iterable[Hit]:
    """A reference to an auxiliary server or endpoint that is not there: the task gets the reference itself as a URL."""
    known = {*endpoints(subject), *(f"auxiliary_deployments.{name}.model_id" for name, _ in _servers(subject))}
    places = [("evaluation", EVALUATOR), *(("evaluation", "tasks", task.index, EVALUATOR) for task in subject.tasks)]
    for place in places:
        for at, value in paths.walk(subject.at(*place)):
            for reference in _REFERENCE.findall(value) if isinstance(value, str) else ():
                if reference in known:
                    continue
                near = difflib.get_close_matches(reference, sorted(known), n=1, cutoff=0.6)
                where = paths.join((*place, *at))
                fix = f"did you mean `{near[0]}`?" if near else "configure that server under `auxiliary_deployments`"
                yield Hit(where, f"NEL knows no {reference[:100]} and leaves it as it stands", fix)


_REFERENCE = re.compile(r"(?<![\w.{])auxiliary_deployments\.[\w.\-]+")

RULES = (
    Rule("P17", "error", "Auxiliary server that does not start", "correct it", AUXILIARY, auxiliary_server),
    Rule("P31", "error", "Auxiliary server that is not there", "correct the name", REFERENCES, unknown_reference),
)
