"""The preflight's answer is read as it was printed, and what did not answer is not taken for an empty answer."""

from __future__ import annotations

import pytest

from quantgate.cluster.preflight import parse, seconds_of

SEP = "\x1f"
CONTROLLER = (
    "ClusterName             = alpha\nSLURM_VERSION           = 23.02.7\nAccountingStorageEnforce = associations,limits"
)
NODES = [
    ("gpu", "up", "4:00:00", "30", "gpu:h100:8(S:0-1),nvme:2", "mix"),
    ("gpu", "up", "4:00:00", "2", "gpu:h100:8(S:0-1),nvme:2", "drain*"),
    ("gpu", "up", "4:00:00", "4", "gpu:h100:4,gpu:a100:2", "idle~"),
    ("cpu", "inact", "7-00:00:00", "10", "(null)", "down*"),
]


def _answer(**blocks: str) -> str:
    rows = "\n".join(SEP.join(row) for row in NODES)
    parts = {
        "controller": CONTROLLER + "\n@code 0",
        "nodes": rows + "\n@code 0",
        "partitions": "PartitionName=gpu AllowGroups=ALL AllowAccounts=one,two State=UP\n@code 0",
        "associations": "alpha|one||\nalpha|one|gpu|1-00:00:00\nbeta|other||\n@code 0",
    } | blocks
    head = "@clock 1795281771 1000 me\n@path 0 absent w- /shared/with space\n@free 1024\n@inodes -\n@program rsync\n"
    head += "@registries absent\n"
    return head + "".join(f"@{name}\n{text}\n" for name, text in parts.items()) + "@end\n"


def test_partitions_count_nodes_that_are_up_and_the_gpus_of_the_largest_node() -> None:
    sight = parse(_answer(), "login", ["/shared/with space/x"])
    assert sight.partitions is not None
    gpu, cpu = sight.partitions["gpu"], sight.partitions["cpu"]
    assert (gpu.nodes, gpu.usable, gpu.gpus, gpu.limit) == (36, 34, {"h100": 8, "a100": 2}, 4 * 3600)
    assert (cpu.state, cpu.usable, cpu.gpus, cpu.limit) == ("inact", 0, {}, 7 * 86400)
    assert gpu.accounts == ("one", "two")
    assert cpu.accounts == ()


def test_only_accounts_of_this_cluster_count() -> None:
    sight = parse(_answer(), "login", [])
    assert sight.associations is not None
    assert [(a.account, a.partition, a.limit) for a in sight.associations] == [("one", "", None), ("one", "gpu", 86400)]
    assert (sight.enforced, sight.slurm, sight.user) == (True, "23.02.7", "me")


def test_a_path_keeps_its_spaces_and_what_df_does_not_say_is_not_known() -> None:
    sight = parse(_answer(), "login", ["/shared/with space/x"])
    seen = sight.paths["/shared/with space/x"]
    assert (seen.found, seen.writable, seen.readable, seen.nearest) == ("absent", True, False, "/shared/with space")
    assert (sight.free_bytes, sight.free_files) == (1 << 20, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sh: 1: sinfo: not found\n@code 127", "the command is not there"),
        ("@code 124", "no answer within 10 s"),
        ("slurm_load_partitions: Unable to contact slurm controller\n@code 1", "Unable to contact"),
    ],
)
def test_a_command_that_failed_is_a_problem_and_not_an_empty_list(text: str, says: str) -> None:
    sight = parse(_answer(nodes=text, associations=text), "login", [])
    assert (sight.partitions, sight.associations) == (None, None)
    assert says in sight.problems["nodes"]
    assert says in sight.problems["associations"]


def test_a_line_in_a_programs_output_cannot_pass_for_an_answer_of_ours() -> None:
    text = "slurm said: x\n@program scancel\n@registry evil.example\n@free 1\n@code 0"
    sight = parse(_answer(controller=text), "login", [])
    assert sight.programs == {"rsync"}
    assert sight.registries == ()
    assert sight.free_bytes == 1 << 20


def test_accounting_that_is_switched_off_is_not_an_empty_list_of_accounts() -> None:
    off = CONTROLLER + "\nAccountingStorageType = accounting_storage/none\n@code 0"
    sight = parse(_answer(controller=off, associations="@code 0"), "login", [])
    assert sight.associations is None
    assert "switched off" in sight.problems["associations"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("infinite", None),
        ("UNLIMITED", None),
        ("n/a", None),
        ("", None),
        ("30:00", 1800),
        ("1-00:00:00", 86400),
        ("x-1:00", None),
    ],
)
def test_limits_are_read_as_slurm_writes_them(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds
