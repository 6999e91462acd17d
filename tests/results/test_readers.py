from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from quantgate.errors import BadInput
from quantgate.results import jsonl
from quantgate.results.jsonl import JsonFields, JsonStream, read_jsonl
from quantgate.results.metrics_file import read_metrics
from quantgate.results.results_yml import load_yaml, read_results
from quantgate.results.run_config import read_run_config
from quantgate.results.samples import has_reader, read_samples
from quantgate.runs.rundir import RunDir

from ..runs.building import REAL, real_copy
from .building import edit_rows

TASK = RunDir.find(REAL).tasks[0]


def test_a_question_of_ifbench_is_the_hash_of_its_prompt_in_the_order_of_the_answers() -> None:
    table = read_samples(TASK, "ifbench")
    assert table is not None
    prompts = [json.loads(line)["prompt"] for line in (TASK.artifacts / "output.jsonl").read_text().splitlines()]
    assert [r.question_id for r in table.rows] == [hashlib.sha256(p.encode()).hexdigest()[:16] for p in prompts]
    assert {r.repeat for r in table.rows} == {0}
    assert table.mean() == 0.05


def test_the_two_modes_of_ifbench_are_two_tables(tmp_path: Path) -> None:
    task = real_copy(tmp_path).tasks[0]
    edit_rows(task.artifacts / "eval_results_strict.jsonl", lambda i, row: {**row, "follow_all_instructions": False})
    strict, loose = (
        read_samples(task, "ifbench", "strict:prompt-level"),
        read_samples(task, "ifbench", "loose:prompt-level"),
    )
    assert strict is not None
    assert loose is not None
    assert (strict.mean(), loose.mean()) == (0.0, 0.05)


def test_the_order_of_the_verdicts_does_not_matter(tmp_path: Path) -> None:
    task = real_copy(tmp_path).tasks[0]
    path = task.artifacts / "eval_results_loose.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert read_samples(task, "ifbench") == read_samples(TASK, "ifbench")


def test_a_verdict_without_an_answer_is_a_problem(tmp_path: Path) -> None:
    task = real_copy(tmp_path).tasks[0]
    path = task.artifacts / "output.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    table = read_samples(task, "ifbench")
    assert table is not None
    assert table.problems == ("eval_results_loose.jsonl scores 1 prompts that output.jsonl does not have",)


@pytest.mark.parametrize(
    ("response", "empty"), [("", True), ("\n\t ", True), (None, True), (["x"], True), ("x", False)]
)
def test_an_answer_of_white_space_or_none_is_empty(tmp_path: Path, response: object, empty: bool) -> None:
    task = real_copy(tmp_path).tasks[0]
    edit_rows(task.artifacts / "output.jsonl", lambda i, row: {**row, "response": response})
    table = read_samples(task, "ifbench")
    assert table is not None
    assert {r.empty for r in table.rows} == {empty}


def test_a_harness_without_a_reader_has_no_table() -> None:
    assert not has_reader("garak")
    assert read_samples(TASK, "garak") is None


@pytest.mark.parametrize("metric", ["accuracy", "medium:prompt-level", "loose"])
def test_a_metric_that_ifbench_does_not_have_has_no_table(metric: str) -> None:
    assert read_samples(TASK, "ifbench", metric) is None


def test_bad_lines_are_counted_and_the_good_ones_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n[1]\nnot json\n\n{"a": NaN}\n\xff\xfe\n' + b"[" * 5000 + b'\n{"a": 2')
    lines = read_jsonl(path)
    assert len(lines.rows) == 2
    assert lines.bad == 5
    assert lines.problems[0] == "x.jsonl:2 is not a JSON object"
    assert lines.problems[-1] == "x.jsonl:8 is cut off"


def test_a_line_without_an_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 1000)
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n{"b": "' + b"x" * 5000)
    lines = read_jsonl(path)
    assert len(lines.rows) == 1
    assert "longer than" in lines.problems[0]


def test_chosen_values_of_a_file_are_those_of_its_objects(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b'{"a": 1, "b": {"c": [1, 2]}, "a,b": true}\n\n{"a": NaN, "b": "\\ud800"}\n'
        b'{"b": null, "c": 123456789012345678901234567890}\n'
        b'{"a": 2\n["a"]\n{"a": 123456789012345678901234567890}\n{"a": "\xff"}\n{"a": 3'
    )
    for names in (("a", "b", "a,b"), ("a", 'no "such" name')):
        fields, whole = JsonFields(path, names), read_jsonl(path)
        assert repr(list(fields.tuples())) == repr([tuple(row.get(n) for n in names) for row in whole.rows])
        assert (fields.problems, fields.bad) == (whole.problems, whole.bad) == (fields.problems, 4)
    assert whole.problems[-1] == "x.jsonl:9 is cut off"


def test_a_file_is_streamed_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINES", 3)
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n' * 5)
    stream = JsonStream(path)
    rows = iter(stream)
    assert next(rows) == {"a": 1}
    assert not stream.problems
    assert len(list(rows)) == 2
    assert stream.problems == ("x.jsonl has more than 3 lines",)


def test_a_results_file_gives_each_score_with_its_place() -> None:
    results = read_results(TASK.artifacts)
    found = results.find("strict:count:numbers")
    assert found is not None
    assert (found.section, found.task, found.value) == ("tasks", "ifbench", 0.3333333333333333)
    assert len(results.scores) == 18


def test_names_of_exports_find_their_metric_and_tasks_come_before_groups(tmp_path: Path) -> None:
    (tmp_path / "results.yml").write_text(
        "results:\n"
        "  groups: {g: {metrics: {acc: {scores: {acc: {value: 0.9}}}}}}\n"
        "  tasks: {t: {metrics: {acc: {scores: {acc: {value: 0.5, stats: {stderr: 0.1, n: .nan}}}},"
        " pass@1: {scores: {symbolic: {value: 1.0e-05}}}}}}\n"
    )
    results = read_results(tmp_path)
    by_metric, by_score, by_both = results.find("acc"), results.find("symbolic"), results.find("t_pass@1_symbolic")
    assert by_metric is not None
    assert (by_metric.section, by_metric.value, dict(by_metric.stats)) == ("tasks", 0.5, {"stderr": 0.1})
    assert by_score is by_both
    assert by_score is not None
    assert by_score.value == 1e-05


def test_a_task_before_a_metric_says_which_of_several_is_meant(tmp_path: Path) -> None:
    body = "{metrics: {acc__strict: {scores: {acc__strict: {value: 0.%d}}}}}"
    (tmp_path / "results.yml").write_text(
        f"results: {{tasks: {{a: {body % 1}, b: {body % 2}}}, groups: {{c: {body % 3}}}}}\n"
    )
    results = read_results(tmp_path)
    assert results.find("acc__strict") is None
    found = [results.find(f"{task}_acc__strict") for task in "abc"]
    assert [f.value for f in found if f is not None] == [0.1, 0.2, 0.3]


def test_a_metric_with_two_values_is_not_chosen_by_chance(tmp_path: Path) -> None:
    body = "{metrics: {acc: {scores: {acc: {value: 0.%d}}}}}"
    (tmp_path / "results.yml").write_text(f"results: {{tasks: {{a: {body % 1}, b: {body % 2}}}}}\n")
    assert read_results(tmp_path).find("acc") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "results: 3\n",
        "results: {tasks: [1]}\n",
        "a: [\n",
        "{{{",
        "x: !!python/object/apply:os.system [ls]\n",
        "[" * 3000,
    ],
)
def test_a_results_file_without_results_is_bad_input_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.yml").write_text(text)
    with pytest.raises(BadInput, match=r"results\.yml"):
        read_results(tmp_path)


def test_a_yaml_file_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "big.yml").write_text("a: b\n" * 1000)
    with pytest.raises(BadInput, match="larger than"):
        load_yaml(tmp_path / "big.yml", 100)


def test_aliases_that_multiply_do_not_fill_the_memory(tmp_path: Path) -> None:
    rows = ["a0: &a0 [x, x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12))]
    (tmp_path / "results.yml").write_text("\n".join(rows) + "\nresults: *a11\n")
    with pytest.raises(BadInput, match="not complete YAML"):
        read_results(tmp_path)


def test_the_run_config_tells_limit_and_model() -> None:
    config = read_run_config(TASK.artifacts)
    assert (config.limit, config.model_id) == (20.0, "gemma-3-270m-q4_k_m")


def test_the_statistics_of_the_responses_are_read() -> None:
    stats = read_metrics(TASK.artifacts).responses
    assert stats is not None
    assert (stats.count, stats.successful, stats.truncated_share) == (20, 20, 1.0)
    assert (stats.average_completion_tokens, stats.inference_seconds) == (96.0, pytest.approx(37.815, abs=0.001))
    assert stats.errors == {}


def test_statistics_for_an_estimate_are_none_when_half_written(tmp_path: Path) -> None:
    (tmp_path / "eval_factory_metrics.json").write_text("{")
    assert read_metrics(tmp_path / "missing").responses is None
