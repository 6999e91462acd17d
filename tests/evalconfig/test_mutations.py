"""Examples with a few lines spoilt at random: whatever stands there, checking and editing end with an answer or a refusal."""

import random
import re
from pathlib import Path

import pytest

from quantgate import shipped
from quantgate.errors import BadInput
from quantgate.evalconfig.edit import Request, edit
from quantgate.evalconfig.lint import check

from .made import write

ROUNDS = 8
VALUES = (
    "null", "[]", "{}", "-1", "'x y'", "[1, 2]", "{a: 1}", "1e400", ".nan", "'${a.b}'", "'???'", "2025-01-01", "0x1f", "'--x'",
    '"a\\nb"', "'{'", "'http://[x'", "$X", "'auxiliary_deployments.a.b'", "''", "!!binary aGk=", "*x", "&x 1",
)  # fmt: skip
SPOILT = "-:'\"{}[]#&*!|>%@`$\\ ,x0"


def _spoilt(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(chance.choice((1, 1, 2, 3))):
        number = chance.randrange(len(lines))
        key = re.match(r"(\s*(?:- )?[\w-]+:)( .*)?$", lines[number])
        kind = chance.random()
        if key and kind < 0.6:
            lines[number] = f"{key[1]} {chance.choice(VALUES)}"
        elif kind < 0.75 and len(lines) > 1:
            del lines[number]
        elif lines[number]:
            at = chance.randrange(len(lines[number]))
            lines[number] = lines[number][:at] + chance.choice(SPOILT) + lines[number][at + 1 :]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "file", sorted((shipped.recipes_dir() / "examples").glob("*.yaml")), ids=lambda file: file.stem
)
def test_a_spoilt_config_is_answered_or_refused_and_never_left_half_edited(tmp_path: Path, file: Path) -> None:
    chance = random.Random(file.stem)
    for _ in range(ROUNDS):
        text = _spoilt(file.read_text(encoding="utf-8"), chance)
        path = write(tmp_path, text)
        report = check(path)
        assert all(finding.message and finding.fix for finding in report.findings)
        refused = _refusal(path)
        if refused is not None:
            assert refused.fix, refused
            assert path.read_text(encoding="utf-8") == text


def _refusal(path: Path) -> BadInput | None:
    try:
        edit(str(path), Request(set=("evaluation.nemo_evaluator_config.config.params.parallelism=3",)))
    except BadInput as refused:
        return refused
    return None
