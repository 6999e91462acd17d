"""topics.yaml: what a model card says that an evaluation must know, and the config key it goes to."""

from __future__ import annotations

import re
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..markdown_table import markdown_table

_TABLE = Path(__file__).resolve().parent / "topics.yaml"
_NOTHING = str.maketrans("", "", " -_*`")

Kind = Literal["number", "tokens", "word", "flag", "switch", "variable", "image", "note"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(_Row):
    """What an agent must search for where no card lies beside the weights; `when` says for which models."""

    name: str
    search: str
    when: Literal["always", "reasoning", "tools"] = "always"


class Topic(_Row):
    """One thing to find in a card.

    Attributes:
        key: The config key it goes to, short (see `full_key`); empty when it goes to none.
        kind: What a value of it looks like.
        terms: Words it is known by; `_` stands for a blank, a hyphen, an underscore or nothing.
        counted: Words that count only with a value next to them.
        maximum: A number above it is something else; 0 without a limit.
        highest: The largest value is the one that is wanted.
        apart: Beginnings of words after which a further number is about something else.
        command: The words begin a serving command, which may run over several lines.
    """

    name: str
    group: str
    key: str
    kind: Kind
    terms: tuple[str, ...]
    note: str
    source: str = Field(min_length=4)
    counted: tuple[str, ...] = ()
    maximum: float = 0
    highest: bool = False
    apart: tuple[str, ...] = ()
    command: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds any of its words, the longest first; the group `counted` is set for those that want a value."""
        certain, counted = _alternatives(self.terms), _alternatives(self.counted)
        body = "|".join(part for part in (certain, f"(?P<counted>{counted})" if counted else "") if part)
        return re.compile(body, 0 if self.kind == "variable" else re.IGNORECASE)

    @cached_property
    def others(self) -> re.Pattern[str] | None:
        """Finds a word of `apart`; None where there is none."""
        return re.compile(rf"\b(?:{'|'.join(map(re.escape, self.apart))})", re.IGNORECASE) if self.apart else None


class FrontField(_Row):
    """A field of the front matter that is shown."""

    field: str
    key: str
    note: str
    source: str = Field(min_length=4)


class CardTopics(_Row):
    """topics.yaml."""

    prefixes: dict[str, str]
    groups: tuple[Group, ...]
    topics: tuple[Topic, ...]
    front_matter: tuple[FrontField, ...]

    @cached_property
    def searched(self) -> tuple[Topic, ...]:
        """The topics that have words to look for."""
        return tuple(topic for topic in self.topics if topic.terms)

    @cached_property
    def anything(self) -> re.Pattern[str]:
        """Finds in a squashed line what may be a word of any topic; cheap, and wrong only on the generous side."""
        words = {squash(term) for topic in self.searched for term in (*topic.terms, *topic.counted)}
        return re.compile("|".join(re.escape(word) for word in sorted(words)))


@cache
def card_topics() -> CardTopics:
    """topics.yaml, read once."""
    from ruamel.yaml import YAML

    return CardTopics.model_validate(YAML(typ="safe", pure=False).load(_TABLE.read_text(encoding="utf-8")))


def squash(text: str) -> str:
    """Lower case, without what may stand between the parts of a term."""
    return text.lower().translate(_NOTHING)


def full_key(key: str) -> str:
    """A key as `edit_config` takes it: `params.top_p` becomes `evaluation.nemo_evaluator_config.config.params.top_p`."""
    head, dot, rest = key.partition(".")
    return card_topics().prefixes.get(head, head) + dot + rest


def topics_markdown() -> str:
    """What to look for in a card and the key of each finding; between the marks of model-card-research.md."""
    table = card_topics()
    rows = []
    for topic in table.topics:
        words = ", ".join(f"`{term}`" for term in topic.terms[:4]) or "–"
        rows.append([topic.name, words, f"`{full_key(topic.key)}`" if topic.key else "–", topic.note or "–"])
    rows += [[f.field, "front matter", "–", f.note] for f in table.front_matter]
    return markdown_table(("find", "words", "key", "mind"), rows)


def _alternatives(terms: tuple[str, ...]) -> str:
    return "|".join(_regex(term) for term in sorted(terms, key=len, reverse=True))


def _regex(term: str) -> str:
    if term.endswith("_"):  # the beginning of a variable's name
        return rf"(?<![A-Za-z0-9_]){re.escape(term)}"
    body = "[-_ ]?".join(re.escape(part) for part in term.split("_"))
    before = "(?<![A-Za-z0-9_])" if term[0].isalnum() else ""
    return before + body + ("(?![A-Za-z0-9_]|-[A-Za-z])" if term[-1].isalpha() else "")
