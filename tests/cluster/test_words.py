"""What a remote shell gets is what was meant, and nothing more."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantgate.cluster import words
from quantgate.errors import BadInput


@pytest.mark.parametrize("value", ["", "-rf", "--help", "a\nb", "a\rb", "a\0b", "\x1b[31m", "x" * 5000])
def test_a_value_that_could_be_an_option_or_a_second_line_is_refused(value: str) -> None:
    with pytest.raises(BadInput):
        words.operand(value, "path")


@given(st.lists(st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=30), min_size=1, max_size=4))
def test_a_shell_takes_every_argument_as_it_was(arguments: list[str]) -> None:
    line = words.line(["printf", r"%s\036", *arguments])
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=10, check=True)
    assert done.stdout.decode() == "".join(a + "\x1e" for a in arguments)
