"""The preflight sees on the real cluster what a launch would fail on, in one round trip, and changes nothing there."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quantgate.checkpoint.inspection import inspect_model
from quantgate.cluster import connection, exchange
from quantgate.errors import ClusterError, Refused
from quantgate.evalconfig.lint import inspection_cache
from quantgate.gates.permission import consent
from quantgate.tools.check_config import CheckedConfig, check_config
from quantgate.tools.check_environment import check_environment
from tests.checkpoint.made import SAMPLES

from .cluster import Cluster
from .conftest import MakeCluster
from .settings import ACCOUNT, PARTITION, USER

OURS = ("L", "S03", "S07", "D24")


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("USER", "somebody-here")
    monkeypatch.setenv("HF_TOKEN", "not-a-real-token")
    monkeypatch.setenv("HOME", str(tmp_path))
    inspection_cache.forget()


class Config:
    """A config for the cluster that has nothing wrong, to be spoilt."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster, self.path = cluster, directory / "eval.yaml"
        self.home = cluster.home / directory.name
        self.model = self.home / "m"
        for name in ("data", "results"):
            (self.home / name).mkdir(parents=True)
        shutil.copytree(SAMPLES / "bf16_dense", self.model)

    def check(self, **changes: str) -> CheckedConfig:
        values = {
            "host": self.cluster.alias, "account": ACCOUNT, "partition": PARTITION, "walltime": "04:00:00", "nodes": "1",
            "gres": "gpu:8", "output": f"{self.home}/results", "mount": f"{self.home}/data", "checkpoint": str(self.model),
            "image": "vllm/vllm-openai:v0.11.0", "more": "",
        } | changes  # fmt: skip
        self.path.write_text(TEXT.format(**values), "utf-8")
        return check_config(str(self.path), preflight=True)


TEXT = """
defaults:
  - execution: slurm/default
  - deployment: vllm
  - _self_
execution:
  hostname: {host}
  account: {account}
  partition: {partition}
  walltime: "{walltime}"
  num_nodes: {nodes}
  gres: {gres}
  output_dir: {output}
  mounts:
    mount_home: false
    evaluation:
      {mount}: /data
deployment:
  image: {image}
  checkpoint_path: {checkpoint}
  hf_model_handle: null
  served_model_name: m
  command: vllm serve /checkpoint --served-model-name m --host 0.0.0.0 --port ${{deployment.port}} --max-model-len 4096
target:
  api_endpoint:
    api_key_name: DUMMY_API_KEY
evaluation:
  env_vars:
    DUMMY_API_KEY: lit:dummy
  tasks:
    - name: ifbench.ifbench
{more}
"""


@pytest.fixture
def config(reached: Cluster, tmp_path: Path) -> Iterator[Config]:
    made = Config(reached, tmp_path)
    yield made
    shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[exchange.Done]:
    """What the cluster sent, for each round trip."""
    seen: list[exchange.Done] = []
    real = connection.Connection.run

    def kept(self: connection.Connection, *args: object, **kwargs: object) -> exchange.Done:
        done = real(self, *args, **kwargs)  # type: ignore[arg-type]
        seen.append(done)
        return done

    monkeypatch.setattr(connection.Connection, "run", kept)
    return seen


def _ours(answer: CheckedConfig) -> dict[str, str]:
    """By rule, message and fix of what the cluster decided."""
    return {f.rule: f"{f.severity} {f.path} {f.message} {f.fix}" for f in answer.findings if f.rule.startswith(OURS)}


@contextmanager
def _credentials(cluster: Cluster, text: str) -> Iterator[None]:
    file = cluster.home / ".config" / "enroot" / ".credentials"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text), "utf-8")
    file.chmod(0o600)
    try:
        yield
    finally:
        file.unlink()


def test_a_config_that_fits_the_cluster_has_no_finding_and_leaves_nothing_open(
    config: Config, answers: list[exchange.Done]
) -> None:
    answer = config.check()
    assert _ours(answer) == {}
    assert not [
        line for line in answer.skipped if "cluster" in line or any(rule in line for rule in ("L0", "S0", "D24"))
    ]
    assert len(answers) == 1
    seen = answer.preflight
    assert (seen["reachable"], seen["user"], seen["accounts"]) == ("yes", USER, ACCOUNT)
    assert f"{PARTITION}: up, no limit, 1 of 1 nodes, gpu:8" in seen["partitions"]
    assert seen["output_dir"] == "directory, readable, writable"
    assert seen["mounts"] == "1 of 1 are directories"
    assert "GB" in seen["free_space"]


@pytest.mark.parametrize(
    ("changes", "rule", "says"),
    [
        ({"mount": "{home}/m/config.json"}, "S03", "is a file on the cluster"),
        ({"mount": "{home}/nowhere"}, "S03", "is not on the cluster"),
        ({"output": "/proc/results/deeper"}, "L01", "/proc may not be written"),
        ({"output": "{home}/m/config.json"}, "L01", "is a file on the cluster"),
        ({"checkpoint": "{home}/absent"}, "L02", "is not on the cluster"),
        ({"checkpoint": "{home}/m/config.json"}, "L02", "no directory"),
        ({"partition": "absent"}, "L03", "one of: batch"),
        ({"account": "nobody"}, "L04", f"one of: {ACCOUNT}"),
        ({"gres": "gpu:9"}, "D24", "ask for at most gpu:8"),
        ({"gres": "gpu:a100:1"}, "D24", "no types"),
        ({"nodes": "2"}, "L09", "has 1 nodes, and 2 are asked for"),
        ({"image": "/images/none.sqsh"}, "L08", "is not on the cluster"),
    ],
)
def test_what_the_cluster_does_not_have_is_found(config: Config, changes: dict[str, str], rule: str, says: str) -> None:
    before = sorted(p for p in config.home.rglob("*"))
    answer = config.check(**{k: v.format(home=config.home) for k, v in changes.items()})
    found = _ours(answer)
    assert set(found) == {rule}
    assert found[rule].startswith("error ")
    assert says in found[rule]
    assert not answer.ok
    assert sorted(p for p in config.home.rglob("*")) == before


def test_an_output_directory_that_can_be_made_is_fine_and_not_made(config: Config) -> None:
    answer = config.check(output=f"{config.home}/new/deeper")
    assert _ours(answer) == {}
    assert answer.preflight["output_dir"] == f"absent; {config.home} is there and may be written"
    assert not (config.home / "new").exists()


def test_a_walltime_above_the_partitions_limit_is_found(config: Config) -> None:
    config.cluster.checked("scontrol", "update", f"PartitionName={PARTITION}", "MaxTime=60")
    try:
        assert "limit of the partition batch, 01:00:00" in _ours(config.check(walltime="01:00:01"))["S07"]
        assert _ours(config.check(walltime="01:00:00")) == {}
    finally:
        config.cluster.checked("scontrol", "update", f"PartitionName={PARTITION}", "MaxTime=UNLIMITED")


def test_a_partition_that_is_down_and_a_drained_node_are_found(config: Config) -> None:
    run = config.cluster.checked
    node = run("sinfo", "-h", "-o", "%n").split()[0]
    try:
        run("scontrol", "update", f"PartitionName={PARTITION}", "State=DOWN")
        assert "is down" in _ours(config.check())["L03"]
        run("scontrol", "update", f"PartitionName={PARTITION}", "State=UP")
        run("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
        found = _ours(config.check())["L09"]
        assert found.startswith("warning ")
        assert "0 nodes are up" in found
    finally:
        run("scontrol", "update", f"PartitionName={PARTITION}", "State=UP")
        run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    assert _ours(config.check()) == {}


def test_a_partition_that_does_not_admit_the_account_is_found(config: Config) -> None:
    config.cluster.checked("scontrol", "update", f"PartitionName={PARTITION}", "AllowAccounts=others")
    try:
        assert "does not admit the account" in _ours(config.check())["L04"]
    finally:
        config.cluster.checked("scontrol", "update", f"PartitionName={PARTITION}", "AllowAccounts=ALL")


def test_of_the_credentials_only_host_names_leave_the_cluster(config: Config, answers: list[exchange.Done]) -> None:
    private = "registry.example.org:5005#team/vllm:1"
    assert "L07" in _ours(config.check(image=private))
    with _credentials(
        config.cluster,
        """
        machine nvcr.io login $oauthtoken password nvapi-SECRETSECRET
        # machine commented.example.org login x password y
        machine registry.example.org login me password machine
          machine third.example.org
            login machine password glpat-OTHERSECRET
        login machine-user password machine-SECRET
        """,
    ):
        answers.clear()
        answer = config.check(image=private)
    assert "L07" not in _ours(answer)
    assert answer.preflight["registries"] == "nvcr.io, registry.example.org, third.example.org"
    sent = "".join(done.out + done.err for done in answers)
    for secret in ("SECRET", "oauthtoken", "password", "login", "commented"):
        assert secret not in sent
        assert secret not in answer.model_dump_json()


def test_public_images_ask_for_no_credentials_and_a_private_one_is_a_warning(config: Config) -> None:
    assert "L07" not in _ours(config.check())
    found = _ours(config.check(image="nvcr.io/someone/private:1"))["L07"]
    assert found.startswith("warning deployment.image")
    assert "slurm-setup.md" in found


def test_a_checkpoint_of_this_machine_is_staged_by_the_command_that_is_given(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "my models; $(touch pwned)" / "m"
    shutil.copytree(SAMPLES / "fp8_default", here)
    target = config.home / "staged" / "m"
    answer = config.check(checkpoint=str(target), more=f"quantgate:\n  checkpoint: {str(here)!r}")
    (row,) = [f for f in answer.findings if f.rule == "L02"]
    assert "is on this machine and not on the cluster" in row.message
    command = row.fix.removeprefix("a person runs: ")
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config.cluster.ssh_config} "$@"\n', "utf-8")
    ssh.chmod(0o755)
    env = os.environ | {"PATH": f"{ssh.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {p.name: p.read_bytes() for p in target.iterdir()} == {p.name: p.read_bytes() for p in here.iterdir()}
    assert not list(tmp_path.rglob("pwned"))
    assert _ours(config.check(checkpoint=str(target), more=f"quantgate:\n  checkpoint: {str(here)!r}")) == {}


def test_rules_on_the_checkpoint_use_what_was_read_there_and_say_so(config: Config) -> None:
    named = config.home / "m-NVFP4"
    config.model.rename(named)
    inspect_model(f"{config.cluster.alias}:{named}", reach_hub=True)
    away = config.home / "elsewhere"
    named.rename(away)  # of a path that is here too, the files here would be read
    config.path.write_text("")
    config.check(checkpoint=str(named))
    answer = check_config(str(config.path))
    assert "D12" in {f.rule for f in answer.findings}
    assert not any(line.startswith("D12") or ", D12" in line for line in answer.skipped)
    assert any("its weights were not read" in warning for warning in answer.warnings)
    config.check(checkpoint=f"{named}-other")
    answer = check_config(str(config.path))
    (line,) = [line for line in answer.skipped if "D12" in line]
    assert f"read_model_config(model='{config.cluster.alias}:{named}-other')" in line


def test_a_host_that_nobody_named_is_not_contacted_without_a_persons_yes(
    config: Config, answers: list[exchange.Done]
) -> None:
    with pytest.raises(Refused, match="neither in clusters") as refused:
        config.check(host="login.unheard.example")
    assert "Host login.unheard.example" in str(refused.value)
    assert answers == []
    with pytest.raises(Refused):
        check_environment(host="login.unheard.example")
    with consent.given([("look at host", "login.unheard.example")]):
        answer = config.check(host="login.unheard.example")
    assert answer.preflight["reachable"] == "no"


def test_without_the_cluster_the_findings_of_the_config_are_still_given(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = tmp_path / "ssh_config"
    dead.write_text(f"Host {config.cluster.alias}\n HostName 127.0.0.1\n Port 9\n", "utf-8")
    connection.close_all()
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(dead))
    answer = config.check(walltime="banana")
    assert "C12" in {f.rule for f in answer.findings}
    assert answer.preflight["reachable"] == "no"
    assert any("could not be looked at" in w and "cannot be reached" in w for w in answer.warnings)
    assert any("L01" in line and "S07" in line for line in answer.skipped)
    row = check_environment(host=config.cluster.alias).clusters[0]
    assert not row.reachable
    assert "cannot be reached" in row.reason


def test_the_environment_tells_what_a_host_has(reached: Cluster, answers: list[exchange.Done]) -> None:
    answer = check_environment(host=reached.alias)
    (row,) = answer.clusters
    assert (row.reachable, row.user, row.accounts, row.rsync, row.python3) == (True, USER, [ACCOUNT], True, True)
    assert row.slurm.startswith(reached.checked("sinfo", "-V").split()[1])
    assert f"{PARTITION}: up" in row.partitions
    assert len(answers) == 1


def test_an_entry_of_clusters_yaml_is_listed_and_may_be_looked_at_by_its_name(reached: Cluster, tmp_path: Path) -> None:
    file = tmp_path / ".config" / "modelopt" / "clusters.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(
        f"clusters:\n  mine:\n    login_node: {reached.alias}\n    user: {USER}\n    workspace: /shared/w\n"
        "    gpu_type: B200\n    ssh_key: ~/.ssh/other\n",
        "utf-8",
    )
    (row,) = check_environment().clusters
    assert (row.host, row.reachable, row.workspace, row.gpu_type) == ("mine", False, "/shared/w", "B200")
    assert "not asked" in row.reason
    looked = check_environment(host="mine")
    assert (looked.clusters[0].reachable, looked.clusters[0].address) == (True, f"{USER}@{reached.alias}")
    assert any("ssh_key" in w and "IdentityFile" in w for w in looked.warnings)


def test_what_a_cluster_without_accounting_cannot_tell_is_listed(
    make_cluster: MakeCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = make_cluster(accounting=False)
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(one.ssh_config))
    config = Config(one, tmp_path)
    answer = config.check(account="anything")
    assert _ours(answer) == {}
    assert any(line.startswith("L04") and "accounting" in line for line in answer.skipped)
    one.kill("slurmctld")
    answer = config.check(mount=f"{config.home}/nowhere")
    assert set(_ours(answer)) == {"S03"}
    (line,) = [line for line in answer.skipped if "S07" in line]
    assert {"L03", "L09", "D24"} <= set(line.partition(":")[0].split(", "))
    assert answer.preflight["partitions"].startswith("not known")
    connection.close_all()


def test_a_launch_that_would_log_in_as_another_user_than_ssh_says_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "somebody")
    told = [line for line in config.check().warnings if f"execution.username={USER}" in line]
    assert len(told) == 1
    assert "somebody" in told[0]
    monkeypatch.setenv("USER", USER)
    assert not [line for line in config.check().warnings if "execution.username" in line]


def test_a_user_whom_the_cluster_refuses_is_told_which_one_ssh_would_take(reached: Cluster) -> None:
    with pytest.raises(ClusterError) as refused:
        connection.connection(f"somebody@{reached.alias}").run(["true"])
    assert f"execution.username={USER}" in refused.value.fix
