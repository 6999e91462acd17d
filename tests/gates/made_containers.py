"""A stand-in for a container engine, for tests of NEL's local executor without images.

It stands for `docker` as far as NEL's script and quantgate call it: a container is a file in a directory, which outlives the client
that started it, as a real one does. The real engine is used in tests/integration/containers.
"""

from __future__ import annotations

from pathlib import Path

import yaml

ENGINE = """#!/bin/bash
state={state}
verb=$1; shift
case $verb in
  run)
    keep=1; name=
    while [ $# -gt 0 ]; do
      case $1 in --rm) keep= ;; --name) name=$2; shift ;; esac
      shift
    done
    if [ -e "$state/running/$name" ] || [ -e "$state/exited/$name" ]; then echo "the name $name is taken" >&2; exit 125; fi
    while [ -e "$state/pulling" ]; do sleep 0.1; done
    echo "$name" >> "$state/starts"
    touch "$state/running/$name"
    trap 'rm -f "$state/running/$name"' TERM
    while [ -e "$state/running/$name" ] && [ ! -e "$state/finish" ]; do sleep 0.1; done
    [ -e "$state/running/$name" ]; code=$(( $? == 0 ? 0 : 137 ))
    rm -f "$state/running/$name"
    [ -n "$keep" ] && touch "$state/exited/$name"
    exit $code ;;
  ps)
    if [ -e "$state/silent" ]; then echo "Cannot connect to the daemon" >&2; exit 1; fi
    ls "$state/running"
    case $1 in --all) ls "$state/exited" ;; esac ;;
  stop)
    shift 2
    for name in "$@"; do rm -f "$state/running/$name"; done ;;
  rm)
    for name in "$@"; do rm -f "$state/running/$name" "$state/exited/$name"; done ;;
esac
exit 0
"""


class Engine:
    """The stand-in and what it keeps.

    Args:
        folder: For its program and its state.
    """

    def __init__(self, folder: Path) -> None:
        self.state, self.bin = folder / "engine", folder / "bin"
        for place in (self.state / "running", self.state / "exited", self.bin):
            place.mkdir(parents=True)
        (self.bin / "docker").write_text(ENGINE.replace("{state}", str(self.state)))
        (self.bin / "docker").chmod(0o755)

    def running(self) -> list[str]:
        """Names of the containers that run."""
        return sorted(p.name for p in (self.state / "running").iterdir())

    def present(self) -> list[str]:
        """Names of all containers, ended ones too."""
        return sorted([*self.running(), *(p.name for p in (self.state / "exited").iterdir())])

    def starts(self) -> list[str]:
        """Names of the containers that were ever started, in order."""
        file = self.state / "starts"
        return file.read_text().split() if file.exists() else []


def write_config(folder: Path, port: int, mode: str = "sequential") -> Path:
    """A config of NEL's local executor with ifbench twice, against an endpoint."""
    config = {
        "defaults": [{"execution": "local"}, {"deployment": "none"}, "_self_"],
        "execution": {"output_dir": str(folder / "results"), "mode": mode},
        "target": {
            "api_endpoint": {
                "url": f"http://127.0.0.1:{port}/v1/chat/completions",
                "model_id": "m",
                "api_key_name": "MY_API_KEY",
            }
        },
        "evaluation": {
            "env_vars": {"MY_API_KEY": "host:MY_API_KEY"},
            "tasks": [{"name": "ifbench.ifbench"}, {"name": "ifbench.ifbench"}],
        },
    }
    path = folder / "eval.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
