"""What a job holds on a cluster, by what it asks of Slurm."""

from __future__ import annotations

from typing import Any

import pytest

from quantgate.gates.planning import allocation


@pytest.mark.parametrize(
    ("execution", "auxiliary", "gpus"),
    [
        ({"num_nodes": 1, "gres": "gpu:8"}, {}, 8),
        ({"num_nodes": 2, "gres": "gpu:h100:4"}, {}, 8),
        ({"num_nodes": 2, "gres": "gpu:8", "gpus_per_node": 3}, {}, 16),  # Slurm takes --gres
        ({"num_nodes": 1, "gres": "gpu:8"}, {"judge": {"type": "vllm", "num_nodes": 2}}, 24),
        ({"num_nodes": 1, "gres": "gpu:8"}, {"judge": {"type": "none"}}, 8),
        ({"num_nodes": 1, "gres": None}, {}, 0),
        ({"num_nodes": 1, "gres": "gpu:eight?"}, {}, None),
        ({"num_nodes": "many", "gres": "gpu:8"}, {}, None),
        ({"num_nodes": 1, "gres": "gpu:8"}, "judge", None),
    ],
)
def test_the_gpus_of_a_job_are_those_of_all_its_nodes(
    execution: dict[str, Any], auxiliary: Any, gpus: int | None
) -> None:
    assert allocation.gpus({"execution": execution, "auxiliary_deployments": auxiliary}) == gpus


@pytest.mark.parametrize(
    ("walltime", "chain", "hours"),
    [
        ("01:00:00", "120:00:00", 121),
        ("04:00:00", "08:00:00", 12),
        ("1-00:00:00", "2-00:00:00", 72),
        ("01:00:00", None, None),
    ],
)
def test_a_chain_of_jobs_lasts_at_most_its_limit_and_one_more_job(
    walltime: str, chain: str | None, hours: float | None
) -> None:
    assert allocation.hours_at_most({"execution": {"walltime": walltime, "max_walltime": chain}}) == hours
