"""The documents at the top point at files that exist and name the tools that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from quantgate.tools import TOOLS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "references").glob("*.md")),
    *sorted((ROOT / "skills").glob("*/*.md")),
]

_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
_SHIPPED_PATH = re.compile(r"`((?:skills|recipes|references)/[\w./-]+\.\w+)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_and_shipped_path_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    broken = [target for target in _LINK.findall(text) if not (document.parent / target).exists()]
    broken += [path for path in _SHIPPED_PATH.findall(text) if not (ROOT / path).exists()]
    assert broken == []


def test_the_readme_lists_the_tools_in_the_order_of_the_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text.split("<!-- tools:begin -->")[1].split("<!-- tools:end -->")[0]
    assert re.findall(r"^\|[^|]*\| `(\w+)` \|", block, re.MULTILINE) == [spec.name for spec in TOOLS]


def test_the_readme_names_the_terms_of_the_demos_weights() -> None:
    assert "https://ai.google.dev/gemma/terms" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_no_document_tells_of_a_command_that_the_contract_does_not_have_yet() -> None:
    names = {spec.name for spec in TOOLS}
    for tool in ("grep_slurm_logs", "resume", "cancel", "compare_runs", "compile_config"):
        for document in DOCUMENTS if tool not in names else []:
            assert f"`{tool}" not in document.read_text(encoding="utf-8"), (
                f"{document.name} names {tool} as if it existed"
            )
