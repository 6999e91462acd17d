"""`make audit`: what is known against the locked dependencies, with the network and without it, and what could not be seen.

Usage: audit.py [--offline] [LOCK …]

Without a network it looks at what needs no service: a hash for every file, one pinned version of every package, the weaknesses
listed in requirements/advisories.yaml (and in the package safety-db, where that is installed), licences, packages that do not come
from an index, and code that runs at every start of Python. Exit status 1 when something is found.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
ADVISORIES = ROOT / "requirements" / "advisories.yaml"
PIP_AUDIT = "pip-audit==2.10.1"
SECONDS = 300
OLD_DAYS = 90
_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_ASKS_MORE = re.compile(r"\b(?:A?GPL|LGPL|GNU|SSPL|EUPL|CC-BY-NC)", re.IGNORECASE)


def name_of(text: str) -> str:
    """A package's name as an index compares it."""
    return re.sub(r"[-_.]+", "-", text).lower()


def read_lock(text: str) -> dict[str, tuple[str, int]]:
    """The packages of a lock file: version and number of hashes.

    Raises:
        ValueError: A line pins nothing.
    """
    found: dict[str, tuple[str, int]] = {}
    for block in re.split(r"\n(?=\S)", text):
        lines = [line for line in block.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if not lines or lines[0].startswith("-"):
            continue
        pinned = _PINNED.match(lines[0])
        if pinned is None:
            raise ValueError(f"not pinned to one version: {lines[0][:80]}")
        found[name_of(pinned["name"])] = (pinned["version"], block.count("--hash=sha256:"))
    return found


def without_hash(locked: Mapping[str, tuple[str, int]]) -> Iterator[str]:
    """Packages whose files anybody could exchange."""
    for name, (version, hashes) in locked.items():
        if not hashes:
            yield f"{name} {version} has no hash"


def weak(locked: Mapping[str, tuple[str, int]], rows: list[dict[str, Any]]) -> Iterator[str]:
    """Packages in a version that an advisory names."""
    for row in rows:
        version, _ = locked.get(name_of(row["package"]), ("", 0))
        if version and Version(version) < Version(str(row["below"])):
            yield f"{row['package']} {version}: {row['id']}, mended in {row['below']}: {row['what']}"


def weak_by_safety_db(locked: Mapping[str, tuple[str, int]], database: Mapping[str, Any]) -> Iterator[str]:
    """The same by the tables of the package safety-db."""
    for name, (version, _) in locked.items():
        for ranges in database.get(name, []):
            if Version(version) in SpecifierSet(ranges, prereleases=True):
                yield f"{name} {version}: listed in safety-db as {ranges}"


def licences(reviewed: Mapping[str, str]) -> Iterator[str]:
    """Installed packages with a licence that asks for more than a notice and that nobody has looked at."""
    for found in importlib.metadata.distributions():
        name = name_of(found.metadata["Name"])
        classifiers = [c for c in found.metadata.get_all("Classifier") or [] if c.startswith("License ::")]
        said = found.metadata.get("License-Expression") or " ".join(classifiers) or found.metadata.get("License") or ""
        first = said.strip().splitlines()[0] if said.strip() else ""
        if _ASKS_MORE.search(first) and name not in reviewed:
            yield f"{name}: {first[:100]}"


def from_elsewhere() -> Iterator[str]:
    """Installed packages that come from no index, but for quantgate itself."""
    for found in importlib.metadata.distributions():
        if found.read_text("direct_url.json") and name_of(found.metadata["Name"]) != "quantgate":
            yield f"{found.metadata['Name']}: installed from an address or a directory"


def at_every_start(reviewed: Mapping[str, str]) -> Iterator[str]:
    """Files that run code at every start of this Python, and what somebody who has read one says of it."""
    for file in sorted(Path(sysconfig.get_path("purelib")).glob("*.pth")):
        if any(line.startswith("import") for line in file.read_text(encoding="utf-8", errors="replace").splitlines()):
            yield f"{file.name}: {reviewed.get(file.name, 'not reviewed')}"


def online(lock: Path) -> tuple[list[str], str]:
    """What pip-audit says of a lock file, and why it could not say anything."""
    argv = ["uv", "tool", "run", PIP_AUDIT, "-r", str(lock), "--no-deps", "--disable-pip", "--format", "json"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
        rows = json.loads(done.stdout)["dependencies"]
    except FileNotFoundError:
        return [], "uv is not installed"
    except subprocess.TimeoutExpired:
        return [], f"no answer within {SECONDS} s"
    except (ValueError, KeyError):
        said = done.stderr.strip().splitlines()[-1:] or ["no words"]
        return [], said[0][:200]
    return heard(rows)


def heard(rows: list[dict[str, Any]]) -> tuple[list[str], str]:
    """What pip-audit's rows say, and what they do not: it calls packages that it could not look up no weakness and ends well."""
    skipped = [row for row in rows if row.get("skip_reason")]
    why = (
        f"{len(skipped)} of {len(rows)} packages could not be looked up: {skipped[0]['skip_reason'][:120]}"
        if skipped
        else ""
    )
    return [f"{r['name']} {r['version']}: {v['id']}" for r in rows for v in r.get("vulns", [])], why


def _show(title: str, rows: list[str]) -> None:
    sys.stdout.write(f"{title}: {len(rows) or 'none'}\n" + "".join(f"  {row}\n" for row in rows))


def main() -> int:
    """Print what there is; 1 when something must be mended."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("locks", nargs="*", type=Path, default=LOCKS)
    parser.add_argument("--offline", action="store_true", help="ask no service")
    given = parser.parse_args()
    table = yaml.safe_load(ADVISORIES.read_text(encoding="utf-8"))
    findings: list[str] = []
    unseen: list[str] = []
    for lock in given.locks:
        locked = read_lock(lock.read_text(encoding="utf-8"))
        rows = [*without_hash(locked), *weak(locked, table["advisories"])]
        said, why = ([], "--offline was given") if given.offline else online(lock)
        if why:
            unseen.append(f"{lock.name} was not held against an advisory service: {why}")
        _show(f"{lock.name}: {len(locked)} packages; findings", [*rows, *said])
        findings += [*rows, *said]
        findings += _safety_db(locked)
    for title, rows in (
        ("Licences that ask for more than a notice, not reviewed", list(licences(table["reviewed_licences"]))),
        ("Packages that come from no index", list(from_elsewhere())),
        ("Code at every start of Python", list(at_every_start(table["reviewed_start_code"]))),
    ):
        _show(title, rows)
    _show("Not seen", [*unseen, *_limits(table["as_of"])])
    return 1 if findings else 0


def _safety_db(locked: Mapping[str, tuple[str, int]]) -> list[str]:
    try:
        # Its own loader (2021.7.17) reads from the working directory.
        file = importlib.metadata.distribution("safety-db").locate_file("safety_db/insecure.json")
    except importlib.metadata.PackageNotFoundError:
        return []
    rows = list(weak_by_safety_db(locked, json.loads(Path(str(file)).read_text(encoding="utf-8"))))
    _show(f"By safety-db of {importlib.metadata.version('safety-db')}", rows)
    return rows


def _limits(as_of: date) -> list[str]:
    days = (datetime.now(tz=UTC).date() - as_of).days
    old = f", which is old: {days} days" if days > OLD_DAYS else ""
    return [
        f"requirements/advisories.yaml is a short list by hand, of {as_of}{old}: a weakness that is not in it is not seen",
        "yanked versions: only an index tells (`make lock` warns)",
        "what a package does when it is installed or imported: nothing here reads code",
        "programs that are no Python packages: ssh, rsync, docker, the harnesses' images",
    ]


if __name__ == "__main__":
    sys.exit(main())
