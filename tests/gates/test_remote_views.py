"""Which hosts are asked of runs on clusters, and what a person's yes to a look allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import Refused
from quantgate.gates.cancel import remote_cancelling
from quantgate.gates.judgement import judging
from quantgate.gates.permission import consent
from quantgate.gates.planning import plan
from quantgate.gates.resume import remote_resuming
from quantgate.gates.traces import lookup, remote_views
from quantgate.runs.clusters import looking, remote_status
from quantgate.runs.clusters.remote import RemoteRun
from quantgate.tools.grep_slurm_logs import grep_slurm_logs
from quantgate.tools.logs import logs
from quantgate.tools.status import status

from .launches import write_config
from .made_remote import HOST, ID, ROOT, attempt, told

ADDRESS = f"{HOST}:{ROOT}"
LOOK = ("look at host", HOST)


@pytest.fixture(autouse=True)
def _nobody_said_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consent, "_lasting", set())


def test_a_yes_to_a_look_allows_a_look_and_no_change() -> None:
    run = lookup.find(ADDRESS)
    assert remote_views.forbidden(run)
    with consent.given([LOOK]):
        assert not remote_views.forbidden(run)
        assert remote_views.forbidden(run, to_change=True)
        with pytest.raises(Refused, match="may not be contacted"):
            remote_cancelling.cancel(run, [])
    with consent.given([("host", HOST)]):
        assert not remote_views.forbidden(run, to_change=True)


@pytest.mark.parametrize("call", [remote_views.require, lambda run: remote_views.require_one([run])])
def test_the_yes_lasts(call: Callable[[lookup.Run], None]) -> None:
    run = lookup.find(ADDRESS)
    with consent.given([LOOK]):
        call(run)
    assert not remote_views.forbidden(run)


def test_one_host_that_may_be_asked_is_enough_to_go_on() -> None:
    closed, own = lookup.find(ADDRESS.replace("unheard", "other")), lookup.run_of(attempt())
    remote_views.require_one([closed, own])
    assert remote_views.forbidden(closed)


@pytest.mark.parametrize("call", [logs, grep_slurm_logs, lambda address: status([address])])
def test_a_host_that_nobody_named_is_asked_for(call: Callable[[str], Any]) -> None:
    with pytest.raises(consent.ConsentNeeded) as needed:
        call(ADDRESS)
    assert [q.token for q in needed.value.questions] == [LOOK]


def test_the_host_of_a_launch_is_its_own_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    run = lookup.run_of(attempt())
    assert not remote_views.forbidden(run, to_change=True)
    moved = replace(run, remote=RemoteRun("me@evil.example", ROOT))
    assert remote_views.forbidden(moved)
    monkeypatch.setattr(looking, "forget", lambda _: None)
    with pytest.raises(Refused, match="may not be contacted"):
        remote_resuming.resume(moved, [])
    monkeypatch.setattr(remote_status, "see", lambda *_: remote_status.Seen((told("failed"),)))
    assert judging.view(moved).state == "unknown"
    assert judging.view(run).state == "failed"
    assert run.invocation_id == ID


def test_a_filtered_launch_has_the_expected_samples_of_its_own_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "eval.yaml"
    write_config(config, tmp_path / "results", tasks=("ifbench.ifbench", "ifbench.ifbench_aa_v2"))
    planned = plan.read(str(config))
    kept = planned.tasks[1]
    made = attempt(config=str(config), fingerprint=planned.fingerprint, tasks=(kept.name,), sample_limit=3)
    content = config.read_text()
    config.unlink()
    assert remote_views._expected(made) == {}
    config.write_text(content)
    assert remote_views._expected(made) == {}, "many runs may share a config: it is not tried again at once"
    monkeypatch.setattr(remote_views, "AGAIN_SECONDS", 0.0)
    remote_views._tried_again.clear()
    # NEL numbers the tasks of a filtered launch anew.
    assert remote_views._expected(made) == {"ifbench.ifbench_aa_v2.0": 3 * kept.repeats}
