"""Which GPUs a config asks for, where the config itself says so."""

from __future__ import annotations

import re

from ...checkpoint.serving import find_gpu
from ...checkpoint.tables import Gpu
from ...errors import UnknownName
from .. import paths
from ..node_gpus import NodeGpus, node_gpus
from .rule import Subject, as_mapping

ARCH = ("quantgate", "gpu_arch")


def asked(subject: Subject) -> NodeGpus:
    """What a Slurm config asks of each node; nothing with another executor."""
    return node_gpus(as_mapping(subject.at("execution"))) if subject.composed.executor == "slurm" else NodeGpus()


def gpu(subject: Subject) -> tuple[Gpu, str] | None:
    """The GPU and the key that names it: `quantgate.gpu_arch`, else the type in the request for GPUs.

    A partition's name or a constraint is no evidence, and a type that the table does not have is not guessed at.
    """
    own = subject.at(*ARCH)
    request = asked(subject)
    for name, path in ((own, paths.join(ARCH)), (request.kind, request.path)):
        if isinstance(name, str) and (known := known_gpu(name)) is not None:
            return known, path
    return None


def known_gpu(name: str) -> Gpu | None:
    """A GPU by its name, or None when the table does not have it. Slurm types such as `nvidia_h100_80gb_hbm3` count."""
    words = [word for word in re.split(r"[\W_]+", name.lower()) if word and word != "nvidia"]
    for candidate in (name, *("".join(words[:end]) for end in range(min(len(words), 3), 0, -1))):
        try:
            found = find_gpu(candidate)
        except UnknownName:
            continue
        if found is not None:
            return found
    return None
