"""Where a secret went: in files, texts, and what the kernel shows of processes, in the forms in which secrets travel.

A form is the value itself, base64 (in each of its three alignments, so that it is found inside a longer encoded text), URL-encoded,
hexadecimal, JSON-escaped, and backwards. Compressed files are not opened.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1 << 20


@dataclass(frozen=True)
class Sighting:
    """A secret that was seen.

    Attributes:
        name: Which one.
        form: In which form.
        place: Where.
        mode: Of a file; 0 for anything else.
    """

    name: str
    form: str
    place: str
    mode: int = 0

    @property
    def private(self) -> bool:
        """Whether it is a file that only its owner may read."""
        return bool(self.mode) and not self.mode & 0o077


def forms(value: str) -> dict[str, bytes]:
    """The forms of a secret, by name; those that are too short to tell anything are left out."""
    raw = value.encode()
    found = {
        "plain": raw,
        "url": urllib.parse.quote(value, safe="").encode(),
        "hex": raw.hex().encode(),
        "json": json.dumps(value)[1:-1].encode(),
        "backwards": raw[::-1],
    }
    for skip in range(3):
        encoded = base64.b64encode(b"\0" * skip + raw)
        # The characters at both ends depend on what stands beside the value.
        found[f"base64+{skip}"] = encoded[4 if skip else 0 : len(encoded) // 4 * 4 - 4]
    return {name: form for name, form in found.items() if len(form) >= 8}


def in_bytes(data: bytes, secrets: Mapping[str, str], place: str, mode: int = 0) -> Iterator[Sighting]:
    """Every secret that stands in some bytes."""
    for name, value in secrets.items():
        for form, needle in forms(value).items():
            if needle in data:
                yield Sighting(name, form, place, mode)
                break


def in_files(places: Iterable[Path], secrets: Mapping[str, str]) -> Iterator[Sighting]:
    """Every secret in the names and contents of the files below some directories; links are not followed."""
    for place in places:
        for folder, folders, names in os.walk(place):
            for name in (*folders, *names):
                yield from in_bytes(os.fsencode(name), secrets, f"the name of {folder}/{name}")
            for name in names:
                yield from _in_file(Path(folder) / name, secrets)


def _in_file(file: Path, secrets: Mapping[str, str]) -> Iterator[Sighting]:
    try:
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode):
            return
        data = file.read_bytes() if found.st_size <= 64 * BLOCK else b""
    except OSError:
        return
    yield from in_bytes(data, secrets, str(file), stat.S_IMODE(found.st_mode))


def in_titles(pids: Iterable[int], secrets: Mapping[str, str]) -> Iterator[Sighting]:
    """Every secret in the command lines of processes, which every user of a machine can read."""
    for pid in pids:
        try:
            data = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        yield from in_bytes(data, secrets, f"the command line of {pid}: {data[:60]!r}")


def in_environment(pid: int, secrets: Mapping[str, str]) -> Iterator[Sighting]:
    """Every secret in the environment of a process, which its user and root can read."""
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return
    yield from in_bytes(data, secrets, f"the environment of {command[:80]!r}")
