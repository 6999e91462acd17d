"""The catalogue is the installed launcher's, loads fast, and survives a damaged cache."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from quantgate.benchmarks import catalogue
from quantgate.errors import BadInput, LauncherError, UnknownName
from quantgate.launcher import package


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own for each test."""
    monkeypatch.setenv("QUANTGATE_CACHE", str(tmp_path / "cache"))
    catalogue.load_catalogue.cache_clear()
    yield tmp_path
    catalogue.load_catalogue.cache_clear()


def reload() -> catalogue.Catalogue:
    catalogue.load_catalogue.cache_clear()
    return catalogue.load_catalogue()


def cache_file(home: Path) -> Path:
    (file,) = (home / "cache").glob("catalogue-*.json")
    return file


def test_every_task_of_the_launcher_is_there_with_its_container_and_endpoint_type() -> None:
    source = yaml.load(package.resource(catalogue.CATALOGUE_FILE).read_text(), Loader=yaml.CSafeLoader)
    containers = {h["name"]: h["container"] for h in source["harnesses"]}
    loaded = reload()
    assert loaded.version == package.launcher_version()
    assert len(loaded.tasks) == len(source["tasks"]) == 421
    assert len(loaded.harnesses) == 23
    for row in source["tasks"]:
        task = loaded.tasks[f"{row['harness']}.{row['name']}"]
        assert task.container == containers[row["harness"]]
        assert list(task.endpoint_types) == row["defaults"]["config"]["supported_endpoint_types"]
        assert task.endpoint_type == task.endpoint_types[0]
        assert task.command == row["defaults"]["command"]
        assert "\n" not in task.description


def test_the_cached_catalogue_equals_the_parsed_one_and_loads_in_milliseconds(home: Path) -> None:
    parsed = reload()
    assert cache_file(home).stat().st_size > 100_000
    best = min(_timed() for _ in range(5))
    assert reload() == parsed
    assert best < 0.05


def _timed() -> float:
    start = time.perf_counter()
    reload()
    return time.perf_counter() - start


@pytest.mark.parametrize(
    "damage", ["", "{", '{"version": "0.2.6", "count": 1, "tasks": [], "harnesses": []}', "[1, 2]"]
)
def test_a_damaged_cache_is_built_again(home: Path, damage: str) -> None:
    whole = reload()
    cache_file(home).write_text(damage)
    assert reload() == whole
    assert cache_file(home).stat().st_size > 100_000


def test_a_shortened_cache_is_built_again(home: Path) -> None:
    whole = reload()
    text = cache_file(home).read_text()
    cache_file(home).write_text(text[: len(text) // 2])
    assert len(reload().tasks) == len(whole.tasks)


def test_a_cache_that_cannot_be_written_is_done_without(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(catalogue.Path, "replace", full)
    assert len(reload().tasks) == 421
    assert list((home / "cache").iterdir()) == []


def test_a_catalogue_that_is_not_one_is_a_launcher_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "irs.yaml"
    file.write_text("tasks: 7\nharnesses: []\n")
    monkeypatch.setattr(catalogue.package, "resource", lambda _relative: file)
    with pytest.raises(LauncherError, match=r"cannot be understood.*irs\.yaml.*reinstall"):
        reload()


def test_a_full_id_and_a_unique_bare_name_are_the_same_task() -> None:
    loaded = reload()
    assert loaded.resolve("ns_mmlu_pro") is loaded.resolve("nemo_skills.ns_mmlu_pro")


def test_a_bare_name_in_several_harnesses_is_refused_with_the_candidates() -> None:
    with pytest.raises(
        BadInput, match=r"'mmlu_pro' is ambiguous.*lm-evaluation-harness\.mmlu_pro, simple_evals\.mmlu_pro"
    ):
        reload().resolve("mmlu_pro")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ifbnech", "ifbench.ifbench"),
        ("AIME 2025", "simple_evals.AIME_2025"),
        ("lm_eval.hellaswag", "lm-evaluation-harness.hellaswag"),
        ("nemo-skills.ns_gpqa", "nemo_skills.ns_gpqa"),
    ],
)
def test_an_unknown_task_is_refused_with_the_nearest_names(typed: str, meant: str) -> None:
    with pytest.raises(UnknownName) as refusal:
        reload().resolve(typed)
    assert meant in refusal.value.nearest
    assert repr(typed) in str(refusal.value)


def test_a_name_like_nothing_has_no_nearest_names() -> None:
    with pytest.raises(UnknownName) as refusal:
        reload().resolve("qqqqqqqq")
    assert refusal.value.nearest == []
