"""Hostile strings through every door to a cluster, with a real sshd and shell on the other side.

Each is refused with a named error, or arrives as literally that string: a file that it would make there must not appear.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantgate.cluster import (
    control,
    folder,
    hosts,
    launches,
    listing,
    preflight,
    proxy,
    scheduler,
    squash_import,
    ssh_settings,
)
from quantgate.cluster.connection import Connection, connection
from quantgate.errors import BadInput, QuantgateError
from quantgate.gates.questions import hosts as permitted
from tests.integration.slurm.cluster import Cluster
from tests.integration.slurm.conftest import cluster, images, reached  # noqa: F401 - fixtures

ROWS: dict[str, str] = {
    name: text
    for rows in yaml.safe_load(Path(__file__).with_name("hostile.yaml").read_text(encoding="utf-8")).values()
    for name, text in rows.items()
}
ID = "0123456789abcdef"
HERE = "/etc/ssl"
"""A directory with little in it, on the other side."""
SENT = ("substitution", "single_quote", "double_quote", "option", "redirect", "glob")
"""Strings that may be asked for: everything else is refused before anything is sent."""
RUN = f"/tmp/20260101_000000-{ID}"

DOORS: dict[str, Callable[[Connection, list[str]], Any]] = {
    "a run's directory": lambda to, texts: [_tried(listing.list_run, to, t, ".", ["*.yml"]) for t in texts],
    "a task's directory": lambda to, texts: [_tried(listing.list_run, to, HERE, t, ["*.yml"]) for t in texts],
    "name patterns": lambda to, texts: _tried(listing.list_run, to, HERE, ".", texts),
    "a checkpoint": lambda to, texts: [_tried(folder.list_folder, to, t) for t in texts],
    "directories to look at": lambda to, texts: scheduler.look(to, texts, texts),
    "paths of a config": lambda to, texts: preflight.look(to, [("output", t) for t in texts]),
    "output directories": lambda to, texts: launches.search(to, {f"{ID[:-1]}{n}": t for n, t in enumerate(texts)}),
    "invocations": lambda to, texts: launches.search(to, dict.fromkeys(texts, HERE)),
    "tasks to cancel": lambda to, texts: control.cancel(to, RUN, texts, stamp=texts[0]),
    "tasks to resume": lambda to, texts: _tried(control.resubmit, to, RUN, texts, stamp=texts[0]),
    "an image": lambda to, texts: [_tried(_import, to, t, "/proc/no/x.sqsh") for t in texts],
    "a squash file": lambda to, texts: [_tried(_import, to, "image", f"/proc/{t}") for t in texts],
}


def _import(to: Connection, image: str, target: str) -> Any:
    return squash_import.begin(to, image, image, target, squash_import.Allocation())


def _tried(call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """What is not there may be said in a refusal's words."""
    with contextlib.suppress(QuantgateError):
        call(*arguments, **named)


def _hostile(name: str, canary: Path) -> str:
    text = ROWS[name].replace("@CANARY@", str(canary)).replace("@WORD@", "--injected")
    return "x" * 100_000 if text == "@LONG@" else text


@pytest.mark.parametrize("door", DOORS)
def test_no_string_runs_anything_on_a_cluster(door: str, reached: Cluster) -> None:  # noqa: F811
    canary = reached.home / "canary"
    DOORS[door](connection(reached.alias), [_hostile(name, canary) for name in SENT])
    assert not canary.exists()


def test_arguments_arrive_as_literally_those_strings(reached: Cluster) -> None:  # noqa: F811
    texts = [_hostile(name, reached.home / "canary") for name in ROWS if name not in ("nul", "long")]
    done = connection(reached.alias).run(["printf", "%s\\0", *texts])
    assert done.out.split("\0")[:-1] == texts


@pytest.mark.parametrize("name", ["line", "together", "return", "nul", "escape", "dash", "long_dash", "long"])
def test_what_no_program_should_be_given_is_refused_before_anything_is_sent(name: str, tmp_path: Path) -> None:
    nobody: Any = _Nobody()
    text = _hostile(name, tmp_path / "canary")
    for call in (
        lambda: listing.list_run(nobody, text, ".", []),
        lambda: listing.list_run(nobody, HERE, text, []),
        lambda: folder.list_folder(nobody, text),
        lambda: scheduler.look(nobody, [text]),
        lambda: preflight.look(nobody, [("file", text)]),
        lambda: launches.search(nobody, {ID: text}),
        lambda: launches.search(nobody, {text: HERE}),
        lambda: control.resubmit(nobody, RUN, [text]),
        lambda: control.cancel(nobody, RUN, [text]),
        lambda: _import(nobody, text, "/x.sqsh"),
        lambda: _import(nobody, "image", text),
    ):
        with pytest.raises(BadInput):
            call()


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ("full_width", "glob")])
def test_an_allocation_of_an_import_is_plain_words(name: str, tmp_path: Path) -> None:
    nobody: Any = _Nobody()
    text = _hostile(name, tmp_path / "canary")
    for allocation in (
        squash_import.Allocation(account=text),
        squash_import.Allocation(partition=text),
        squash_import.Allocation(time=text),
    ):
        with pytest.raises(BadInput, match=r"no (account|partition|time limit) of Slurm"):
            squash_import.begin(nobody, "i", "i", "/x.sqsh", allocation)


@pytest.mark.parametrize("name", [n for n in ROWS if n not in ("full_width", "spaces")])
def test_no_host_is_asked_of_ssh_that_a_shell_would_take_apart(name: str, tmp_path: Path) -> None:
    text = _hostile(name, tmp_path / "canary")
    for host in (text, f"me@{text}", f"{text}@host"):
        with pytest.raises(BadInput):
            ssh_settings.resolve(host)
    if name != "long":
        with pytest.raises(BadInput):
            proxy.command_line("nc %h %p", text, 22, "me")
    assert not (tmp_path / "canary").exists()


def test_a_match_line_of_ssh_config_runs_nothing_of_a_hosts_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(f'Match exec "echo %n >> {tmp_path}/asked"\n    User matched\n', encoding="utf-8")
    monkeypatch.setenv("QUANTGATE_SSH_CONFIG", str(config))
    assert ssh_settings.resolve("plain-host").user == "matched"
    for name in ROWS:
        with pytest.raises(BadInput):
            ssh_settings.resolve(f"h{_hostile(name, tmp_path / 'canary')}" + "$")
    assert (tmp_path / "asked").read_text().split() == ["plain-host"]


class _Nobody:
    """Stands for a connection over which nothing may be sent."""

    host = "nobody"


class _Planned:
    """Stands for a plan: its composed config is all that is looked at."""

    def __init__(self, path: Path, **execution: str) -> None:
        self.path = path
        self.config = {"execution": {"hostname": "login", "username": "me", "output_dir": "/scratch", **execution}}


@pytest.mark.parametrize("key", ["hostname", "username", "output_dir"])
@pytest.mark.parametrize("name", list(ROWS))
def test_the_launcher_is_given_plain_hosts_users_and_directories_only(key: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "eval.yaml"
    path.write_text("execution: {username: me}\n", encoding="utf-8")
    planned: Any = _Planned(path, **{key: _hostile(name, tmp_path / "canary")})
    with pytest.raises(BadInput, match=f"execution.{key}"):
        permitted.target(planned)
    assert hosts.find("login").known_from == ""
