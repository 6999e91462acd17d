"""The table of trials in docs/agent-trials.md, made of the kept grades: `python -m tests.agent.table` writes it again."""

from __future__ import annotations

from pathlib import Path

from . import scenario, spoiled, transcript
from .recording import TRANSCRIPTS

PAGE = Path(__file__).parents[2] / "docs" / "agent-trials.md"
BEGIN, END = "<!-- trials: begin -->", "<!-- trials: end -->"
_HEAD = (
    "scenario",
    "trial",
    "played by",
    "skill",
    "grade",
    "calls (refused)",
    "questions",
    "documents",
    "tokens read",
    "minutes",
)


def _row(path: Path) -> tuple[str, ...]:
    entries = transcript.lines_of(path)
    opening, grade = entries[0], entries[-1]
    verdict = "passed" if grade["passed"] else "failed: " + ", ".join(f"`{name}`" for name in grade["failed"])
    return (
        f"`{opening['scenario']}`",
        f"`{path.stem}`",
        opening["by"].partition(" of ")[0].partition(", in ")[0],
        f"`{opening['skill']}`" if "skill" in opening else "–",
        verdict,
        f"{grade['calls']} ({grade['refusals']})",
        str(grade["questions"]),
        str(grade["documents"]),
        f"{grade['read_tokens']:,}",
        f"{grade['minutes']:.1f}",
    )


def made() -> str:
    """The table as the kept transcripts give it, the scenarios in the order of their names; bad ones are no trials."""
    files = [p for p in sorted(TRANSCRIPTS.glob("*.jsonl")) if not p.stem.startswith(spoiled.PREFIX)]
    rows = sorted(_row(path) for path in files)
    played = {row[0] for row in rows}
    rows += [(f"`{name}`", "none yet", *["–"] * 8) for name in scenario.names() if f"`{name}`" not in played]
    return "\n".join("| " + " | ".join(row) + " |" for row in (_HEAD, ("---",) * len(_HEAD), *sorted(rows)))


def current() -> str:
    """The table that stands in the page."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    """Write the table into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{made()}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write()
