"""The stand-ins write files that quantgate's own readers take for the real harnesses', and results that follow from them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from quantgate.benchmarks import catalogue
from quantgate.launcher import harness_env, harnesses
from quantgate.results.readers.ifbench import read_ifbench
from quantgate.results.readers.nemo_skills import read_nemo_skills
from quantgate.results.readers.simple_evals import read_simple_evals
from quantgate.runs.rundir import TaskDir

from .harness import asking, endpoint, environment, ifbench, ns, output, questions, simple_evals

MODEL = "small"


@pytest.fixture
def serve() -> Iterator[Any]:
    """Starts a stand-in endpoint with the settings given; its URL."""
    servers = []

    def start(**settings: Any) -> str:
        shown = endpoint.Settings(port=0, model=MODEL, **settings)
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (endpoint._Handler,), {"settings": shown}))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1/chat/completions"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _run(main: Any, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["program", *words])
    main()


def _task(folder: Path, name: str) -> TaskDir:
    return TaskDir(folder, name, 0, folder / "logs", folder)


def test_ns_writes_one_file_a_repeat_and_its_score_is_that_of_the_rows(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "eval",
        f"--server_address={serve()}",
        f"--model={MODEL}",
        "--benchmarks=gpqa:4",
        f"--output_dir={tmp_path}",
    ]
    _run(ns.main, monkeypatch, *words, "++max_samples=12", "++max_concurrent_requests=1")
    table = read_nemo_skills(_task(tmp_path, "nemo_skills.ns_gpqa"), "gpqa_pass@1[avg-of-4]_symbolic_correct")
    assert table is not None
    assert (len(table.rows), table.problems) == (48, ())
    ((value, _),) = output.of_ns(tmp_path)["gpqa"]["pass@1[avg-of-4]"].values()
    assert table.mean() == pytest.approx(value)
    assert 0 < value < 100


def test_simple_evals_writes_a_report_whose_sections_give_its_score(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mmlu_pro"
    words = ["--model", MODEL, "--eval_name", "mmlu_pro", "--url", serve(), "--out_dir", str(folder), "--first_n", "30"]
    _run(simple_evals.main, monkeypatch, *words)
    table = read_simple_evals(_task(tmp_path, "simple_evals.mmlu_pro"))
    assert table is not None
    assert (len(table.rows), table.problems) == (30, ())
    value, stats = output.of_simple_evals(tmp_path)["mmlu_pro"]["score"]["micro"]
    assert table.mean() == pytest.approx(value)
    assert stats["stderr"] > 0


def test_ifbench_writes_answers_and_verdicts_that_belong_together(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--model-url", serve(), "--model-name", MODEL, "--results-dir", str(tmp_path), "--limit", "20"]
    _run(ifbench.main, monkeypatch, *words)
    table = read_ifbench(_task(tmp_path, "ifbench.ifbench"))
    assert table is not None
    assert (len(table.rows), table.problems) == (20, ())
    value, _ = output.of_ifbench(tmp_path)["ifbench"]["loose:prompt-level"]["loose:prompt-level"]
    assert table.mean() == pytest.approx(value)


def test_a_judge_that_refuses_the_key_ends_the_harness_with_401(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [
        "--model",
        MODEL,
        "--eval_name",
        "AIME_2025",
        "--url",
        serve(),
        "--out_dir",
        str(tmp_path / "a"),
        "--first_n",
        "9",
    ]
    judge = ["--judge_url", serve(refuses=401).removesuffix("/chat/completions"), "--judge_model_id", "judge"]
    with pytest.raises(asking.AuthenticationError, match="Error code: 401"):
        _run(simple_evals.main, monkeypatch, *words, *judge)
    assert not (tmp_path / "a").exists()


def test_the_endpoint_cuts_answers_at_the_limit_and_gives_the_same_answer_again(serve: Any) -> None:
    url = serve(tokens=60)
    short = asking.Asked(url, MODEL, max_tokens=10).one(questions.text("gpqa", 1))
    assert (short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 10)
    assert questions.chosen(short["choices"][0]["message"]["content"]) == ""
    asked = asking.Asked(url, MODEL)
    first, second = (asked.one(questions.text("gpqa", 1), seed)["choices"] for seed in (1, 1))
    assert first == second
    share = asking.correct("gpqa", asking.Asked(serve(accuracy={"*": 0.8}), MODEL).all("gpqa", 150))
    assert sum(share) / 150 == pytest.approx(0.8, abs=0.1)


def test_a_refusal_of_the_request_is_not_asked_again_and_tells_the_servers_words(serve: Any) -> None:
    with pytest.raises(asking.BadRequestError, match=r"limit of 4096 completion tokens. Read me"):
        asking.Asked(serve(most_tokens=4096, note="Read me"), MODEL, max_tokens=8192).one("hello")


@pytest.mark.parametrize(("harness", "task"), [("simple_evals", "mmlu_pro"), ("ifbench", "ifbench")])
def test_a_stand_in_lies_where_the_process_executor_looks_and_has_the_real_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harness: str, task: str
) -> None:
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path))
    place = environment.install(harness, tmp_path)
    assert harness_env.installed(harnesses.require_wheel(harness)) == place
    (framework,) = place.glob("lib/python3*/site-packages/core_evals/*/framework.yml")
    import yaml

    known = {row["name"] for row in yaml.safe_load(framework.read_text("utf-8"))["evaluations"]}
    assert task in known
    assert catalogue.load_catalogue().resolve(f"{harness}.{task}").harness == harness


def test_the_stand_in_for_vllm_refuses_a_quantization_that_is_not_the_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from .harness import vllm

    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "modelopt"}}), "utf-8")
    with pytest.raises(SystemExit, match="does not match the quantization method"):
        _run(vllm.main, monkeypatch, "serve", str(tmp_path), "--quantization", "fp8")
