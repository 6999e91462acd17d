"""What a client reads by address: documents, launches and the configs they were made with, in both generations of the protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from mcp import Client
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS

from quantgate import shipped
from quantgate.benchmarks.recipes import load_recipes
from quantgate.errors import UnknownName
from quantgate.gates import ledger
from quantgate.launcher import execdb
from quantgate.redact import MASK
from quantgate.server.resources import runs
from quantgate.server.resources.answered import answered
from tests.gates import real_launches
from tests.server.in_memory import MODES, read, with_client

INVOCATION = "5f3c9a1e7b2d4860"


def _launched(invocation: str = INVOCATION, **changes: Any) -> None:
    values: dict[str, Any] = {
        "invocation_id": invocation,
        "kind": "canary",
        "fingerprint": "f" * 64,
        "config": "/configs/eval.yaml",
        "executor": "process",
        "output_dir": "/nowhere",
        "outcome": "launched",
        "created": 1_700_000_000.0,
        **changes,
    }
    ledger.add_attempt(ledger.Attempt(**values))


def _recorded(config: dict[str, Any], invocation: str = INVOCATION) -> None:
    """A line of NEL's own record, with the fields in NEL's order."""
    file = execdb.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    row = {
        "invocation_id": invocation,
        "job_id": f"{invocation}.0",
        "timestamp": 1_700_000_000.0,
        "executor": "process",
        "data": {"output_dir": "/nowhere/task.0"},
        "config": config,
    }
    with file.open("a") as lines:
        lines.write(json.dumps(row) + "\n")


def _refusal(mode: Any, uri: str) -> MCPError:
    async def use(client: Client) -> MCPError:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
        return refused.value

    error: MCPError = with_client(mode, use)
    return error


@MODES
def test_every_kind_is_listed_and_has_a_template(mode: str) -> None:
    listed = with_client(mode, lambda client: client.list_resources()).resources
    templates = with_client(mode, lambda client: client.list_resource_templates()).resource_templates
    assert {r.uri for r in listed} == {
        f"quantgate://{kind}" for kind in ("recipes", "references", "skills", "runs", "reports")
    }
    assert {t.uri_template for t in templates} == {
        "quantgate://recipes/{name}",
        "quantgate://references/{name}",
        "quantgate://skills/{name}",
        "quantgate://runs/{invocation_id}",
        "quantgate://runs/{invocation_id}/config",
        "quantgate://reports/{report_id}",
        "quantgate://reports/{report_id}.md",
    }
    assert all(entry.title and entry.description and entry.mime_type for entry in [*listed, *templates])


@MODES
def test_every_recipe_reference_and_skill_that_ships_is_read_as_it_is(mode: str) -> None:
    async def use(client: Client) -> dict[str, str]:
        texts = {}
        for kind in ("recipes", "references", "skills"):
            (listed,) = (await client.read_resource(f"quantgate://{kind}")).contents
            for row in json.loads(listed.text)[kind]:
                assert row["heading"], row
                (content,) = (await client.read_resource(row["uri"])).contents
                assert content.mime_type == "text/markdown"
                texts[row["uri"]] = content.text
        return texts

    texts = with_client(mode, use)
    assert {f"quantgate://recipes/{name}" for name in load_recipes()} <= texts.keys()
    assert len(texts) == sum(
        len(list(shipped.root().glob(pattern)))
        for pattern in ("recipes/tasks/*.md", "references/*.md", "skills/*/*.md")
    )
    assert texts["quantgate://recipes/gpqa"] == (shipped.recipes_dir() / "tasks" / "gpqa.md").read_text()
    assert "name: evaluation" in texts["quantgate://skills/evaluation"]
    assert "# Set up a Slurm cluster" in texts["quantgate://skills/slurm-setup"]


@MODES
@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("quantgate://recipes/mmlu", "one of aa_lcr"),
        ("quantgate://references/..%2FSKILL", "Unknown resource"),
        ("quantgate://skills/evaluation%2FSKILL", "Unknown"),
        ("quantgate://runs/abcd", "canary(config=…) starts the first"),
        ("quantgate://runs/..%2Fledger/config", "Unknown"),
        ("quantgate://runs/NOT-AN-ID/config", "Unknown run"),
        ("quantgate://nothing", "Unknown resource"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(mode: str, uri: str, says: str) -> None:
    error = _refusal(mode, uri)
    assert says in error.message
    assert error.code == INVALID_PARAMS


@MODES
def test_the_list_of_runs_and_each_record_say_what_the_ledger_says(mode: str) -> None:
    _launched("aaaa000011112222", kind="full", config="/configs/other.yaml")
    _launched(sample_limit=10, tasks=("ifbench.ifbench",), skip_reason="token: hf_" + "a" * 30)
    ledger.put_gate(ledger.Gate("f" * 64, "dry_run", True))
    ledger.put_gate(ledger.Gate("f" * 64, "canary", False, ("no answers",), invocation_id=INVOCATION))
    ledger.add_resume(INVOCATION, ["ifbench.ifbench"])
    rows = json.loads(read(mode, "quantgate://runs").text)
    assert [row["invocation_id"] for row in rows["runs"]] == [INVOCATION, "aaaa000011112222"]
    assert rows["omitted"] == 0
    record = json.loads(read(mode, rows["runs"][0]["uri"]).text)
    assert record["launched"] == "2023-11-14T22:13:20+00:00"
    assert (record["sample_limit"], record["tasks"]) == (10, ["ifbench.ifbench"])
    assert [(g["gate"], g["passed"], g["reasons"]) for g in record["gates"]] == [
        ("dry_run", True, []),
        ("canary", False, ["no answers"]),
    ]
    assert [r["number"] for r in record["resumes"]] == [1]
    assert MASK in record["skip_reason"]
    assert record["next_step"].startswith(f"status(invocation_ids=['{INVOCATION}'])")
    assert json.loads(read(mode, f"quantgate://runs/{INVOCATION[:6]}").text)["invocation_id"] == INVOCATION


@MODES
def test_the_list_of_runs_is_bounded_and_says_how_many_it_left_out(mode: str) -> None:
    for number in range(60):
        _launched(f"{number:016x}")
    rows = json.loads(read(mode, "quantgate://runs").text)
    assert (len(rows["runs"]), rows["omitted"]) == (50, 10)
    assert rows["runs"][0]["invocation_id"] == f"{59:016x}"


@MODES
def test_the_config_of_a_run_is_given_whole_and_without_its_secrets(mode: str) -> None:
    secret = "plainly-written-secret"
    config = {
        "target": {"api_endpoint": {"url": "http://127.0.0.1:1/v1", "api_key_name": "MY_API_KEY"}},
        "evaluation": {
            "env_vars": {"JUDGE_API_KEY": f"lit:{secret}", "HF_TOKEN": "host:HF_TOKEN"},
            "pre_cmd": f"login --password {secret}",
            # Too short to be told by its shape: only its name says what it is.
            "registry": {"user": "me", "password": "abc12"},
        },
    }
    _launched()
    _recorded({"old": True})
    _recorded(config)
    _recorded({"other": "run"}, "aaaa000011112222")
    content = read(mode, f"quantgate://runs/{INVOCATION}/config")
    assert content.mime_type == "application/yaml"
    assert secret not in content.text
    shown = yaml.safe_load(content.text)
    assert shown["target"] == config["target"]
    assert shown["evaluation"]["registry"] == {"user": "me", "password": MASK}
    assert shown["evaluation"]["env_vars"] == {"JUDGE_API_KEY": f"lit:{MASK}", "HF_TOKEN": "host:HF_TOKEN"}


@MODES
def test_a_run_of_plain_nel_has_a_record_and_a_config_too(mode: str) -> None:
    _recorded({"evaluation": {"tasks": [{"name": "ifbench.ifbench"}]}})
    record = json.loads(read(mode, f"quantgate://runs/{INVOCATION}").text)
    assert (record["kind"], record["executor"]) == ("external", "process")
    assert "ifbench" in read(mode, record["config_uri"]).text


def test_a_run_of_which_nel_recorded_no_config_names_the_file_it_was_launched_with() -> None:
    _launched()
    error = _refusal("auto", f"quantgate://runs/{INVOCATION}/config")
    assert error.code == INTERNAL_ERROR
    assert "/configs/eval.yaml" in error.message


def test_a_record_that_is_damaged_hides_nothing_and_a_huge_config_is_refused() -> None:
    _launched()
    execdb.path().parent.mkdir(parents=True, exist_ok=True)
    execdb.path().write_text(
        f'{{"invocation_id": "{INVOCATION}", "config": {{"half\nnot json at all "{INVOCATION}"\n[1]\n'
    )
    assert "recorded no config" in _refusal("auto", f"quantgate://runs/{INVOCATION}/config").message
    _recorded({"text": "x" * 300_000})
    assert "more than" in _refusal("auto", f"quantgate://runs/{INVOCATION}/config").message


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[real_launches.Stage]:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    http = real_launches.endpoint()
    made = real_launches.made(tmp_path, http.server_port)
    yield made
    made.end()
    http.shutdown()
    http.server_close()


def test_the_config_of_a_real_launch_is_the_composed_one_with_the_canary_s_limit(stage: real_launches.Stage) -> None:
    status, result, said = stage.ask(samples=3)
    assert status == 0, said
    shown = yaml.safe_load(read("auto", f"quantgate://runs/{result['invocation_id']}/config").text)
    params = shown["evaluation"]["nemo_evaluator_config"]["config"]["params"]
    assert (params["max_new_tokens"], params["limit_samples"]) == (64, 3)
    # What no file of the user's says: a default of NEL's.
    assert "deployment" in shown
    assert "defaults" not in shown


def test_what_others_wrote_into_the_ledger_hides_nothing_and_a_secret_is_not_halved() -> None:
    secret = "hf_" + "a1" * 10
    _launched(config="/configs/\u202eeval.yaml", error="x" * (runs.MOST_TEXT - 9) + " " + secret, outcome="failed")
    record = runs._entry(INVOCATION)
    assert record["config"] == "/configs/\\u202eeval.yaml"
    assert "hf_a" not in record["error"]


def test_a_refusal_hides_nothing() -> None:
    def refused() -> None:
        raise UnknownName("run", "\x9bx", fix="look")

    with pytest.raises(ResourceNotFoundError, match=r"\\x9bx"):
        answered(refused)
