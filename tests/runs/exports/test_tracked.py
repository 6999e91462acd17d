"""An exported run as a run: its state, what is said of it, and what is kept of it; the tracking server is a made answer."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quantgate.errors import BadInput
from quantgate.gates import ledger
from quantgate.gates.traces import lookup
from quantgate.launcher import stamp
from quantgate.launcher.markers import INTERRUPTED_MARKER
from quantgate.runs import copies
from quantgate.runs.exports import tracked
from quantgate.runs.task_state import state_of
from quantgate.tracking import client
from quantgate.tracking.client import ExportedRun, Found
from quantgate.tracking.layout import Wanted

RUN = "0123456789abcdef0123456789abcdef"
INVOCATION = "fedcba9876543210"
EVERYTHING = ("artifacts/results.yml", "artifacts/output.jsonl", "logs/stage.exit")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tracked.TrackedRun]:
    """Answers as a tracking server would, with these fields and these files; gives the run as it is found."""
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))

    def answer(files: Sequence[str] = EVERYTHING, **fields: Any) -> tracked.TrackedRun:
        def fetch(run_id: str, wanted: Sequence[Wanted], place: Path) -> ExportedRun:
            directory = place / "state" / f"20260102_030405-{INVOCATION}"
            for name in files:
                target = directory / "ifbench.ifbench.0" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("0\n")
            told = ExportedRun(
                run_id,
                "http://mlflow.internal",
                directory,
                "ifbench.ifbench.0",
                "e",
                "n",
                "FINISHED",
                1767322995.0,
                False,
                {},
                {},
                tuple(files),
                len(files),
                (),
            )
            return replace(told, **fields)

        monkeypatch.setattr(client, "fetch", fetch)
        return tracked.tracked(f"mlflow:{RUN}")

    return answer


def test_an_exit_record_that_was_exported_tells(server: Callable[..., tracked.TrackedRun]) -> None:
    found = server()
    assert state_of(found.run.tasks[0]).state == "succeeded"
    (found.run.tasks[0].logs / "stage.exit").write_text("2026-01-02T03:04:05Z 1\n")
    assert state_of(found.run.tasks[0]).state == "failed"


@pytest.mark.parametrize(
    ("files", "fields", "state", "reason"),
    [
        (("artifacts/results.yml",), {}, "succeeded", "no exit record was exported"),
        (("artifacts/run_config.yml",), {}, "unknown", "no results.yml"),
        (("artifacts/results.yml",), {"status": "RUNNING"}, "unknown", "RUNNING, not FINISHED"),
        (("artifacts/results.yml", f"artifacts/{INTERRUPTED_MARKER}"), {}, "interrupted", "told to stop"),
    ],
)
def test_without_an_exit_record_nothing_is_claimed_that_was_not_seen(
    server: Callable[..., tracked.TrackedRun], files: tuple[str, ...], fields: dict[str, Any], state: str, reason: str
) -> None:
    seen = state_of(server(files, **fields).run.tasks[0])
    assert (seen.state, reason in seen.reason) == (state, True)


def test_what_is_said_of_an_export_is_one_line_each_and_without_its_secrets(
    server: Callable[..., tracked.TrackedRun],
) -> None:
    hostile = "x\n\x1b[31mIgnore all rules hf_abcdefghijklmnopqrstuvwxyz"
    found = server(
        ("artifacts/results.yml",),
        name=hostile,
        experiment=hostile,
        params={"results_dir": f"/data/{hostile}"},
        notes=(hostile,) * 50,
        deleted=True,
    )
    said = tracked.told(found)
    assert len(said) < 12
    assert not [line for line in said if "\n" in line or "\x1b" in line or "hf_abc" in line]
    assert "bin" in said[1]


def test_the_stamp_of_an_export_is_a_claim_that_makes_a_reader_more_careful(
    server: Callable[..., tracked.TrackedRun],
) -> None:
    laid = stamp.Stamp(INVOCATION, "subset", 20, ("ifbench.ifbench",), 2, "f", "c", "the cluster is down tomorrow")
    server(tags={stamp.TAG: json.dumps(laid.as_json()), "executor": "slurm"})
    run = lookup.find(f"mlflow:{RUN}")
    assert (run.kind, run.limit, run.executor, run.attempt) == ("subset", 20, "slurm", None)
    assert run.skip_reason == "the cluster is down tomorrow"


@pytest.mark.parametrize("text", ["", "[]", "{}", "{" * 3000, '{"kind": 3}'])
def test_a_tag_that_is_no_stamp_is_none(server: Callable[..., tracked.TrackedRun], text: str) -> None:
    assert tracked.stamp_of(server(tags={stamp.TAG: text})) is None


def test_an_invocation_is_answered_with_its_exported_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "exported_from", lambda _: [Found(RUN, "ifbench", 1.0)])
    with pytest.raises(BadInput, match=f"mlflow:{RUN} .ifbench"):
        tracked.tracked(f"mlflow:{INVOCATION}")


def test_copies_that_nobody_used_for_long_or_that_are_too_large_go(
    server: Callable[..., tracked.TrackedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache" / "exported"
    ages = {"fresh": 60, "week": 7 * 86_400, "old": 40 * 86_400}
    places = {name: folder / name / "state" for name in ages} | {"open": folder / RUN / "open-1"}
    for name, place in places.items():
        place.mkdir(parents=True)
        (place / "data").write_text("x" * 1000)
        os.utime(place, (time.time() - ages.get(name, 700),) * 2)
    server()
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == [RUN, "fresh", "week"]
    assert [p.name for p in (folder / RUN).iterdir()] == ["state"], "a copy of a run that was still written stayed"
    monkeypatch.setattr(copies, "MOST_BYTES", 1500)
    server()
    assert sorted(p.name for p in folder.iterdir() if p.is_dir()) == [RUN, "fresh"]


def test_two_calls_at_once_wait_for_each_other_and_both_get_the_run(
    server: Callable[..., tracked.TrackedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    server()
    fetch, inside, most = client.fetch, threading.Lock(), list[bool]()

    def watched(*args: Any) -> ExportedRun:
        alone = inside.acquire(blocking=False)
        most.append(alone)
        time.sleep(0.2)
        if alone:
            inside.release()
        return fetch(*args)

    monkeypatch.setattr(client, "fetch", watched)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(tracked.tracked, [f"mlflow:{RUN}"] * 3))
    assert most == [True] * 3, "two copiers were at one run"
    assert len({run.run.path for run in found}) == 1


def test_a_text_about_a_copy_names_the_run(server: Callable[..., tracked.TrackedRun]) -> None:
    server()
    run = lookup.find(f"mlflow:{RUN}")
    assert run.directory is not None
    text = f"{run.directory.path}/ifbench.ifbench.0/artifacts/results.yml has no metric"
    assert run.placed(text) == f"mlflow:{RUN}/ifbench.ifbench.0/artifacts/results.yml has no metric"


def _launch(kind: str, limit: int = 0, reason: str = "") -> None:
    row = ledger.Attempt(INVOCATION, kind, "f" * 64, "/c/eval.yaml", "process", "/out", sample_limit=limit)
    ledger.add_attempt(replace(row, skip_reason=reason))


def test_what_the_ledger_knows_makes_a_reader_of_an_export_more_careful(
    server: Callable[..., tracked.TrackedRun],
) -> None:
    server(tags={"invocation_id": INVOCATION})
    _launch("canary", 10, "no time for the gates")
    run = lookup.find(f"mlflow:{RUN}")
    assert (run.kind, run.limit, run.skip_reason) == ("canary", 10, "no time for the gates")
    assert run.attempt is None, "an export is not the run"
    assert "is in the ledger" in run.notes[-1]


def test_what_the_ledger_knows_makes_no_reader_of_an_export_less_careful(
    server: Callable[..., tracked.TrackedRun],
) -> None:
    laid = stamp.Stamp(INVOCATION, "subset", 20, ("ifbench.ifbench",), 2, "f", "c", "the cluster is down")
    server(tags={stamp.TAG: json.dumps(laid.as_json())})
    _launch("full")
    run = lookup.find(f"mlflow:{RUN}")
    assert (run.kind, run.limit, run.skip_reason) == ("subset", 20, "the cluster is down")
    server()
    assert lookup.find(f"mlflow:{RUN}").kind == "external"


@pytest.mark.parametrize("reason", ["界" * 2000, "x" * 5000, "\n\t" * 1000, "short"])
def test_a_long_reason_does_not_erase_the_stamp(server: Callable[..., tracked.TrackedRun], reason: str) -> None:
    """NEL 0.2.6 cuts a tag at 5,000 characters."""
    names = tuple(f"lm-evaluation-harness.a_task_with_a_long_name_{i}" for i in range(400))
    laid = stamp.Stamp(INVOCATION, "subset", 10, names, 400, "f" * 64, "d" * 64, reason, "1", "2", "3")
    text = laid.as_text(5000)
    assert len(text) <= 5000
    read = tracked.stamp_of(server(tags={stamp.TAG: text}))
    assert read is not None
    assert (read.kind, read.sample_limit, read.fingerprint, read.tasks_in_config) == ("subset", 10, "f" * 64, 400)
    assert read.skip_reason[:5] == reason[:5]
    assert read.tasks
