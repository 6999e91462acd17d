"""What each job of a config would ask of the scheduler or of this machine, read from the scripts that a dry run generated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...evalconfig.node_gpus import node_gpus
from ...launcher import harness_env, harnesses
from ...launcher.generated import GeneratedFile
from . import plan

MOST_MOUNTS = 20
MOST_OPTIONS = 40
_LONGEST = 300

_SBATCH = re.compile(r"^#SBATCH[ \t]+--([\w-]+)(?:[= \t][ \t]*(.*\S))?[ \t]*$", re.MULTILINE)
_MAX_WALLTIME = re.compile(r'^_max_walltime="([^"]+)"', re.MULTILINE)
_WORD = r"((?:\"[^\"]*\"|'[^']*'|[^\s\"'])+)"
_IMAGE = re.compile(r"--container-image[ =](\S+)")
_MOUNTS = re.compile(r"--container-mounts[ =](\S+)")
_OUTPUT = re.compile(r"--output[ =]\S*/([\w.]+?(?:-[A-Za-z][\w.]*)*)-[%$]\S*")
_VOLUME = re.compile(rf"(?:^|\s)(?:-v|--volume)[ =]{_WORD}")
_DOCKER_OPTION = re.compile(rf"(?:^|\s)(-p|--publish|--gpus|--network|--shm-size)[ =]{_WORD}")
_ROLE = re.compile(r'--name "?\$?(client|server|CLIENT|SERVER)')


@dataclass(frozen=True)
class Container:
    """One container that a job starts.

    Attributes:
        role: What it is for: "server", "client", "proxy", or the name of an auxiliary deployment.
        mounts: `source:target`.
        options: Ports, GPUs and the network, as the engine gets them.
    """

    role: str
    image: str
    mounts: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        task: The task's directory ("ifbench.ifbench.0").
        asks: Slurm: every option of the script's head, and `max_walltime` over all follow-on jobs. Process: the wheel and
            the state of its environment.
        gpus: GPUs of all its nodes; None when the script does not tell.
    """

    task: str
    harness: str
    asks: Mapping[str, str] = field(default_factory=dict)
    gpus: int | None = None
    containers: tuple[Container, ...] = ()


def jobs(planned: plan.Plan, scripts: Sequence[GeneratedFile]) -> tuple[Job, ...]:
    """The jobs of a config, in its order.

    Args:
        planned: The config.
        scripts: What the dry run generated.
    """
    texts = {script.name: script.text for script in scripts}
    made = []
    for task in planned.tasks:
        if planned.composed.executor == plan.PROCESS:
            made.append(_process(task))
        elif (text := texts.get(f"{task.directory}/run.sub")) is not None:
            made.append(_slurm(task, text))
        else:
            containers = tuple(_docker_containers(texts.get(f"{task.directory}/run.sh", "")))
            made.append(Job(task.directory, task.harness, containers=containers))
    return tuple(made)


def _process(task: plan.PlannedTask) -> Job:
    wheel = harnesses.wheel_for(task.harness)
    if wheel is None:
        return Job(task.directory, task.harness)
    ready = harness_env.installed(wheel) is not None
    state = "installed" if ready else f"to be installed at the canary, needs about {wheel.megabytes} MB of disk"
    return Job(task.directory, task.harness, {"wheel": wheel.requirements[0], "environment": state}, gpus=0)


def _slurm(task: plan.PlannedTask, text: str) -> Job:
    head = text.split("\n\n", 1)[0]
    asks = {match[1]: (match[2] or "yes")[:_LONGEST] for match in list(_SBATCH.finditer(head))[:MOST_OPTIONS]}
    limit = _MAX_WALLTIME.search(text)
    if limit:
        asks["max_walltime"] = limit[1]
    return Job(task.directory, task.harness, asks, _gpus(asks), tuple(_slurm_containers(text)))


def _gpus(asks: Mapping[str, str]) -> int | None:
    nodes = asks.get("nodes", "")
    per_node = node_gpus({"gres": asks.get("gres"), "gpus_per_node": asks.get("gpus-per-node")}).count
    return per_node * int(nodes) if per_node and nodes.isdecimal() else None


def _slurm_containers(text: str) -> Iterator[Container]:
    job = ""
    for line in text.replace("\\\n", " ").split("\n"):
        if line.startswith("#SBATCH") and (named := _OUTPUT.search(line)):
            # A job that the script submits itself has a head of its own, and says there what it is.
            job = named[1]
        image = _IMAGE.search(line) if line.lstrip().startswith("srun ") else None
        if image is None:
            continue
        mounts, output = _MOUNTS.search(line), _OUTPUT.search(line)
        listed = tuple(mounts[1].split(",")[:MOST_MOUNTS]) if mounts else ()
        yield Container(output[1].removesuffix("-server") if output else job, image[1], listed)


def _docker_containers(text: str) -> Iterator[Container]:
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.lstrip().startswith("docker run "):
            continue
        given = [line]
        image = ""
        # NEL's template puts every option on a line that begins with a dash; the first other line is the image.
        while given[-1].rstrip().endswith("\\") and not image:
            following = next(lines, "").strip()
            if following.startswith("-"):
                given.append(following)
            else:
                image = following.removesuffix("\\").strip()
                break
        if image:
            yield _docker_container(" ".join(part.rstrip().removesuffix("\\") for part in given), image)


def _docker_container(options: str, image: str) -> Container:
    role = _ROLE.search(options)
    mounts = tuple(_bare(match[1]) for match in list(_VOLUME.finditer(options))[:MOST_MOUNTS])
    chosen = tuple(f"{match[1]} {_bare(match[2])}" for match in list(_DOCKER_OPTION.finditer(options))[:MOST_OPTIONS])
    return Container(role[1].lower() if role else "", image, mounts, chosen)


def _bare(word: str) -> str:
    return re.sub(r"[\"']", "", word)
