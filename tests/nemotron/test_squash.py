"""The squash plan: when there is one, which images it has, and what they are called on the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.errors import ConfigError, Refused
from quantgate.nemotron import squash, squashing

NEMO = "nvcr.io/nvidia/nemo:25.11.nemotron_3_nano"
ENV = {
    "executor": "slurm",
    "tunnel": "ssh",
    "host": "login.cluster",
    "user": "me",
    "account": "team",
    "partition": "batch",
    "remote_job_dir": "/shared/jobs/",
}


def _config(image: Any = NEMO, proxy: Any = "haproxy:3.0", **env: Any) -> dict[str, Any]:
    return {
        "run": {"env": ENV | env},
        "execution": {"type": "slurm", "proxy": {"image": proxy}},
        "deployment": {"type": "generic", "image": image},
    }


def test_the_images_of_server_and_proxy_become_files_in_the_job_directory() -> None:
    config = _config()
    made = squash.plan(config, launching=True, force=True)
    first, second = made.images
    assert first.target == "/shared/jobs/nvcr_io_nvidia_nemo_25_11_nemotron_3_nano.sqsh"
    assert (first.source, second.source) == (
        "docker://nvcr.io#nvidia/nemo:25.11.nemotron_3_nano",
        "docker://haproxy:3.0",
    )
    assert (made.host, made.user, made.account, made.partition, made.force) == (
        "login.cluster", "me", "team", "batch", True,
    )  # fmt: skip
    staged = squash.apply(config, made)
    assert staged.config["deployment"]["image"] == first.target
    assert staged.config["execution"]["proxy"]["image"] == second.target
    assert len(staged.changes) == 2
    assert config["deployment"]["image"] == NEMO
    assert squash.plan(staged.config, launching=True).images == ()


@pytest.mark.parametrize(
    ("env", "launching", "says"),
    [
        ({}, False, "only for a launch"),
        ({"executor": "local"}, True, "not slurm"),
        ({"tunnel": "local"}, True, "no ssh tunnel"),
        ({"tunnel": None}, True, "no ssh tunnel"),
    ],
)
def test_without_a_launch_on_slurm_over_ssh_nothing_is_planned(env: dict[str, Any], launching: bool, says: str) -> None:
    made = squash.plan(_config(**env), launching=launching, force=True)
    assert made.images == ()
    assert says in made.reason
    assert squash.apply(_config(), made).changes == ()


@pytest.mark.parametrize("image", [None, "", "/shared/x.sqsh", "relative.sqsh", "/shared/x", 5])
def test_files_and_missing_images_stay(image: Any) -> None:
    assert squash.plan(_config(image, image), launching=True).images == ()


def test_one_image_in_two_places_is_one_import_and_two_with_one_name_are_two_files() -> None:
    (one,) = squash.plan(_config("a/b:1", "a/b:1"), launching=True).images
    assert one.places == ("deployment.image", "execution.proxy.image")
    targets = {image.target for image in squash.plan(_config("a/b-c:1", "a/b_c:1"), launching=True).images}
    assert len(targets) == 2


@pytest.mark.parametrize(
    ("image", "source"),
    [
        ("ubuntu", "docker://ubuntu"),
        ("vllm/vllm-openai:v0.11.0", "docker://vllm/vllm-openai:v0.11.0"),
        ("localhost:5000/x:1", "docker://localhost:5000#x:1"),
        ("docker://nvcr.io/nvidia/nemo:1", "docker://nvcr.io#nvidia/nemo:1"),
        ("nvcr.io#nvidia/nemo:25.11", "docker://nvcr.io#nvidia/nemo:25.11"),
        ("ghcr.io/a/b@sha256:" + "0" * 64, "docker://ghcr.io#a/b@sha256:" + "0" * 64),
    ],
)
def test_the_registry_stands_apart_for_enroot(image: str, source: str) -> None:
    assert squash.enroot_source(image) == source


@pytest.mark.parametrize(
    "image", ["$(id)", "a b", "-x", "A/B:1", "nvcr.io/x:1;id", "x" * 600, "a\nb", "a#b:1", "nvcr.io#a#b"]
)
def test_what_is_no_image_is_refused_before_anybody_is_asked(image: str) -> None:
    with pytest.raises(ConfigError, match="no container image") as refused:
        squash.plan(_config(image), launching=True)
    assert refused.value.where == "deployment.image"


@pytest.mark.parametrize("directory", [None, "", "jobs", "/", "/a/../b", "/a b", "/a$HOME", "/a:b"])
def test_the_job_directory_must_be_one_on_the_cluster(directory: Any) -> None:
    with pytest.raises(ConfigError, match="remote_job_dir"):
        squash.plan(_config(remote_job_dir=directory), launching=True)


def test_a_host_that_only_the_config_names_is_not_contacted() -> None:
    made = squash.plan(_config(host="no-such-host.invalid"), launching=True)
    with pytest.raises(Refused, match="only the config or its profile names"):
        squashing.carry_out(made)
    assert squashing.carry_out(squash.plan(_config(), launching=False)) == squashing.Squashed()


def test_a_config_without_an_image_is_not_said_to_have_files() -> None:
    assert "names none" in squash.plan(_config(None, None), launching=True).reason
    assert squash.plan(_config("/x.sqsh", None), launching=True).reason == "every image is a file already"


def test_images_are_imported_where_and_as_whom_the_run_is_launched() -> None:
    config = _config()
    config["execution"] |= {"hostname": "login.cluster", "username": "robot", "account": "other", "partition": "gpu"}
    made = squash.plan(config, launching=True)
    assert (made.host, made.user, made.account, made.partition) == ("login.cluster", "robot", "other", "gpu")
    config["execution"] |= {"account": "${execution.x}", "partition": "???"}
    made = squash.plan(config, launching=True)
    assert (made.account, made.partition) == ("team", "batch")
    assert squash.plan(_config(build_partition="cpu"), launching=True).partition == "cpu"


def test_images_are_not_imported_on_another_cluster_than_the_run_s() -> None:
    config = _config()
    config["execution"]["hostname"] = "login.elsewhere"
    with pytest.raises(ConfigError, match=r"on 'login\.cluster', and the run goes to 'login\.elsewhere'"):
        squash.plan(config, launching=True)
