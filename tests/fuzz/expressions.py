"""Every regular expression of the package, and texts that make an expression work hard, made from the expression itself.

What a caller gives as `pattern` is not among them: grep matches it, which does not backtrack (`runs/scanning/pattern.py`).
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any

import quantgate

PACKAGE = Path(quantgate.__file__).parent
LENGTHS = (40, 400, 3000)
"""Of the texts, in characters, in turn: what explodes is told by the short ones."""
LIMIT_SECONDS = 0.3
MOST_TEXTS = 24
"""Of each length."""
_CALLS = {"compile", "search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
_ENDS = ("\x00", "", " ")
_LOOPS = {codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT}
_MANY = 40
"""A repetition of at least so many times counts as one without an end."""


@dataclass(frozen=True)
class Expression:
    """One expression.

    Attributes:
        place: Where it stands.
        whole: It is only matched at the beginning of a text, so that no search begins anew at each place.
        full: It is matched with a whole text.
    """

    place: str
    pattern: str
    flags: int
    whole: bool = False
    full: bool = True


def all_expressions() -> list[Expression]:
    """Those in the code, those in the table of signatures, and those that modules build when they are imported."""
    ways = _ways()
    found = {(e.pattern, e.flags): e for e in [*_written(), *_built(ways), *_signatures()]}
    return sorted(found.values(), key=lambda e: (e.place, e.pattern))


def _trees() -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def _ways() -> dict[str, set[str]]:
    """By the name that an expression is bound to: the methods that are called on a name like it anywhere in the package."""
    found: dict[str, set[str]] = {}
    for _, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in _CALLS:
                name = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
                found.setdefault(name, set()).add(node.attr)
    return found


def _written() -> Iterator[Expression]:
    for file, tree in _trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            owner, text = node.func.value, node.args[0]
            if not isinstance(owner, ast.Name) or owner.id != "re" or node.func.attr not in _CALLS:
                continue
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                way = node.func.attr
                place = f"{file.relative_to(PACKAGE)}:{node.lineno}"
                yield Expression(
                    place, text.value, _flags(node), way in {"match", "fullmatch"}, way in {"compile", "fullmatch"}
                )


def _flags(node: ast.Call) -> int:
    names = {
        n.attr
        for value in [*node.args[1:], *(k.value for k in node.keywords)]
        for n in ast.walk(value)
        if isinstance(n, ast.Attribute)
    }
    return int(sum(getattr(re, name) for name in names if isinstance(getattr(re, name, None), re.RegexFlag)))


def _built(ways: dict[str, set[str]]) -> Iterator[Expression]:
    for module in pkgutil.walk_packages([str(PACKAGE)], "quantgate."):
        if ".harness_patches" in module.name or module.name.endswith(("_child", ".child", "__main__")):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                loaded = importlib.import_module(module.name)
            except ImportError:
                continue  # what only NEL's child imports
        for name, value in vars(loaded).items():
            used = ways.get(name, {"search", "fullmatch"})
            for one in _inside(f"{module.name}.{name}", value, 0):
                yield replace(one, whole=used <= {"match", "fullmatch"}, full="fullmatch" in used)


def _inside(place: str, value: Any, depth: int) -> Iterator[Expression]:
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            yield Expression(place, value.pattern, value.flags & ~re.UNICODE)
        else:
            yield Expression(place, value.pattern.decode("latin-1"), value.flags | re.ASCII)
    elif isinstance(value, tuple | list | frozenset) and depth < 3:
        for item in value:
            yield from _inside(place, item, depth + 1)
    elif isinstance(value, dict) and depth < 3:
        for item in value.values():
            yield from _inside(place, item, depth + 1)


def _signatures() -> Iterator[Expression]:
    from quantgate.runs.scanning.signatures import load_signatures

    table = load_signatures()
    for row in [*table.signatures, *table.benign, *table.facts]:
        yield Expression(f"signatures.yaml {row.name}", row.pattern.pattern, row.pattern.flags & ~re.UNICODE)
    for fact in table.facts:
        if fact.model:
            yield Expression(f"signatures.yaml {fact.name} model", fact.model.pattern, fact.model.flags & ~re.UNICODE)


def hard_texts(expression: Expression, length: int) -> Iterator[str]:
    """Texts of about so many characters: what stands before a repetition, what it repeats many times, and what cannot follow."""
    tree = parser.parse(expression.pattern, expression.flags & ~re.UNICODE)
    seen: set[str] = set()
    for before, pump in _pumps(list(tree), ""):
        if not pump or (key := f"{before}\0{pump}") in seen:
            continue
        seen.add(key)
        body = pump * (length // len(pump))
        for end in _ENDS:
            yield before + body + end
        # A search begins anew at each place: what stands before the repetition may come again and again.
        if before:
            yield (before + pump) * (length // len(before + pump))


def _pumps(nodes: list[Any], before: str) -> Iterator[tuple[str, str]]:
    for at, (kind, value) in enumerate(nodes):
        if kind in _LOOPS:
            _low, high, body = value
            inner = list(body)
            if high is codes.MAXREPEAT or high >= _MANY:
                for sample in _samples(inner):
                    yield before, sample
                # The text of what follows may be the repetition's own: x*x.
                for follower in _samples(nodes[at + 1 : at + 2]):
                    for sample in _samples(inner):
                        yield before, sample + follower
            yield from _pumps(inner, before)
        elif kind is codes.SUBPATTERN:
            yield from _pumps(list(value[3]), before)
        elif kind is codes.BRANCH:
            for branch in value[1]:
                yield from _pumps(list(branch), before)
        elif kind in {codes.ASSERT, codes.ASSERT_NOT}:
            yield from _pumps(list(value[1]), before)
        elif kind is codes.ATOMIC_GROUP:
            yield from _pumps(list(value), before)
        before += next(iter(_of(kind, value)), "")


def _samples(nodes: list[Any], most: int = 4) -> list[str]:
    """A few texts that the nodes match."""
    found = [""]
    for kind, value in nodes:
        parts = _of(kind, value)[:most] or [""]
        found = [start + parts[i % len(parts)] for i, start in enumerate(found * len(parts))][:most]
        found = list(dict.fromkeys(found + [found[0][: -len(parts[0]) or None] + p for p in parts]))[:most]
    return [text for text in found if text]


def _of(kind: Any, value: Any) -> list[str]:
    if kind is codes.LITERAL:
        return [chr(value)]
    if kind is codes.NOT_LITERAL:
        return [c for c in "ax0 -." if ord(c) != value][:2]
    if kind is codes.ANY:
        return ["a", " ", ":"]
    if kind is codes.IN:
        return _set(value)
    if kind in _LOOPS:
        low, _, body = value
        # The shortest first: what may be left out must be, for `(\w+\s?)*` to stumble.
        return [*([""] if low == 0 else []), *(s * max(1, min(low, 3)) for s in _samples(list(body)))]
    if kind is codes.SUBPATTERN:
        return _samples(list(value[3]))
    if kind is codes.ATOMIC_GROUP:
        return _samples(list(value))
    if kind is codes.BRANCH:
        return [sample for branch in value[1] for sample in _samples(list(branch), 1)]
    return []


def _set(items: list[Any]) -> list[str]:
    tried = "aA0_ -.:/\\\"'=\t\n,;x9{}[]()<>@#$%&*+!?|~^`é\x1b"
    expression = re.compile(parser_text(items), re.DOTALL)
    return [c for c in tried if expression.fullmatch(c)][:4]


def parser_text(items: list[Any]) -> str:
    """A set of characters as an expression again."""
    text = ""
    for kind, value in items:
        if kind is codes.NEGATE:
            text += "^"
        elif kind is codes.LITERAL:
            text += re.escape(chr(value)) if chr(value) not in "^" else "\\^"
        elif kind is codes.RANGE:
            text += f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
        elif kind is codes.CATEGORY:
            name = str(value).rpartition("CATEGORY_")[2]
            letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.removeprefix("NOT_")]
            text += "\\" + (letter.upper() if name.startswith("NOT_") else letter)
    return f"[{text}]"


class TooSlow(Exception):
    """An expression was stopped."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    # Of processor time: a busy machine makes nothing slow.
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def slowest(expression: Expression, lengths: tuple[int, ...] = LENGTHS) -> tuple[float, int, str]:
    """The processor time of its slowest search, in which length of text, and that text; it stops at the first that is too slow."""
    compiled = re.compile(expression.pattern, expression.flags)
    worst = (0.0, 0, "")
    for length in lengths:
        for text in islice(hard_texts(expression, length), MOST_TEXTS):
            began = time.process_time()
            try:
                with _alarm(2 * LIMIT_SECONDS):
                    compiled.match(text)
                    if expression.full:
                        compiled.fullmatch(text)
                    for _ in () if expression.whole else compiled.finditer(text):
                        pass
            except TooSlow:
                return 2 * LIMIT_SECONDS, length, text
            took = time.process_time() - began
            worst = max(worst, (took, length, text))
            if took > LIMIT_SECONDS:
                return worst
    return worst
