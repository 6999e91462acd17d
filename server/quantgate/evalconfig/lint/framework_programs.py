"""The rule about a server's program and its image: a public image of one framework does not have another one's program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .rule import Hit, Rule, Subject
from .serving_images import IMAGE, serving_tag

CLI_NOT_FOUND = "framework_cli_not_found"
"""Nemotron's name for it."""
_TABLE = Path(__file__).with_name("framework_programs.yaml")


class ProgramRow(BaseModel):
    """A program, whose it is, the image that has it, and the frameworks whose public images have not."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    program: str
    of: str
    image: str
    absent_from: tuple[str, ...]
    source: str


@cache
def table() -> tuple[ProgramRow, ...]:
    """framework_programs.yaml, read once."""
    import yaml

    return tuple(
        ProgramRow.model_validate(row) for row in yaml.safe_load(_TABLE.read_text(encoding="utf-8"))["programs"]
    )


def absent_program(subject: Subject) -> Iterable[Hit]:
    """A command whose program is not in its image."""
    tag = serving_tag(subject)
    if tag is None or not tag.framework:
        return
    command = subject.text("deployment", "command")
    for row in table():
        if tag.framework in row.absent_from and re.search(
            rf"(?:^|[\s/'\"]){re.escape(row.program)}(?=$|[\s'\"])", command
        ):
            message = f"The command starts {row.program} ({row.of}), and the image {tag.image[:120]} does not have it"
            fix = f"take an image that has it: edit_config(set=['{IMAGE}={row.image}']), or the program of this image"
            yield Hit(IMAGE, message, fix, cause="D42", named=CLI_NOT_FOUND)
            return


RULES = (
    Rule(
        "D42",
        "error",
        "Program that the image does not have",
        "take the image of the program's own framework",
        "quantgate evalconfig/lint/framework_programs.yaml, which names a source for each",
        absent_program,
    ),
)
