"""docs/fuzzing.md says what the record and the list of findings say."""

from __future__ import annotations

from . import page
from .targets import TARGETS, target
from .test_targets import CORPUS, KEPT


def test_the_page_is_written_from_the_record() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.written(text) == text


def test_every_finding_names_a_target_and_what_holds_it() -> None:
    for row in page.found():
        assert row["target"] in TARGETS
        assert row["mended"]
        assert row["kept"]


def test_every_kept_input_is_of_a_target_and_in_the_list() -> None:
    listed = " ".join(row["kept"] for row in page.found())
    for kept in KEPT:
        name, _, file = kept.partition("/")
        assert name in TARGETS
        assert file in listed or (file.startswith("scan-") and "scan-*" in listed)
        assert (CORPUS / kept).stat().st_size < 100_000


def test_every_target_has_inputs_to_begin_with() -> None:
    assert all(target(name).seeds() for name in TARGETS)
