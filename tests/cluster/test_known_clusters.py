"""clusters.yaml in ModelOpt's format and places."""

from __future__ import annotations

from pathlib import Path

import pytest

from quantgate.cluster import hosts, known_clusters
from quantgate.errors import BadInput

ENTRY = """clusters:
  dgx:
    login_node: login.example.com
    user: me
    ssh_key: ~/.ssh/other
    workspace: /lustre/me
    gpu_type: H100
    slurm: {default_account: team, default_partition: batch}
    colour: blue
default_cluster: dgx
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(tmp_path / "ssh_config"))
    (tmp_path / "ssh_config").write_text("Host alias\n", "utf-8")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def test_an_entry_is_read_with_what_was_not_understood(home: Path) -> None:
    _write(home / ".config/modelopt/clusters.yaml", ENTRY)
    (found,) = known_clusters.read()
    assert (found.name, found.host, found.workspace, found.gpu_type) == (
        "dgx",
        "me@login.example.com",
        "/lustre/me",
        "H100",
    )
    assert found.slurm == {"default_account": "team", "default_partition": "batch"}
    assert found.notes == ("unknown key 'colour'",)


def test_the_users_own_file_wins_over_the_projects(home: Path) -> None:
    _write(home / ".config/modelopt/clusters.yaml", ENTRY)
    _write(home / "project/.agents/clusters.yaml", "clusters: {dgx: {login_node: other}, lab: {login_node: lab}}")
    assert {c.name: c.login_node for c in known_clusters.read()} == {"dgx": "login.example.com", "lab": "lab"}


@pytest.mark.parametrize(
    "text", ["clusters: [1]", "clusters: {a: {}}", "clusters: {a: {login_node: 5}}", "a: [", "clusters: &a [*a]"]
)
def test_a_broken_file_is_an_error_that_names_it(home: Path, text: str) -> None:
    _write(home / ".config/modelopt/clusters.yaml", text)
    with pytest.raises(BadInput, match=r"clusters\.yaml"):
        known_clusters.read()


def test_a_host_is_known_from_either_file_or_not_at_all(home: Path) -> None:
    _write(home / ".config/modelopt/clusters.yaml", ENTRY)
    assert hosts.find("dgx").address == "me@login.example.com"
    assert hosts.find("login.example.com", user="you").address == "you@login.example.com"
    assert hosts.find("login.example.com").known_from.endswith("clusters.yaml")
    assert hosts.find("alias", user="me") == hosts.Host("me@alias", str(home / "ssh_config"))
    assert hosts.find("elsewhere").known_from == ""


def test_a_project_s_file_gives_names_and_makes_no_host_known(home: Path) -> None:
    """It comes with a repository, and an agent can write it."""
    text = "clusters: {lab: {login_node: lab.example, user: me}, b: {login_node: alias}, c: {login_node: login.example.com}}"
    _write(home / "project/.agents/clusters.yaml", text)
    _write(home / ".config/modelopt/clusters.yaml", ENTRY)
    assert (hosts.find("lab").address, hosts.find("lab").known_from) == ("me@lab.example", "")
    assert hosts.find("b").known_from == str(home / "ssh_config")
    assert hosts.find("c").known_from == str(home / ".config/modelopt/clusters.yaml")


def test_what_plain_ssh_would_not_do_is_said(home: Path) -> None:
    _write(home / ".config/modelopt/clusters.yaml", ENTRY)
    said = hosts.differences(hosts.find("dgx"))
    assert len(said) == 1
    assert "IdentityFile ~/.ssh/other" in said[0]
