"""What an image's name says, and what it does not."""

from __future__ import annotations

import pytest

from quantgate.evalconfig.lint.hardware import known_gpu
from quantgate.evalconfig.lint.image_tags import read_tag


@pytest.mark.parametrize(
    ("image", "framework", "version", "cuda", "moving"),
    [
        ("vllm/vllm-openai:v0.19.1-cu130", "vllm", (0, 19, 1), (13, 0), False),
        ("docker.io/vllm/vllm-openai:v0.20.0", "vllm", (0, 20, 0), (), False),
        ("docker://registry-1.docker.io#vllm/vllm-openai:0.11.0rc1", "vllm", (0, 11, 0), (), False),
        ("lmsysorg/sglang:v0.5.2.post1-cu129", "sglang", (0, 5, 2), (12, 9), False),
        ("nvcr.io/nvidia/tensorrt-llm/release:1.0.0", "trtllm", (1, 0, 0), (), False),
        ("nvcr.io/nvidia/vllm:25.09-py3", "", (25, 9, 0), (), False),
        ("vllm/vllm-openai:latest-cu129", "vllm", (), (12, 9), True),
        ("vllm/vllm-openai", "vllm", (), (), True),
        ("registry.example.org:5000/team/own", "", (), (), True),
        ("vllm/vllm-openai:nightly", "vllm", (), (), True),
        ("vllm/vllm-openai:nightly-0123456789", "vllm", (), (), False),
        ("vllm/vllm-openai:latest@sha256:00", "vllm", (), (), False),
    ],
)
def test_a_name_is_taken_apart(image: str, framework: str, version: object, cuda: object, moving: bool) -> None:
    tag = read_tag(image)
    assert tag is not None
    assert (tag.framework, tag.version, tag.cuda, bool(tag.moving)) == (framework, version, cuda, moving)


@pytest.mark.parametrize("image", ["/images/vllm.sqsh", "./vllm.sqsh", "team/vllm.sqsh", ""])
def test_an_image_file_says_nothing(image: str) -> None:
    assert read_tag(image) is None


@pytest.mark.parametrize(
    ("name", "sm"),
    [
        ("h100", 90),
        ("nvidia_h100_80gb_hbm3", 90),
        ("B300", 103),
        ("gb200", 100),
        ("rtx_6000_ada", 89),
        ("tpu9", 0),
        ("", 0),
    ],
)
def test_a_gpu_type_of_slurm_is_recognised_or_left_alone(name: str, sm: int) -> None:
    found = known_gpu(name)
    assert (found.sm if found else 0) == sm
