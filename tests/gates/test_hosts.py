"""Where a config's jobs go: the address that quantgate and NEL's ssh share, and who must say yes to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.cluster import known_clusters
from quantgate.errors import BadInput, Unreachable
from quantgate.gates.planning import plan
from quantgate.gates.questions import hosts

SSH_CONFIG = "Host login\n  HostName 127.0.0.1\n  Port 9\n  User from_ssh\n"


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("USER", "here")
    (tmp_path / "ssh_config").write_text(SSH_CONFIG, "utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(tmp_path / "ssh_config"))
    clusters = tmp_path / "clusters.yaml"
    monkeypatch.setattr(known_clusters, "places", lambda: [clusters])

    def make(hostname: str = "login", described: dict[str, Any] | None = None, **execution: str) -> plan.Plan:
        if described:
            clusters.write_text(yaml.safe_dump({"clusters": described}), "utf-8")
        given = {"hostname": hostname, "account": "a", "output_dir": "/shared/out", **execution}
        config = {
            "defaults": [{"execution": "slurm/default"}, {"deployment": "none"}, "_self_"],
            "execution": given,
            "target": {"api_endpoint": {"url": "http://127.0.0.1:9/v1/chat/completions", "model_id": "m"}},
            "evaluation": {"tasks": [{"name": "ifbench.ifbench"}]},
        }
        path = tmp_path / "eval.yaml"
        path.write_text(yaml.safe_dump(config), "utf-8")
        return plan.read(str(path))

    return make


def test_the_configs_own_user_comes_first(planned: Any) -> None:
    found = hosts.target(planned(username="me", described={"big": {"login_node": "login", "user": "other"}}))
    assert found.place == "me@login:/shared/out"


def test_a_cluster_may_be_named_as_clusters_yaml_names_it(planned: Any) -> None:
    found = hosts.target(planned("big", described={"big": {"login_node": "login", "user": "other"}}))
    assert found.host.address == "other@login"


def test_ssh_config_decides_where_nel_would_take_the_users_name_here(planned: Any) -> None:
    assert hosts.target(planned()).host.address == "from_ssh@login"


@pytest.mark.parametrize(
    "execution",
    [
        {"hostname": "-oProxyCommand=touch x"},
        {"hostname": "a b"},
        {"hostname": "login;reboot"},
        {"username": "-l"},
        {"username": "me@other"},
        {"output_dir": "/out/$(id)"},
        {"output_dir": "/out/a b"},
        {"output_dir": "/out:/elsewhere"},
        {"output_dir": "relative"},
        {"output_dir": "~/out"},
    ],
)
def test_what_a_shell_would_take_apart_is_refused_before_anybody_is_contacted(
    planned: Any, execution: dict[str, str]
) -> None:
    with pytest.raises(BadInput):
        hosts.target(planned(**execution))


def test_only_a_host_that_nobody_wrote_down_needs_a_yes(planned: Any) -> None:
    known, unknown = planned(), planned("elsewhere.example.org")
    assert hosts.questions(known, hosts.target(known)) == ()
    (question,) = hosts.questions(unknown, hosts.target(unknown))
    assert question.lasting
    assert "elsewhere.example.org" in question.text


def test_a_host_that_does_not_answer_is_unreachable_and_nothing_is_launched(planned: Any) -> None:
    with pytest.raises(Unreachable, match="nothing was launched"):
        hosts.require_ready(hosts.target(planned()))
