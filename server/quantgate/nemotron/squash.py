"""Which container images a Slurm cluster gets as squash files, and their names there: a plan, made without asking anything.

Only for a launch on Slurm over SSH, never on a dry run. `squashing` carries the plan out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from .change import Change, Config, Staged, copied, section

PLACES = (("deployment", "image"), ("execution", "proxy", "image"))
"""The images that Slurm starts and NEL takes from the config. Harness images come from its catalogue and stay."""
SUFFIX = ".sqsh"
IMPORT_TIME = "02:00:00"
_IMAGE = re.compile(
    r"(?:(?P<registry>[A-Za-z0-9.\-]+(?:\.[A-Za-z0-9\-]+|:\d{1,5}|(?<=localhost)))/)?"
    r"(?P<rest>[a-z0-9]+(?:[._\-/]+[a-z0-9]+)*(?::[\w][\w.\-]{0,127})?(?:@sha256:[0-9a-f]{64})?)"
)
_DIRECTORY = re.compile(r"/[^\x00-\x1f\x7f:,\"'`$\\ ]{1,1000}")


@dataclass(frozen=True)
class SquashedImage:
    """One image and its file.

    Attributes:
        image: As the config has it.
        source: As `enroot import` takes it.
        target: The file on the cluster.
        places: The keys of the config that name the image.
    """

    image: str
    source: str
    target: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class SquashPlan:
    """What is to be imported, and where.

    Attributes:
        images: Each image once; empty when nothing is to be done.
        reason: Why nothing is; empty otherwise.
        host: The login node.
        user: The login name there; empty for ssh's own.
        directory: `run.env.remote_job_dir`.
        account: For the allocation; may be empty.
        partition: For the allocation; may be empty.
        time: Limit of the allocation, as Slurm writes it.
        force: Import also what is there.
    """

    images: tuple[SquashedImage, ...] = ()
    reason: str = ""
    host: str = ""
    user: str = ""
    directory: str = ""
    account: str = ""
    partition: str = ""
    time: str = IMPORT_TIME
    force: bool = False


def file_name(image: str) -> str:
    """The name of an image's squash file: every character that is neither letter nor digit becomes `_`."""
    return re.sub(r"[^A-Za-z0-9]", "_", image) + SUFFIX


def enroot_source(image: str, where: str = "") -> str:
    """An image as `enroot import` takes it: `docker://REGISTRY#NAME:TAG`; without the `#` enroot looks for it in Docker's own hub.

    Args:
        image: `registry/name:tag`, or `registry#name:tag`.
        where: The keys that name it, for the message.

    Raises:
        ConfigError: It is no name of a Docker image.
    """
    # Slurm's container plugin takes `registry#name:tag` too.
    found = _IMAGE.fullmatch(image.removeprefix("docker://").replace("#", "/", 1))
    if not found or len(image) > 500 or ("#" in image and not found["registry"]):
        raise ConfigError(
            f"{image[:120]!r} is no container image that can be imported",
            where=where,
            fix="write registry/name:tag, or a .sqsh file",
        )
    registry = f"{found['registry']}#" if found["registry"] else ""
    return f"docker://{registry}{found['rest']}"


def plan(config: Config, *, launching: bool, force: bool = False) -> SquashPlan:
    """What has to be imported before a config can run.

    Args:
        config: With its `run` section, interpolations resolved.
        launching: `--run` or `--batch`, and no dry run.
        force: Import also what is there already.

    Raises:
        ConfigError: An image that is none, or no directory on the cluster to put it into.
    """
    env = section(config, "run", "env") or {}
    if not launching:
        return SquashPlan(reason="images are imported only for a launch (--run or --batch without --dry-run)")
    if {_text(env, "executor"), _text(section(config, "execution") or {}, "type") or "slurm"} != {"slurm"}:
        return SquashPlan(reason="the executor is not slurm")
    if _text(env, "tunnel") != "ssh":
        return SquashPlan(reason='the profile has no ssh tunnel (tunnel = "ssh"): images are taken as they are')
    named: dict[str, list[str]] = {}
    given = {".".join(p): (section(config, *p[:-1]) or {}).get(p[-1]) for p in PLACES}
    images = {place: image.strip() for place, image in given.items() if isinstance(image, str) and image.strip()}
    for place, image in images.items():
        if not _is_file(image):
            named.setdefault(image, []).append(place)
    if not images:
        return SquashPlan(reason=f"the config names none ({' and '.join(given)} are not given)")
    if not named:
        return SquashPlan(reason="every image is a file already")
    directory = _directory(env)
    execution = section(config, "execution") or {}
    return SquashPlan(
        images=tuple(_image(image, places, directory, list(named)) for image, places in named.items()),
        host=_host(env, config),
        user=_written(execution, "username") or _text(env, "user"),
        directory=directory,
        account=_written(execution, "account") or _text(env, "account"),
        partition=_text(env, "build_partition") or _written(execution, "partition") or _text(env, "partition"),
        time=_text(env, "build_time") or IMPORT_TIME,
        force=force,
    )


def apply(config: Config, made: SquashPlan) -> Staged:
    """The config with each planned image replaced by its file."""
    result = copied(config)
    changes = []
    for image in made.images:
        for place in image.places:
            *way, last = place.split(".")
            owner = section(result, *way)
            assert owner is not None
            owner[last] = image.target
            what = f"{place}: {image.image} becomes {image.target}"
            changes.append(
                Change(what, "Slurm starts a squash file without pulling and converting the image in each job")
            )
    return Staged(result, tuple(changes))


def _is_file(image: str) -> bool:
    return image.endswith(SUFFIX) or image.startswith(("/", "./", "~"))


def _image(image: str, places: list[str], directory: str, all_images: list[str]) -> SquashedImage:
    name = file_name(image.removeprefix("docker://"))
    if sum(file_name(other.removeprefix("docker://")) == name for other in all_images) > 1:
        # a/b-c and a/b_c would share a file.
        digest = hashlib.sha256(image.encode()).hexdigest()[:8]
        name = f"{name.removesuffix(SUFFIX)}_{digest}{SUFFIX}"
    return SquashedImage(image, enroot_source(image, ", ".join(places)), f"{directory}/{name}", tuple(places))


def _text(env: Config, key: str) -> str:
    value: Any = env.get(key)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _directory(env: Config) -> str:
    directory = _text(env, "remote_job_dir").rstrip("/")
    if not _DIRECTORY.fullmatch(directory) or "/.." in directory:
        raise ConfigError(
            f"run.env.remote_job_dir is no absolute path on the cluster: {directory[:120]!r}",
            where="run.env.remote_job_dir",
            fix='set remote_job_dir = "/shared/team/jobs" in the profile of env.toml; it must be on a file system that jobs see',
        )
    return directory


def _host(env: Config, config: Config) -> str:
    """The login node of the launch.

    Raises:
        ConfigError: None is named; or the launch goes to another than the profile's, whose `remote_job_dir` the files would lie in.
    """
    profile, launched = _text(env, "host"), _written(section(config, "execution") or {}, "hostname")
    if not (profile or launched):
        raise ConfigError("No login node is named", where="run.env.host", fix="set host in the profile of env.toml")
    if profile and launched and profile != launched:
        raise ConfigError(
            f"The images would be imported on {profile[:120]!r}, and the run goes to {launched[:120]!r}",
            where="execution.hostname, run.env.host",
            fix="name a profile of that cluster; for another login node of the same one, give run.env.host=… too",
        )
    return launched or profile


def _written(execution: Config, key: str) -> str:
    """A value of `execution`, which the launch goes by; empty while it refers to something."""
    value = _text(execution, key)
    return "" if "${" in value or value == "???" else value
