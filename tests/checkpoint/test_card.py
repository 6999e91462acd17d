from __future__ import annotations

from pathlib import Path

from quantgate.checkpoint.card import MAX_QUOTE, MAX_QUOTES, read_card, safe_card


def test_lines_on_sampling_and_serving_are_quoted_with_number_and_key(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "# Model\nUse temperature 0.6 and top_p 0.95.\nNothing here.\n"
        "    vllm serve org/model --reasoning-parser qwen3\nOutput length of 32,768 tokens.\n"
    )
    quotes, omitted = read_card(tmp_path)
    assert [(q.line, q.key) for q in quotes] == [
        (2, "params.temperature"),
        (4, "deployment.command --reasoning-parser"),
        (5, "params.max_new_tokens"),
    ]
    assert quotes[0].quote == "Use temperature 0.6 and top_p 0.95."
    assert omitted == 0


def test_quotes_are_bounded_and_printable_and_hold_no_secret(tmp_path: Path) -> None:
    line = "temperature \x1b[31m HF_TOKEN=hf_abcdefghijklmnopqrstuvwx " + "x" * 5000
    (tmp_path / "README.md").write_text("\n".join([line] * 30))
    quotes, omitted = read_card(tmp_path)
    assert (len(quotes), omitted) == (MAX_QUOTES, 10)
    assert all(len(q.quote) <= MAX_QUOTE and q.quote.isprintable() for q in quotes)
    assert "hf_abc" not in quotes[0].quote


def test_a_broken_card_is_a_sentence_not_a_failure(tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    quotes, omitted, error = safe_card(tmp_path)
    assert (quotes, omitted) == ([], 0)
    assert "README.md" in error
