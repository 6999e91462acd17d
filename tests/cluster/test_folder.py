"""The list of a checkpoint's files is believed only where it is whole."""

from __future__ import annotations

import pytest

from quantgate.cluster import folder
from quantgate.errors import Unreachable

ROWS = ("@root\t/real/m", "f\t12\t1763740000.5\tmodel-00001-of-00002.safetensors")


def _parsed(*records: str) -> folder.Folder:
    return folder.parse("/m", "\0".join([*records, "@end"]), "", "login")


def test_a_whole_list_is_taken() -> None:
    assert [e.name for e in _parsed(*ROWS, "@code 0", "@code 0").entries] == ["model-00001-of-00002.safetensors"]
    assert len(_parsed(*ROWS, "@code 1", "@code 0").entries) == 1, "a link in a circle ends find with 1"


@pytest.mark.parametrize("codes", [("@code 124", "@code 0"), ("@code 137", "@code 0"), ("@code 0", "@code 124")])
def test_a_list_that_was_broken_off_is_not_taken_for_the_whole(codes: tuple[str, str]) -> None:
    with pytest.raises(Unreachable, match="not whole"):
        _parsed(*ROWS, *codes)
