"""Each rule that the cluster decides: a sight that breaks it, and a near one that does not. The real cluster is in integration/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from quantgate.cluster.preflight import Association, Partition, PathSeen, Sight
from quantgate.evalconfig.lint import check

from .corpus.case import put
from .made import SLURM, write
from .valid_configs import LOCAL

HERE = PathSeen("directory", True, True, True, "/shared")
GPU = Partition("batch", "up", 4 * 3600, 4, 4, {"h100": 8})
GOOD = Sight(
    host="login.cluster",
    user="me",
    enforced=True,
    paths={"/shared/results": HERE, "/shared/models/m-NVFP4": HERE},
    free_bytes=10**13,
    free_files=10**7,
    programs=frozenset({"rsync", "sbatch", "sacct"}),
    registries=("nvcr.io",),
    partitions={"batch": GPU},
    associations=(Association("team", "", None),),
)


def _rules(tmp_path: Path, sight: Sight, text: str = SLURM) -> dict[str, str]:
    found = check(write(tmp_path, text), sight).findings
    return {
        f.rule: f"{f.severity}: {f.message}. {f.fix}"
        for f in found
        if f.rule[0] == "L" or f.rule in {"S03", "S07", "D24"}
    }


def _with(partition: Partition, **more: Partition) -> Sight:
    return replace(GOOD, partitions={"batch": partition, **more})


def _paths(**changes: PathSeen) -> Mapping[str, PathSeen]:
    names = {"results": "/shared/results", "model": "/shared/models/m-NVFP4"}
    return {**GOOD.paths, **{names[key]: seen for key, seen in changes.items()}}


def test_a_cluster_that_has_everything_breaks_no_rule(tmp_path: Path) -> None:
    assert _rules(tmp_path, GOOD) == {}
    assert not [line for line in check(write(tmp_path, SLURM), GOOD).skipped if "L0" in line or "S0" in line]


ABSENT = PathSeen("absent", False, True, False, "/shared")


@pytest.mark.parametrize(
    ("sight", "rule", "says"),
    [
        (replace(GOOD, paths=_paths(results=replace(ABSENT, writable=False))), "L01", "cannot be made"),
        (replace(GOOD, paths=_paths(results=replace(HERE, found="file"))), "L01", "is a file"),
        (replace(GOOD, paths=_paths(model=ABSENT)), "L02", "copy it there"),
        (replace(GOOD, paths=_paths(model=replace(HERE, readable=False))), "L02", "may not be read by me"),
        (replace(GOOD, paths=_paths(model=replace(HERE, config_json=False))), "L02", "warning: "),
        (_with(replace(GPU, state="drain")), "L03", "is drain"),
        (replace(GOOD, partitions={"other": GPU}), "L03", "one of: other"),
        (replace(GOOD, associations=(Association("else", "", None),)), "L04", "error: me may not charge"),
        (replace(GOOD, associations=(Association("else", "", None),), enforced=False), "L04", "warning: "),
        (replace(GOOD, associations=()), "L04", "ask the cluster's administrators"),
        (_with(replace(GPU, denied=("team",))), "L04", "does not admit"),
        (replace(GOOD, free_bytes=10**9), "L05", "warning: 1.0 GB are free"),
        (replace(GOOD, free_bytes=10**8), "L05", "error: "),
        (replace(GOOD, free_files=5), "L05", "5 more files"),
        (replace(GOOD, programs=frozenset({"sbatch", "sacct"})), "L06", "has no rsync"),
        (_with(replace(GPU, limit=3600)), "S07", "limit of the partition batch, 01:00:00"),
        (replace(GOOD, associations=(Association("team", "", 3600),)), "S07", "limit of the account team"),
        (
            replace(GOOD, associations=(Association("team", "", 3600), Association("team", "batch", 7000))),
            "S07",
            "at most 01:00:00",
        ),
        (_with(replace(GPU, gpus={"h100": 4})), "D24", "ask for at most gpu:4"),
        (_with(replace(GPU, gpus={})), "D24", "has no GPUs"),
        (_with(replace(GPU, nodes=0, usable=0)), "L09", "has 0 nodes"),
        (_with(replace(GPU, usable=0)), "L09", "0 nodes are up"),
    ],
)
def test_what_the_cluster_lacks_breaks_its_rule_alone(tmp_path: Path, sight: Sight, rule: str, says: str) -> None:
    text = put(SLURM, "execution.walltime", "02:00:00")
    found = _rules(tmp_path, sight, text)
    assert set(found) == {rule}
    assert says in found[rule]


@pytest.mark.parametrize(
    "sight",
    [
        replace(GOOD, paths=_paths(results=ABSENT)),  # NEL makes it
        replace(GOOD, paths=_paths(results=replace(ABSENT, found="unseen"))),
        replace(GOOD, associations=(), enforced=False),
        replace(GOOD, associations=None, partitions=None, registries=None, free_bytes=None),
        replace(GOOD, associations=(Association("team", "cpu", 60), Association("team", "", None))),
        _with(replace(GPU, limit=None)),
        _with(replace(GPU, accounts=("team",))),
    ],
)
def test_a_near_miss_breaks_nothing(tmp_path: Path, sight: Sight) -> None:
    assert _rules(tmp_path, sight) == {}


def test_of_several_partitions_one_that_fits_is_enough(tmp_path: Path) -> None:
    text = put(SLURM, "execution.partition", "batch,long")
    small = replace(GPU, limit=60, gpus={"a100": 2}, nodes=1, usable=1)
    long = replace(GPU, name="long", limit=None)
    assert _rules(tmp_path, replace(GOOD, partitions={"batch": small, "long": long}), text) == {}
    assert {"S07", "D24"} <= set(_rules(tmp_path, replace(GOOD, partitions={"batch": small, "long": small}), text))


def test_a_type_of_gpu_that_the_partition_does_not_name_is_found(tmp_path: Path) -> None:
    text = put(SLURM, "execution.gres", "gpu:b200:8")
    assert "it names h100" in _rules(tmp_path, GOOD, text)["D24"]
    assert _rules(tmp_path, GOOD, put(SLURM, "execution.gres", "gpu:h100:8")) == {}


def test_what_could_not_be_seen_is_listed_with_its_reason(tmp_path: Path) -> None:
    sight = replace(
        GOOD,
        associations=None,
        partitions=None,
        registries=None,
        free_bytes=None,
        paths=_paths(results=replace(ABSENT, found="unseen")),
        problems={"nodes": "no answer within 10 s", "associations": "accounting is switched off"},
    )
    skipped = "\n".join(check(write(tmp_path, SLURM), sight).skipped)
    for rule in ("L01", "L03", "L04", "L05", "L07", "L09", "S07", "D24"):
        assert rule in skipped
    assert "accounting is switched off" in skipped
    assert "L02" not in skipped


def test_a_path_that_cannot_be_sent_is_left_to_the_rule_on_mounts(tmp_path: Path) -> None:
    text = put(SLURM, "execution.mounts.deployment", {"/shared/a\nb": "/data"})
    report = check(write(tmp_path, text), GOOD)
    assert "P19" in {f.rule for f in report.findings}


def test_a_declared_checkpoint_on_a_host_that_was_not_read_is_skipped_and_no_error(tmp_path: Path) -> None:
    report = check(write(tmp_path, put(LOCAL, "quantgate.checkpoint", "login:/shared/m-NVFP4")))
    assert not {"D12", "D38"} & {f.rule for f in report.findings}
    assert any("D38" in line and "login:/shared/m-NVFP4" in line for line in report.skipped)


def test_a_silenced_rule_of_the_cluster_is_not_applied(tmp_path: Path) -> None:
    text = put(SLURM, "quantgate.silence", ["L05"])
    assert _rules(tmp_path, replace(GOOD, free_bytes=10**8), text) == {}


def test_the_images_of_other_servers_and_of_the_export_are_looked_for_too(tmp_path: Path) -> None:
    text = put(SLURM, "auxiliary_deployments", {"judge": {"type": "vllm", "image": "/shared/judge.sqsh"}})
    text = put(text, "execution.auto_export", {"destinations": ["mlflow"], "export_image": "/shared/export.sqsh"})
    absent = {"/shared/judge.sqsh": ABSENT, "/shared/export.sqsh": ABSENT}
    found = check(write(tmp_path, text), replace(GOOD, paths={**GOOD.paths, **absent})).findings
    assert sorted(f.path for f in found if f.rule == "L08") == [
        "auxiliary_deployments.judge.image",
        "execution.auto_export.export_image",
    ]
