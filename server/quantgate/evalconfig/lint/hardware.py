"""The GPUs that a config asks for: how many on a node, and which, where the config itself says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...checkpoint.serving import find_gpu
from ...checkpoint.tables import Gpu
from ...errors import UnknownName
from .. import paths
from .rule import Subject

_GRES = re.compile(
    r"(?:gres[/:])?gpu(?::(?P<kind>[A-Za-z][\w.\-]*))?(?:[:=](?P<count>\d{1,6}))?(?:\([^)]*\))?", re.ASCII
)
_TYPED = re.compile(r"(?:(?P<kind>[A-Za-z][\w.\-]*)[:=])?(?P<count>\d{1,6})", re.ASCII)
_PLACES = (
    ("execution", "sbatch_extra_flags", "gpus-per-node"),
    ("execution", "sbatch_extra_flags", "gres"),
    ("execution", "gpus_per_node"),
    ("execution", "gres"),
)
ARCH = ("quantgate", "gpu_arch")


@dataclass(frozen=True)
class Asked:
    """GPUs of one node that a Slurm config asks for.

    Attributes:
        count: How many; 0 when the config does not say.
        kind: The type in the request (`gpu:h100:8`), or empty.
        path: The key that says it.
        none: The keys that ask for GPUs ask for none of them (`gpu:0`).
    """

    count: int = 0
    kind: str = ""
    path: str = "execution.gres"
    none: bool = False


def asked(subject: Subject) -> Asked:
    """What a Slurm config asks of each node; where several keys do, the largest number (all of them reach sbatch)."""
    if subject.composed.executor != "slurm":
        return Asked()
    found = [_read(subject.at(*place), paths.join(place)) for place in _PLACES]
    most = max(found, key=lambda each: each.count)
    kind = next((each.kind for each in found if each.kind), "")
    if most.count:
        return Asked(most.count, kind, most.path)
    none = next((each for each in found if each.none), None)
    return Asked(0, kind, none.path if none else "execution.gres", none is not None)


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


def _read(value: object, path: str) -> Asked:
    if isinstance(value, int) and not isinstance(value, bool):
        return Asked(max(value, 0), "", path, value == 0)
    if not isinstance(value, str):
        return Asked(0, "", path)
    if not path.endswith("gres"):
        typed = _TYPED.fullmatch(value.strip())
        count = int(typed["count"]) if typed else 0
        return Asked(count, (typed["kind"] or "") if typed else "", path, typed is not None and not count)
    parts = [match for part in value.split(",") if (match := _GRES.fullmatch(part.strip()))]
    count = sum(int(match["count"] or 1) for match in parts)
    kind = next((match["kind"] for match in parts if match["kind"]), "")
    return Asked(count, kind, path, bool(parts) and not count)
