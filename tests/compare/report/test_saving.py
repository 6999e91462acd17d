"""Where a report goes: one copy is always kept, and nothing but a report is overwritten."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from quantgate import workspace
from quantgate.compare.report import identity, stored
from quantgate.compare.report.saving import save
from quantgate.errors import BadInput, StorageError, UnknownName
from tests.compare.example import accepted, comparison
from tests.compare.report.hostile import STRINGS, hostile


def test_without_a_path_it_is_kept_by_its_id_in_the_state_directory() -> None:
    saved = save(comparison())
    assert saved.parent == workspace.reports_dir()
    assert saved.with_suffix(".md").is_file()
    assert identity.ID.fullmatch(saved.stem)
    assert saved.stem.startswith("20261121194500-")
    assert "Regression" in saved.read_text(encoding="utf-8")


def test_with_a_path_both_forms_stand_there_and_a_copy_is_kept(tmp_path: Path) -> None:
    saved = save(comparison(), str(tmp_path / "pr.html"))
    assert saved == tmp_path / "pr.html"
    name = identity.report_id(comparison())
    assert stored.html(name) == saved.read_text(encoding="utf-8")
    assert stored.markdown(name) == saved.with_suffix(".md").read_text(encoding="utf-8")


def test_a_directory_gets_it_under_its_id(tmp_path: Path) -> None:
    saved = save(comparison(), str(tmp_path))
    assert saved == tmp_path / f"{identity.report_id(comparison())}.html"


def test_a_report_may_be_replaced_by_a_newer_one(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    save(comparison(), str(path))
    save(accepted(), str(path))
    assert "Accept" in path.read_text(encoding="utf-8")
    assert len(stored.listing().reports) == 2
    assert [f.name for f in tmp_path.iterdir() if f.suffix not in {".html", ".md"}] == []


@pytest.mark.parametrize("name", ["report.html", "report.md"])
@pytest.mark.parametrize("content", ["<html>my own page</html>", "# my notes\n", ""])
def test_anything_else_is_not_overwritten_and_nothing_is_half_written(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match="not overwritten"):
        save(comparison(), str(tmp_path / "report.html"))
    assert (tmp_path / name).read_text() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_to_something_else_does_not_lead_to_it(tmp_path: Path) -> None:
    (tmp_path / "precious.html").write_text("precious")
    (tmp_path / "report.html").symlink_to(tmp_path / "precious.html")
    with pytest.raises(BadInput, match="not overwritten"):
        save(comparison(), str(tmp_path / "report.html"))
    assert (tmp_path / "precious.html").read_text() == "precious"


@pytest.mark.parametrize("path", ["report.txt", "report", "none/report.html", "re\0port.html", "x" * 300 + ".html"])
def test_a_path_that_is_no_place_for_it_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises((BadInput, StorageError)):
        save(comparison(), str(tmp_path / path))
    assert list(tmp_path.iterdir()) == []


def test_the_same_comparison_has_the_same_id_and_another_one_another() -> None:
    assert identity.report_id(comparison()) == identity.report_id(comparison())
    assert identity.report_id(comparison()) != identity.report_id(comparison(margin=0.02))
    assert identity.report_id(comparison(made_at="yesterday ../../x")).startswith("undated-")


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
def test_the_heading_survives_any_name(text: str) -> None:
    saved = save(hostile(text))
    (row,) = stored.listing().reports
    assert row == identity.heading(hostile(text))
    assert row.report_id == saved.stem
    assert "-->" not in saved.with_suffix(".md").read_text(encoding="utf-8").splitlines()[0][:-3]


def test_the_list_has_the_newest_first_and_says_how_many_are_left_out() -> None:
    for day in range(1, 5):
        save(dataclasses.replace(comparison(), made_at=f"2026-11-0{day}T00:00:00Z"))
    (workspace.reports_dir() / "notes.html").write_text("not a report")
    found = stored.listing(3)
    assert [r.made_at[:10] for r in found.reports] == ["2026-11-04", "2026-11-03", "2026-11-02"]
    assert found.omitted == 1
    assert found.reports[0].verdict == "REGRESSION"


@pytest.mark.parametrize("name", ["20260101000000-000000000000", "../ledger", "notes", ""])
def test_an_unknown_id_is_refused_and_the_newest_named(name: str) -> None:
    kept = save(comparison()).stem
    with pytest.raises(UnknownName, match=kept):
        stored.html(name)
