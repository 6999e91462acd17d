"""Writes docs/coverage.md: how much of each room the tests ran, and why the rest was not.

`make coverage` measures and calls it. Measurements of several runs add up (build/coverage); the page names the tests of each.
docs/coverage.yaml says for modules and functions why a test does not run them; what it does not name is counted as unexplained.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "server" / "quantgate"
MEASURED = ROOT / "build" / "coverage"
RAN = MEASURED / "ran"
PAGE = ROOT / "docs" / "coverage.md"
REASONS = ROOT / "docs" / "coverage.yaml"
MOST_LISTED = 15
"""Modules with unexplained lines that the page lists."""


TEXT = """# Coverage

Which lines of `server/quantgate/` the tests run, children of the tests included (`make coverage`, coverage.py). A child that is
killed, or that runs without this environment (a login node's python3, a harness's own), leaves no measurement. Measured with:
{runs}.

{rooms}

## Explained

From [coverage.yaml](coverage.yaml).

{why}

## Not explained

{unexplained} lines. The modules with most of them:

{listed}
"""
IN_PART = (
    "This is not the whole suite: rooms whose own tests are not among these are left out, and what only tests of other rooms run "
    "counts as not run"
)


@dataclass(frozen=True)
class Measured:
    """One module of the package.

    Attributes:
        file: Its path below the package.
        statements: Lines that could run.
        missing: Those that did not.
    """

    file: str
    statements: int
    missing: tuple[int, ...]

    @property
    def room(self) -> str:
        """The room it belongs to."""
        return self.file.split("/")[0].removesuffix(".py")


@dataclass(frozen=True)
class Reason:
    """Why some code is not run.

    Attributes:
        why: In words.
        places: `FILE`, `FILE: FUNCTION` (`Class.method` for one of a class), or `if CONDITION`: the bodies of such ifs anywhere.
    """

    why: str
    places: tuple[str, ...]


def reasons() -> list[Reason]:
    """The table of explanations."""
    rows = yaml.safe_load(REASONS.read_text(encoding="utf-8"))
    return [Reason(row["why"], tuple(row["places"])) for row in rows]


def functions(file: str) -> dict[str, range]:
    """The lines of every function and class of a module, by qualified name."""

    def inside(node: ast.AST, prefix: str) -> Iterator[tuple[str, range]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                yield name, range(child.lineno, (child.end_lineno or child.lineno) + 1)
                yield from inside(child, f"{name}.")
            else:
                yield from inside(child, prefix)

    return dict(inside(ast.parse((PACKAGE / file).read_text(encoding="utf-8")), ""))


def bodies(file: str, condition: str) -> set[int]:
    """The lines of a module that stand in the body of an `if` of this condition."""
    found: set[int] = set()
    for node in ast.walk(ast.parse((PACKAGE / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == condition:
            found.update(range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1))
    return found


def explained(measured: Measured, places: tuple[str, ...]) -> set[int]:
    """The missing lines of a module that some places account for."""
    found: set[int] = set()
    for place in places:
        file, _, name = place.partition(": ")
        if place.startswith("if "):
            found |= bodies(measured.file, place.removeprefix("if ")) & set(measured.missing)
        elif file == measured.file:
            lines = functions(file)[name] if name else None
            found |= {line for line in measured.missing if lines is None or line in lines}
    return found


def measurements() -> list[Measured]:
    """What the runs measured together, by file.

    Raises:
        SystemExit: Nothing was measured.
    """
    data = coverage.Coverage(data_file=str(MEASURED / "combined"), config_file=str(ROOT / "pyproject.toml"))
    parts = [str(path) for path in MEASURED.glob("data.*")]
    if not parts:
        raise SystemExit("Nothing was measured: make coverage")
    data.combine(parts, keep=True)
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_shipped" in path.parts:
            continue
        _, statements, _, missing, _ = data.analysis2(str(path))
        found.append(Measured(path.relative_to(PACKAGE).as_posix(), len(statements), tuple(missing)))
    return found


def _share(statements: int, missing: int) -> str:
    return f"{100 * (statements - missing) / statements:.1f} %" if statements else "–"


def page(found: list[Measured], table: list[Reason], ran: list[str]) -> str:
    """The page in Markdown.

    Args:
        found: Every module.
        table: The explanations.
        ran: Arguments of pytest, of each run that was measured.
    """
    everywhere = tuple(place for reason in table for place in reason.places)
    left = {m.file: len(set(m.missing) - explained(m, everywhere)) for m in found}
    named = {Path(argument).name for arguments in ran for argument in arguments.split() if argument != "tests"}
    whole = "tests" in ran
    found = [module for module in found if whole or module.room in named]
    rooms: dict[str, list[Measured]] = {}
    for module in found:
        rooms.setdefault(module.room, []).append(module)
    rows = [
        "| room | lines that can run | run by a test | not run | of them explained below |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, modules in [*sorted(rooms.items()), ("in all", found)]:
        statements, missing = sum(m.statements for m in modules), sum(len(m.missing) for m in modules)
        unexplained = sum(left[m.file] for m in modules)
        rows.append(
            f"| {name} | {statements:,} | {_share(statements, missing)} | {missing:,} | {missing - unexplained:,} |"
        )
    why = ["| not run because | lines | where |", "| --- | ---: | --- |"]
    for reason in table:
        lines = sum(len(explained(module, reason.places)) for module in found)
        why.append(f"| {reason.why} | {lines} | {', '.join(f'`{place}`' for place in reason.places)} |")
    most = sorted(((m.file, left[m.file]) for m in found if left[m.file]), key=lambda item: (-item[1], item[0]))[
        :MOST_LISTED
    ]
    listed = ["| module | lines |", "| --- | ---: |", *(f"| `{file}` | {lines} |" for file, lines in most)]
    runs = ", ".join(f"`pytest {arguments}`" for arguments in ran)
    unexplained = sum(left[m.file] for m in found)
    return TEXT.format(
        runs=runs if whole else f"{runs}. {IN_PART}",
        rooms="\n".join(rows),
        why="\n".join(why),
        unexplained=f"{unexplained:,}",
        listed="\n".join(listed),
    )


def main() -> int:
    """Write the page; the arguments are those that pytest was run with."""
    ran = RAN.read_text(encoding="utf-8").splitlines() if RAN.is_file() else []
    ran = list(dict.fromkeys([*ran, " ".join(sys.argv[1:])]))
    RAN.write_text("".join(f"{line}\n" for line in ran), encoding="utf-8")
    PAGE.write_text(page(measurements(), reasons(), [line or "tests" for line in ran]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
