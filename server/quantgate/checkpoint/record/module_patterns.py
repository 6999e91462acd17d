"""Which modules a list of a checkpoint's patterns covers.

Four notations are in use, and a list may mix them:

- plain names, of a module or of a parent of it;
- shell wildcards (`model.layers.0.self_attn*`), as ModelOpt, Quark and vLLM write and read them;
- `re:` and a regular expression that must match at the start of the name (compressed-tensors 0.20.0
  `utils/match.py`, Quark's `exclude`, torchao's `module_fqn_to_config`);
- `-:` and a regular expression, GPTQModel's `dynamic` (vLLM 0.33.0 `quantization/utils/gptq_utils.py`). `+:` there
  changes a module's settings and excludes nothing.

The patterns come from the checkpoint, and Python's `re` can take exponential time. So an expression is refused before it
is compiled when a repeated group repeats or branches inside, when it refers back, or when its quantifiers and branches
allow more than `MAX_STEPS` ways through a name. What many harmless attempts add up to is bounded by a budget of time.
Whatever was not decided is listed.
"""

from __future__ import annotations

import fnmatch
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import comb, prod

MAX_PATTERN = 500
"""Longest expression or wildcard pattern that is compiled, in characters."""
MAX_COMPILED = 60_000
"""Most characters of patterns that are compiled for one list."""
MAX_STEPS = 10_000_000
"""Most ways through one name that an expression may have: about a fifth of a second. It admits four `.*`."""
MAX_NAME = 120
"""Longest module name that an expression is tried on, in characters."""
BUDGET = 1.0
"""Seconds that all attempts of one list may take together."""
_WILD = frozenset("*?[")
_EXPRESSIONS = ("re:", "-:")
_HIDING = re.compile(r"\(\?(?:P=|\(|#|[a-zA-Z-]*x)")
"""Groups that refer back, and comments and verbose mode, in which characters do not mean what they say."""
_COUNTED = re.compile(r"\{(\d*),?(\d*)\}")


def is_pattern(name: str) -> bool:
    """Whether a name is a pattern rather than one module's name."""
    return name.startswith((*_EXPRESSIONS, "+:")) or not _WILD.isdisjoint(name)


@dataclass
class Coverage:
    """A test whether a module is covered, which keeps account of what it could not decide.

    Attributes:
        refused: Patterns that were not compiled: malformed, too long, too many, or too expensive.
        exhausted: The budget of time was used up; from then on expressions cover nothing.
        untried: Names that were too long to try an expression on.
    """

    exact: frozenset[str]
    starts: Mapping[int, frozenset[str]]
    expressions: tuple[re.Pattern[str], ...]
    refused: tuple[str, ...] = ()
    exhausted: bool = False
    untried: int = 0
    spent: float = 0.0

    def __call__(self, name: str) -> bool:
        """Whether this module, or a parent of it, is in the list."""
        if name in self.exact:
            return True
        at = name.find(".")
        while at >= 0:
            if name[:at] in self.exact:
                return True
            at = name.find(".", at + 1)
        return any(name[:n] in stems for n, stems in self.starts.items()) or self._matches(name)

    def _matches(self, name: str) -> bool:
        if not self.expressions or self.exhausted:
            return False
        if len(name) > MAX_NAME:
            self.untried += 1
            return False
        started = time.perf_counter()
        try:
            for expression in self.expressions:
                if expression.match(name) is not None:
                    return True
                if self.spent + time.perf_counter() - started > BUDGET:
                    self.exhausted = True
                    return False
            return False
        finally:
            self.spent += time.perf_counter() - started


def covers(patterns: Iterable[str]) -> Coverage:
    """A test whether a module is covered by patterns in any of the notations above.

    A pattern without a wildcard covers the module and everything below it. A pattern whose only wildcard is a star at
    its end is looked up, so tens of thousands of them cost little.

    Args:
        patterns: As the checkpoint writes them; none raises.
    """
    exact: set[str] = set()
    starts: dict[int, set[str]] = {}
    expressions: list[re.Pattern[str]] = []
    refused: list[str] = []
    left = MAX_COMPILED
    for pattern in dict.fromkeys(patterns):
        if pattern.startswith("+:"):
            continue
        stem = pattern.removesuffix("*")
        if not is_pattern(stem):
            if stem == pattern:
                exact.add(pattern)
            else:
                starts.setdefault(len(stem), set()).add(stem)
            continue
        compiled = _compile(pattern) if len(pattern) <= min(left, MAX_PATTERN) else None
        if compiled is None:
            refused.append(pattern)
        else:
            left -= len(pattern)
            expressions.append(compiled)
    return Coverage(
        frozenset(exact), {n: frozenset(s) for n, s in sorted(starts.items())}, tuple(expressions), tuple(refused)
    )


def assigned(formats: Mapping[str, str], patterns: Iterable[tuple[str, str]] = ()) -> Assignment:
    """What a record assigns to a module.

    Args:
        formats: Format by the exact name of a module.
        patterns: Pairs of a pattern and a format; the first that covers a module counts.
    """
    by_format: dict[str, list[str]] = {}
    for pattern, value in patterns:
        by_format.setdefault(value, []).append(pattern)
    return Assignment(formats, tuple((covers(group), value) for value, group in by_format.items()))


@dataclass(frozen=True)
class Assignment:
    """The format that is recorded for a module: by its name, then by a pattern, then by a parent's name."""

    formats: Mapping[str, str]
    patterns: tuple[tuple[Coverage, str], ...]

    def __call__(self, name: str) -> str:
        """The format, or the empty string when none is recorded."""
        if found := self.formats.get(name):
            return found
        for within, value in self.patterns:
            if within(name):
                return value
        parent = name.rpartition(".")[0]
        while parent:
            if found := self.formats.get(parent):
                return found
            parent = parent.rpartition(".")[0]
        return ""


def _compile(pattern: str) -> re.Pattern[str] | None:
    prefix = next((p for p in _EXPRESSIONS if pattern.startswith(p)), "")
    if prefix:
        text = pattern.removeprefix(prefix)
        if not _is_cheap(text):
            return None
    else:
        # Since Python 3.9 this makes expressions that never go back over a star.
        text = fnmatch.translate(pattern)
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError):
        return None


def _is_cheap(expression: str) -> bool:
    """Whether one attempt, at worst, takes few enough steps."""
    if _HIDING.search(expression):
        return False
    repeats, branches, at = 0, [1], 0
    groups = [(False, 0)]  # for each open group: does it repeat or branch inside, and where its count of branches is
    closed: bool | None = None  # the former of the group that ended just before, None after anything else
    while at < len(expression):
        char, step, was_closed = expression[at], 1, closed
        closed = None
        if char == "\\":
            if expression[at + 1 : at + 2].isdigit():
                return False  # refers back
            step = 2
        elif char == "[":
            if (step := _class_length(expression, at)) == 0:
                return False
        elif char == "(":
            step = 2 if expression.startswith("(?", at) else 1  # that mark is no quantifier
            groups.append((False, len(branches)))
            branches.append(1)
        elif char == ")" and len(groups) > 1:
            closed = groups.pop()[0]
            groups[-1] = (groups[-1][0] or closed, groups[-1][1])
        elif char == "|":
            branches[groups[-1][1]] += 1
            groups[-1] = (True, groups[-1][1])
        elif (step := _quantifier_length(expression, at)) > 0:
            repeats += 1
            if was_closed and char != "?":
                return False  # a repeated group that repeats or branches inside
            groups[-1] = (True, groups[-1][1])
        at += step or 1
    # Each quantifier may stop anywhere in the name, and each group may take any of its branches.
    return comb(MAX_NAME + repeats, repeats) * prod(branches) <= MAX_STEPS


def _class_length(expression: str, at: int) -> int:
    """Characters of the `[…]` that starts here; 0 when Python may come to read it as a set of sets."""
    end = at + 1
    if expression.startswith("^", end):
        end += 1
    end += 1  # a bracket that comes first is a member
    while end < len(expression) and expression[end] != "]":
        end += 2 if expression[end] == "\\" else 1
    inside = expression[at + 1 : end]
    return 0 if any(mark in inside for mark in ("[", "--", "&&", "~~", "||")) else end + 1 - at


def _quantifier_length(expression: str, at: int) -> int:
    """Characters of the quantifier that starts here with its mark for laziness; 0 when there is none."""
    if expression[at] in "*+?":
        width = 1
    elif (counted := _COUNTED.match(expression, at)) is not None:
        width = counted.end() - at
    else:
        return 0
    return width + expression.startswith(("?", "+"), at + width)
