"""No two evaluations on one host share an adapter."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from quantgate.launcher import adapter_port, harness_env, process_plan, process_runner


def test_each_evaluation_gets_a_port_of_its_own_that_outgoing_connections_do_not_take() -> None:
    ports = [int(adapter_port.variables()["ADAPTER_PORT"]) for _ in range(20)]
    assert len(set(ports)) > 15
    assert all(20_000 <= port < 32_768 for port in ports)


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr(adapter_port, "_PORTS", [taken.getsockname()[1]])
        assert adapter_port.variables() == {}


def test_the_harness_is_told_its_port_unless_the_config_declares_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness_env, "variables", lambda *_: {})
    task = process_plan.PlannedTask("ifbench.ifbench", 0, "ifbench", "/run/ifbench.ifbench.0", ["ADAPTER_PORT"])
    assert int(process_runner._task_environment(task, Path("/env"))["ADAPTER_PORT"]) >= 20_000
    monkeypatch.setenv("QUANTGATE_TASK_0_ADAPTER_PORT", "4000")
    assert process_runner._task_environment(task, Path("/env"))["ADAPTER_PORT"] == "4000"
