"""Values in a line of a model card: only what stands right beside the word that it is a value of."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from .topics import Topic

MAX_PER_LINE = 12
MAX_STATEMENT = 200
"""Characters after a value in which the same statement may give another."""

# All repetitions are bounded, and no two that follow each other can take many of the same characters: no backtracking to speak of.
_MARKS = r"[\s\"'`*_|:=(\[]{0,8}"
_WORDS = (
    r"(?:(?:is|of|to|at|be|set|should|as|values?|recommended|defaults?|around|about|approximately|up|in|the|within|range|a|an"
    r"|limit|limited|maximum|suggested|least|most|we|suggest|recommend|use|native|natively|full)\b[\s:=\"'`*(]{0,4}){0,6}"
)
_LINK = _MARKS + _WORDS
_END = r"(?!\.?\d|,\d{3}|[A-Za-z%])"
_NUMBER = rf"(?<![\w.$/])\d{{1,4}}(?:\.\d{{1,4}})?{_END}"
_COUNT = (
    rf"(?<![\w.$/])(?:\d{{1,3}}(?:,\d{{3}}){{1,3}}{_END}"
    rf"|\d{{1,4}}(?:\.\d{{1,2}})?\s?(?-i:[kKM])(?![A-Za-z\d])|\d{{3,8}}{_END})"
)
_CELL = re.compile(r"[\s*`]{0,6}\|[\s*`]{0,6}(\d[\d.,]{0,11}(?:[kKM])?)[\s*`]{0,6}(?=\|)")
_NOT = re.compile(r"\b(?:not|never|avoid|don't|instead of|rather than)\b[^.;:,]{0,20}$", re.IGNORECASE)
_AFTER: dict[str, re.Pattern[str]] = {
    kind: re.compile(pattern, re.IGNORECASE)
    for kind, pattern in {
        "number": rf"{_LINK}(?P<value>{_NUMBER}(?:\s?[-–~]\s?{_NUMBER})?)"
        rf"|{_MARKS}(?:\w{{1,12}}\s){{0,2}}(?:between|from)\s(?P<range>{_NUMBER}\s(?:and|to)\s{_NUMBER})",
        "tokens": rf"{_LINK}(?P<value>{_COUNT})",
        "word": rf"{_LINK}(?P<value>none|minimal|low|medium|high|xhigh|max)\b",
        "flag": r"[\"'`]?(?:\s?[=:]\s?|\s{1,4})[\"'`]?(?P<value>[A-Za-z0-9][\w./+-]{0,79})",
        "switch": r"[\"'`]?\s?[=:]\s?[\"'`]?(?P<value>true|false|on|off|none)\b"
        r"|(?<=detailed thinking)\s(?P<range>on|off)\b",  # Nemotron's switch is a sentence of the system prompt
    }.items()
}
_BEFORE = re.compile(rf"(?P<value>{_COUNT})[\s*`_-]{{0,3}}(?:tokens?)?[\s-]{{0,2}}(?:of\s)?$", re.IGNORECASE)
# What ends a statement: its sentence or cell, a "not", and counts of tokens that are no lengths.
_ENDS = re.compile(
    r"[.!?](?=\s|$)|\||\b(?:not\b|never|avoid|don't|instead|rather|unlike|per\b|batch|vocab|(?:pre)?-?train|corpus|dataset|cost|price)",
    re.IGNORECASE,
)
_JOINED = re.compile(r"(?:\b(?:and|or|to|vs)\b|[/(;])[\s*`\"]{0,3}$", re.IGNORECASE)
_LISTED = re.compile(r",[\s*`\"]{0,3}$")
_CASE = re.compile(r"\b(?:for|in|with|when|on)\s(?:[\w-]{1,20}:?\s){1,4}$", re.IGNORECASE)
_CASE_AFTER = re.compile(r"\s?(?:for|in|with|when|on|if|as)\b|[\s*`\"]{0,3}(?:[(),;/|.]|$)", re.IGNORECASE)
_TOKENS_AFTER = re.compile(r"[\s*`_-]{0,3}tokens?\b(?!\s?(?:/|per\b))", re.IGNORECASE)
_ONE = {
    "number": re.compile(rf"{_NUMBER}(?:\s?[-–~]\s?{_NUMBER})?"),
    "tokens": re.compile(_COUNT),
}
_IN_CELL = {kind: re.compile(rf"[\s*`_~≈(]{{0,8}}(?P<value>{one.pattern})") for kind, one in _ONE.items()}
_VARIABLE = re.compile(r"([A-Z][A-Z0-9_]{3,60})[\"'`]?(?:\s?[=:]\s?[\"']?(?P<value>[^\s\"'`;\\,|)]{1,80}))?")
_IMAGE = re.compile(r"[\w./-]{1,120}(?::[\w.-]{1,80})?")


@dataclass(frozen=True)
class Hit:
    """A topic found in a line.

    Attributes:
        start, end: Of the word and its value, as indices into the line.
        key: The config key it goes to.
        value: As the card writes it; empty when none stands beside the word.
        amount: The value as a number of tokens, for counts; else 0.
    """

    topic: Topic
    start: int
    end: int
    key: str
    value: str = ""
    amount: int = 0


def tokens(text: str) -> int:
    """A number of tokens as people write it: `32,768`, `32768`, `32k` (times 1024), `1M` (times 1024 x 1024)."""
    plain = text.replace(",", "").strip()
    scale = {"k": 1024, "m": 1024 * 1024}.get(plain[-1:].lower(), 1)
    return int(float(plain[:-1].strip() if scale > 1 else plain) * scale)


def find(line: str, topics: tuple[Topic, ...]) -> list[Hit]:
    """What a line says on these topics; a topic without a value is left out where the same key has one.

    Args:
        line: From `card_text.shown`: bounded, printable.
        topics: Those to look for.
    """
    words = [(topic, match) for topic in topics for match in islice(topic.pattern.finditer(line), MAX_PER_LINE)]
    # A statement ends where that on the next thing with a value begins; "thinking" and the like are only modes.
    begins = sorted(match.start() for topic, match in words if topic.kind in {*_ONE, "flag"})
    hits: list[Hit] = []
    for topic, match in words:
        hits.extend(_hits(line, topic, match, _statement_end(line, begins, match.end())))
    valued = {hit.key for hit in hits if hit.value}
    bare: set[str] = set()
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: h.start):
        if not hit.value and (hit.key in valued or hit.key in bare):
            continue
        bare.add(hit.key)
        if not any(hit.key == other.key and hit.value == other.value for other in kept):
            kept.append(hit)
    return kept[:MAX_PER_LINE]


def _statement_end(line: str, begins: list[int], at: int) -> int:
    """Where the next statement after `at` begins; a number right before its word is its own (`a 128K context`)."""
    place = bisect_left(begins, at)
    if place == len(begins):
        return len(line)
    near = max(at, begins[place] - 40)
    own = _BEFORE.search(line[near : begins[place]])
    return near + own.start() if own else begins[place]


def in_cell(line: str, topic: Topic, start: int, end: int) -> list[Hit]:
    """The values in a cell of a table, under a column that is about this topic.

    Args:
        line: From `card_text.shown`.
        topic: Of kind `number` or `tokens`; others have no values in cells.
        start: Where the cell begins in the line.
        end: Where it ends (exclusive).
    """
    pattern = _IN_CELL.get(topic.kind)
    first = pattern.match(line, start) if pattern else None
    if first is None or first.end() > end or _too_high(topic, first["value"]):
        return []
    begin = first.start("value")
    values = [(first["value"], first.end()), *_further(line, topic, first.end(), end)]
    return [_valued(topic, begin, stop, value) for value, stop in values]


def _valued(topic: Topic, start: int, end: int, value: str) -> Hit:
    return Hit(topic, start, end, topic.key, value, tokens(value) if topic.kind == "tokens" else 0)


def _hits(line: str, topic: Topic, match: re.Match[str], limit: int) -> Iterator[Hit]:
    if topic.kind == "variable":
        name = _VARIABLE.match(line, match.start())
        if name and "[redacted" not in (name["value"] or ""):
            yield Hit(topic, name.start(), name.end(), f"{topic.key}.{name[1]}", (name["value"] or "").rstrip("."))
        return
    if topic.kind == "image":
        image = _IMAGE.match(line, match.start())
        text = image[0].rstrip(".:") if image else match[0]
        yield Hit(topic, match.start(), match.start() + len(text), topic.key, text)
        return
    start = match.start() - 2 if line[: match.start()].endswith("--") else match.start()
    values = [] if _NOT.search(line[max(0, start - 40) : start]) else list(_values(line, topic, match, limit))
    for value, end in values:
        yield _valued(topic, start, end, value)
    counted = topic.counted and match.groupdict().get("counted")
    if not values and not counted:
        yield Hit(topic, start, match.end(), topic.key)


def _values(line: str, topic: Topic, match: re.Match[str], limit: int) -> Iterator[tuple[str, int]]:
    pattern = _AFTER.get(topic.kind)
    if pattern is None:
        return
    found = pattern.match(line, match.end())
    if found is None:
        before = _BEFORE.search(line[max(0, match.start() - 40) : match.start()]) if topic.kind == "tokens" else None
        if before and not line[: max(0, match.start() - 40) + before.start()].lower().endswith("per "):
            yield before["value"].strip(), match.end()
            yield from _further(line, topic, match.end(), limit)
        return
    value = next(text for text in found.groupdict().values() if text)
    if topic.kind == "flag" and not _is_flag(line, match, found):
        return
    if topic.kind == "switch":
        yield f"{match[0].strip()}={value}", found.end()
        return
    if _too_high(topic, value):
        return
    yield value, found.end()
    yield from _cells(line, topic, found.end())
    yield from _further(line, topic, found.end(), limit)


def _too_high(topic: Topic, value: str) -> bool:
    return bool(topic.maximum) and any(float(n) > topic.maximum for n in re.findall(r"\d+(?:\.\d+)?", value))


def _further(line: str, topic: Topic, at: int, limit: int) -> Iterator[tuple[str, int]]:
    """Further values of the same statement: `32,768 natively and 131,072 tokens with YaRN`.

    Args:
        at: Where the value before ends.
        limit: Where the statement ends at the latest.
    """
    one = _ONE.get(topic.kind)
    if one is None:
        return
    end = min(limit, at + MAX_STATEMENT)
    for pattern in (_ENDS, topic.others):
        if pattern and (stop := pattern.search(line, at, end)):
            end = stop.start()
    for match in one.finditer(line, at):
        if match.end() > end:
            return
        if _says_more(line, match, topic.kind) and not _too_high(topic, match[0]):
            yield match[0].strip(), match.end()


def _says_more(line: str, match: re.Match[str], kind: str) -> bool:
    """Whether a number is another value of a statement, and no number of something else."""
    before = line[max(0, match.start() - 100) : match.start()]
    joined, listed = _JOINED.search(before), _LISTED.search(before)
    if kind == "tokens":
        written_as_length = not match[0].isdigit()  # `2025` after a comma may be a year
        return bool(_TOKENS_AFTER.match(line, match.end()) or joined or (listed and written_as_length))
    return bool(
        (joined or listed or ("." in match[0] and _CASE.search(before))) and _CASE_AFTER.match(line, match.end())
    )


def _cells(line: str, topic: Topic, at: int) -> Iterator[tuple[str, int]]:
    """Further columns of a table's row: one value for each mode."""
    if topic.kind not in {"number", "tokens"} or not line.startswith("|"):
        return
    for _ in range(MAX_PER_LINE):
        cell = _CELL.match(line, at)
        if cell is None or not re.fullmatch(_NUMBER if topic.kind == "number" else _COUNT, cell[1]):
            return
        if not (topic.maximum and float(cell[1]) > topic.maximum):
            yield cell[1], cell.end()
        at = cell.end()


def _is_flag(line: str, term: re.Match[str], found: re.Match[str]) -> bool:
    """A word of prose after "reasoning parser" is no value: there must be `--` before or `=` between."""
    between = line[term.end() : found.start("value")]
    return line[: term.start()].endswith("--") or term[0].startswith("--") or "=" in between or ":" in between
