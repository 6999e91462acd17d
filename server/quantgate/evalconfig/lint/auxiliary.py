"""Rules about auxiliary deployments: servers for a judge or a simulator beside the model, on Slurm."""

from __future__ import annotations

from collections.abc import Iterable

from .rule import Hit, Rule, Subject, as_mapping

AUXILIARY = "NeMo Evaluator Launcher 0.2.6 common/auxiliary_deployments.py"
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


RULES = (Rule("P17", "error", "Auxiliary server that does not start", "correct it", AUXILIARY, auxiliary_server),)
