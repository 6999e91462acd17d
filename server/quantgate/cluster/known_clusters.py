"""The clusters that a person described, in the file that ModelOpt's skills use.

Format and places are those of ModelOpt's `.agents/clusters.yaml.example` (NVIDIA/Model-Optimizer): a map `clusters` of name to
`login_node, user, ssh_key, ssh_proxy, workspace, gpu_type, slurm`, and `default_cluster`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import BadInput

MAX_FILE_BYTES = 1 << 20
MAX_VALUES = 50_000
MAX_DIGITS = 1000
_FIELDS = frozenset({"login_node", "user", "ssh_key", "ssh_proxy", "workspace", "gpu_type", "slurm"})


@dataclass(frozen=True)
class KnownCluster:
    """One entry.

    Attributes:
        name: Its name in the file.
        login_node: The host that ssh connects to.
        user: Login name; empty for ssh's own choice.
        ssh_key: A private key's path; empty for ssh's own choice.
        ssh_proxy: A proxy command; empty for none.
        workspace: A directory on the cluster.
        gpu_type: "H100", "B200" …
        slurm: Its further defaults (`default_account`, `default_partition` …).
        file: Where it stands.
        notes: What in the entry was not understood.
    """

    name: str
    login_node: str
    user: str = ""
    ssh_key: str = ""
    ssh_proxy: str = ""
    workspace: str = ""
    gpu_type: str = ""
    slurm: Mapping[str, str] = field(default_factory=dict)
    file: Path = Path()
    notes: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """As ssh takes it: `user@login_node`, or the node alone."""
        return f"{self.user}@{self.login_node}" if self.user else self.login_node


def places() -> list[Path]:
    """Where such a file may stand, the user's own first."""
    names = (Path(".agents/clusters.yaml"), Path(".claude/clusters.yaml"))
    return [Path.home() / ".config/modelopt/clusters.yaml", *(Path.cwd() / n for n in names)]


def read() -> list[KnownCluster]:
    """Every cluster of every file that exists; the first file that names a cluster wins.

    Raises:
        BadInput: A file is not YAML, too large or not of that format.
    """
    found: dict[str, KnownCluster] = {}
    for path in places():
        for cluster in _read(path):
            found.setdefault(cluster.name, cluster)
    return list(found.values())


def find(name: str) -> KnownCluster | None:
    """The cluster with this name, or whose login node or `user@node` it is."""
    for cluster in read():
        if name in {cluster.name, cluster.login_node, cluster.host}:
            return cluster
    return None


def _read(path: Path) -> list[KnownCluster]:
    try:
        if not path.is_file():
            return []
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BadInput("The list of clusters is too large", where=str(path), fix="keep it under 1 MiB")
        content = _content(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInput(
            f"The list of clusters cannot be read: {type(error).__name__}",
            where=str(path),
            fix="mend the file's YAML, and write aliases out that stand for very much",
        ) from None
    rows = content.get("clusters") if isinstance(content, Mapping) else None
    if rows is None:
        return []
    if not isinstance(rows, Mapping):
        raise BadInput(
            "`clusters` is not a map of names",
            where=str(path),
            fix="write `clusters:` and below it `NAME:` with login_node",
        )
    return [_cluster(str(name), row, path) for name, row in rows.items()]


def _content(text: str) -> Any:
    """The YAML's values, with no more of them than `MAX_VALUES` once every alias and merge is written out.

    Raises:
        YAMLError: It has more, a number without end, or is no YAML.
        ValueError: A date or a number in it is none.
    """
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int") and len(node.value) > MAX_DIGITS:
            raise yaml.YAMLError("a number that nothing can write")
        if id(node) not in sizes:
            sizes[id(node)] = MAX_VALUES  # while it is counted: what contains itself has no end
            inner = node.value if not isinstance(node, yaml.ScalarNode) else ()
            parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
            sizes[id(node)] = 1 + sum(size(part) for part in parts)
        return sizes[id(node)]

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is not None and size(root) > MAX_VALUES:
        raise yaml.YAMLError("it expands without bounds")
    return yaml.safe_load(text)


def _cluster(name: str, row: Any, path: Path) -> KnownCluster:
    if not isinstance(row, Mapping) or not isinstance(row.get("login_node"), str) or not row["login_node"].strip():
        raise BadInput(f"The cluster {name!r} has no login_node", where=str(path), fix="add login_node: HOST")
    slurm = row.get("slurm") if isinstance(row.get("slurm"), Mapping) else {}
    unknown = sorted(str(k) for k in row if k not in _FIELDS)
    return KnownCluster(
        name=name,
        slurm={str(k): str(v) for k, v in (slurm or {}).items()},
        file=path,
        notes=tuple(f"unknown key {k!r}" for k in unknown[:5]),
        **{k: str(row[k]).strip() for k in _FIELDS - {"slurm"} if row.get(k) not in (None, "")},
    )
