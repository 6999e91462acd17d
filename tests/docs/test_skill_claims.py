"""The skill says what the skill that it began from said: each judgement is found under its step, by words that stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CLAIMS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("skill_claims.yaml").read_text(encoding="utf-8"))
CHANGES = ROOT / "docs" / "skill-changes.md"
_HEADING = re.compile(r"^#{2,3} Step ([\d.]+): ", re.MULTILINE)


def _flat(text: str) -> str:
    """Without emphasis and line breaks, in lower case: what is said, however it is set."""
    return " ".join(text.replace("**", "").split()).casefold()


def _sections() -> dict[str, str]:
    start, *parts = _HEADING.split((ROOT / "SKILL.md").read_text(encoding="utf-8"))
    return {"start": start, **dict(zip(parts[::2], parts[1::2], strict=True))}


def _place(step: str) -> str:
    if step.startswith("X/"):
        return (ROOT / step.removeprefix("X/")).read_text(encoding="utf-8")
    return _sections()[step]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim['step']}: {claim['claim']}")
def test_the_skill_says_at_its_step(claim: dict[str, Any]) -> None:
    text = _flat(_place(claim["step"]))
    assert [words for words in claim["words"] if _flat(words) not in text] == []


def test_every_step_has_claims() -> None:
    assert set(_sections()) <= {claim["step"] for claim in CLAIMS}


def test_words_at_another_step_do_not_count() -> None:
    """The sections are apart: what Step 9 says is not taken for said at Step 8.3."""
    assert "report no score before it" not in _flat(_sections()["8.3"])


def test_every_changed_meaning_has_a_row_that_says_why() -> None:
    rows = re.findall(r"^\| (?:start|Step) ?([\d.]*) \|", CHANGES.read_text(encoding="utf-8"), re.MULTILINE)
    changed = {claim["step"] for claim in CLAIMS if claim.get("changed")}
    assert changed <= set(rows)
