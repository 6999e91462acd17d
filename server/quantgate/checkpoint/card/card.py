"""Passages of a model card that bear on an evaluation, quoted with their lines.

They are data for a person to judge; nothing in them is obeyed, and nothing that they link to is fetched.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import CheckpointError
from ..config_json import read_bytes
from ..model_facts import ModelFacts
from . import text as card_text
from .columns import columns, is_header, is_rule, row
from .topics import Topic, card_topics, squash
from .values import Hit, find

MAX_CARD_BYTES = 4 * 1024 * 1024
MAX_QUOTES = 30
MAX_QUOTE = 300
MAX_COMMAND = 1000
"""Characters of a serving command, which is quoted whole."""
MAX_EXAMINED = 150_000
"""Characters of promising lines that are read closely; promising lines after that are counted, not quoted."""
MIN_EXAMINED = 40
"""What the shortest line takes of it: rows of a table may be a character each."""
CARD = "README.md"


@dataclass(frozen=True)
class Quote:
    """A passage of the card.

    Attributes:
        line: Its number, from 1; of a command, that of its first line.
        quote: Its text: bounded, printable, secrets masked.
        key: The config key it would go to, short (`topics.full_key` writes it out); `card.…` for front matter.
        value: The value that stands beside the word, as the card writes it; empty when there is none.
        highest: It is the largest of the output lengths in the card.
    """

    line: int
    quote: str
    key: str
    value: str = ""
    highest: bool = False


@dataclass(frozen=True)
class _Found:
    """A quote, with what decides whether it stays when there are too many, and its text for a line quoted already."""

    quote: Quote
    topic: str
    amount: int = 0
    short: str = ""


def read_card(directory: Path) -> tuple[list[Quote], int]:
    """What README.md says on sampling, lengths, reasoning, parsers, serving, environment and image.

    Args:
        directory: The checkpoint.

    Returns:
        The quotes in the order of the file, and how many were left out: one for each topic is kept first, then values
        that differ. Both are empty where there is no card.

    Raises:
        CheckpointError: There is a README.md that cannot be read.
    """
    path = directory / CARD
    if not os.path.lexists(path):
        return [], 0
    lines = card_text.split_lines(read_bytes(path, MAX_CARD_BYTES))
    front = _front(lines)
    found, unread = _scan(lines, card_text.front_matter_end(lines))
    marked = _mark_highest(front + found)
    kept = _select(marked)
    return _each_line_once(kept), len(marked) - len(kept) + unread


def safe_card(directory: Path) -> tuple[list[Quote], int, str]:
    """`read_card`, with a broken card as a sentence instead of an error: the rest of the answer does not need it."""
    try:
        quotes, omitted = read_card(directory)
    except CheckpointError as error:
        return [], 0, str(error)
    return quotes, omitted, ""


def what_to_search(facts: ModelFacts) -> list[str]:
    """What must be looked for elsewhere when no card lies beside the weights, one phrase each.

    Args:
        facts: A model that does not think, or renders no tools, needs no search for these (None: not known, so search).
    """
    known = {"reasoning": facts.reasoning, "tools": facts.tool_calling}
    phrases = []
    for group in card_topics().groups:
        if known.get(group.when, True) is False:
            continue
        phrase = group.search
        if group.name == "sampling" and facts.generation_defaults:
            values = ", ".join(f"{k} {v}" for k, v in facts.generation_defaults.items())
            phrase += f" (generation_config.json has {values})"
        phrases.append(phrase)
    return phrases


def _front(lines: Sequence[str]) -> list[_Found]:
    keys = {row.field: row.key for row in card_topics().front_matter}
    return [
        _Found(Quote(v.line, f"{v.field}: {v.value}"[:MAX_QUOTE], keys[v.field], v.value), keys[v.field])
        for v in card_text.front_matter(lines, set(keys))
    ]


def _scan(lines: Sequence[str], first: int) -> tuple[list[_Found], int]:
    """Every hit from line `first` on, and the number of promising lines beyond the budget."""
    table = card_topics()
    topics = table.searched
    serving = next(topic for topic in topics if topic.command)
    found: list[_Found] = []
    examined = unread = covered = 0
    named: dict[int, Topic] = {}
    for at in range(first, len(lines)):
        bounded = lines[at][: card_text.MAX_LINE]
        named = named if "|" in bounded else {}
        promising = table.anything.search(squash(bounded)) is not None
        if not promising and (not named or is_rule(bounded)):
            continue
        if examined > MAX_EXAMINED:
            unread += 1
            continue
        examined += max(len(bounded), MIN_EXAMINED)
        line = card_text.shown(bounded)
        if promising and at >= covered and serving.pattern.search(line):
            start, covered = card_text.command_span(lines, at, max(first, covered))
            examined += sum(min(len(part), card_text.MAX_LINE) for part in lines[start:covered])
            text = card_text.joined(lines[start:covered], MAX_COMMAND)
            found.append(_Found(Quote(start + 1, text, serving.key), serving.name))
        hits = [hit for hit in find(line, topics) if hit.topic is not serving] if promising else []
        if is_header(lines, at):
            named = columns(line, topics)
        elif named:
            hits = _with_cells(hits, row(line, named))
        found += [_found(hit, at + 1, line, in_command=at < covered) for hit in hits]
    return sorted(found, key=lambda item: item.quote.line), unread


def _with_cells(hits: list[Hit], cells: list[Hit]) -> list[Hit]:
    """The values of a row, and what the row says beside them."""
    given = {(hit.key, hit.value) for hit in cells}
    return cells + [hit for hit in hits if (hit.key, hit.value) not in given]


def _found(hit: Hit, number: int, line: str, in_command: bool) -> _Found:
    short = line[hit.start : hit.end].strip(" `*_\\")[:MAX_QUOTE]
    # A command is quoted whole: its options need no more than themselves.
    text = short if in_command else _around(line, hit).rstrip("\\ ")
    return _Found(Quote(number, text, hit.key, hit.value), hit.topic.name, hit.amount, short)


def _around(line: str, hit: Hit) -> str:
    if len(line) <= MAX_QUOTE:
        return line
    start = max(hit.start - MAX_QUOTE // 3, hit.end - MAX_QUOTE + 2)
    start = max(0, min(start, len(line) - MAX_QUOTE + 2))
    cut = line[start : start + MAX_QUOTE - 2]
    return ("…" if start else "") + cut + ("…" if start + len(cut) < len(line) else "")


def _each_line_once(kept: list[_Found]) -> list[Quote]:
    """Rows after the first of a line repeat only their own words of it."""
    quotes: list[Quote] = []
    for item in kept:
        again = any(item.quote.line == other.line and item.quote.quote == other.quote for other in quotes)
        quotes.append(replace(item.quote, quote=item.short) if again and item.short else item.quote)
    return quotes


def _mark_highest(found: list[_Found]) -> list[_Found]:
    wanted = {topic.name for topic in card_topics().topics if topic.highest}
    largest = max((item.amount for item in found if item.topic in wanted), default=0)
    return [
        replace(item, quote=replace(item.quote, highest=True))
        if largest and item.topic in wanted and item.amount == largest
        else item
        for item in found
    ]


def _select(found: list[_Found]) -> list[_Found]:
    """At most MAX_QUOTES: the largest length and one of each topic, then keys and values that differ, then repetitions."""
    if len(found) <= MAX_QUOTES:
        return found
    order = {topic.name: place for place, topic in enumerate(card_topics().topics)}
    seen: set[tuple[str, ...]] = set()
    ranks: list[tuple[int, int, int]] = []
    # Quotes with a value come before those without, so that they speak for their topic.
    for at in sorted(range(len(found)), key=lambda i: (not found[i].quote.highest, not found[i].quote.value, i)):
        item = found[at]
        content = item.quote.value or (item.quote.quote if item.quote.key == "deployment.command" else "")
        marks = [(item.topic,), (item.topic, item.quote.key), (item.topic, item.quote.key, content)]
        new = next((rank for rank, mark in enumerate(marks) if mark not in seen), len(marks))
        seen.update(marks)
        ranks.append((new, order.get(item.topic, -1) if new == 0 else 0, at))
    return [found[at] for at in sorted(at for _, _, at in sorted(ranks)[:MAX_QUOTES])]
