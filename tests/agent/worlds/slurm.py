"""A laptop from which a real Slurm cluster is reached by ssh, with a checkpoint on its file system.

Options: checkpoint (of tests/data), name (of its folder on the cluster), images (further ones that the cluster can pull), config
(text of work/eval_config.yaml), files, dotenv. In texts the facts stand as {placeholders}.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.integration.slurm import settings
from tests.integration.slurm.cluster import Cluster, missing
from tests.requirements import require

from ..harness import environment
from ..world import World
from . import parts
from .endpoint import SECRET, filled

START_SECONDS = 60.0
NEMO_SKILLS = "nvcr.io/nvidia/eval-factory/nemo-skills:26.03"
IFBENCH = "nvcr.io/nvidia/eval-factory/ifbench:26.03"
VLLM = ("latest", *(f"v0.{minor}.{patch}" for minor in range(8, 41) for patch in range(4)))
"""Tags of the public image: an agent may pin any of them."""


def build(directory: Path, options: dict[str, Any]) -> World:
    """Start the cluster and put the user's files down."""
    require(not missing(), missing())
    # Sockets lie below it, and their paths are at most 107 bytes long.
    base = Path(tempfile.mkdtemp(prefix="qg-world-"))
    world = directory / "world"
    ready = world / "cluster.ready"
    images = world / "images.json"
    images.write_text(json.dumps(_images(world, options.get("images", []))), "utf-8")
    argv = [sys.executable, "-m", "tests.agent.harness.slurm_cluster", str(base), str(images), str(ready)]
    pid = parts.background(directory, "cluster", argv)
    name = str(options.get("name", "llama-small-fp8"))
    place = parts.checkpoint(base / "home" / "models" / name, options.get("checkpoint", "fp8_default"))
    (base / "home" / "results").mkdir()
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        assert time.monotonic() < deadline, (world / "cluster.log").read_text("utf-8", "replace")[-2000:]
        time.sleep(0.1)
    facts = {
        "host": Cluster.alias,
        "account": settings.ACCOUNT,
        "partition": settings.PARTITION,
        "checkpoint": str(place),
        "model": name,
        "results": str(base / "home" / "results"),
        "home": str(base / "home"),
    }
    private = {**facts, "secret": SECRET}
    texts = {"eval_config.yaml": options["config"]} if "config" in options else {}
    texts |= options.get("files", {}) | ({".env": options["dotenv"]} if "dotenv" in options else {})
    for file, text in texts.items():
        (directory / "work" / file).write_text(filled(str(text), private), "utf-8")
    env = {"QUANTGATE_SSH_CONFIG": str(base / "etc" / "ssh_config"), "PATH": parts.path_without_engine(directory)}
    env["USER"] = settings.USER
    return World(env=env, facts=facts, pids=[pid], secrets=[SECRET])


def _images(world: Path, more: list[str]) -> dict[str, str]:
    """Images with the directory of their programs."""
    served = world / "images" / "vllm" / "bin"
    served.mkdir(parents=True)
    environment.program(served / "vllm", "vllm")
    found = {
        NEMO_SKILLS: str(environment.make("nemo_skills", world / "images" / "nemo_skills") / "bin"),
        IFBENCH: str(environment.make("ifbench", world / "images" / "ifbench") / "bin"),
    }
    public = [f"{place}vllm/vllm-openai:{tag}" for place in ("", "docker.io/") for tag in VLLM]
    return found | dict.fromkeys([*public, *more], str(served))
