"""The list of a run's files is believed only where it is safe and whole."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from quantgate.cluster import listing
from quantgate.errors import BadInput, ClusterError, Unreachable

ADDRESS = "login:/runs/one"


def _parsed(*records: str, errors: str = "") -> listing.Listing:
    return listing.parse("\0".join([*records, "@end"]), errors, ADDRESS)


def test_sizes_and_times_are_kept_to_the_nanosecond() -> None:
    found = _parsed("@root\t/real/one", "f\t12\t1763740000.1234567890\t./t.0/artifacts/results.yml", "@code 0")
    assert found.root == "/real/one"
    path = PurePosixPath("t.0/artifacts/results.yml")
    assert found.files == (listing.RemoteFile(path, 12, 1763740000_123456789),)


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "./../x", "./a/../../b", "./a\nb", "./a\tb", "./a\x1b[0mb", "./bad\ufffdname", "./" + "n" * 256],
)
def test_a_name_that_leads_out_or_could_deceive_is_left_alone_and_counted(name: str) -> None:
    found = _parsed("@root\t/real/one", f"f\t1\t1.0\t{name}", "f\t1\t1.0\t./good", "@code 0")
    assert [str(f.path) for f in found.files] == ["good"]
    assert found.unnamed == 1


def test_a_directory_that_is_gone_is_another_thing_than_one_that_cannot_be_seen() -> None:
    with pytest.raises(BadInput, match="There is no run directory login:/runs/one"):
        _parsed("@absent")
    with pytest.raises(Unreachable, match="Nothing can be seen"):
        _parsed("@unseen")
    with pytest.raises(ClusterError, match="may not be entered") as closed:
        _parsed("@closed")
    assert not isinstance(closed.value, Unreachable)
    with pytest.raises(Unreachable, match="no answer that can be read"):
        _parsed("Welcome")


def test_a_list_that_broke_off_is_said_to_lack_something() -> None:
    rows = ("@root\t/real/one", "f\t1\t1.0\t./results.yml")
    assert _parsed(*rows, "@code 124").partial == "the list took too long"
    assert "Permission denied" in _parsed(*rows, "@code 1", errors="find: './t.0': Permission denied").partial
    with pytest.raises(ClusterError, match="GNU find"):
        _parsed("@root\t/real/one", "@code 1", errors="find: unrecognized: -printf")
