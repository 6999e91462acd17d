"""The table of all rules, as Markdown for docs/rules.md."""

from __future__ import annotations

from .engine import RULES
from .rule import Rule

GROUPS = {
    "C": "The config itself",
    "D": "Deployment and checkpoint",
    "S": "Where it runs",
    "L": "What the cluster has (check_config with preflight=true)",
    "T": "Tasks, judges and scores",
    "P": "Found by quantgate beyond NEL's own pitfalls",
}
"""What the first letter of an id stands for, in the order of the page."""


def rules_markdown() -> str:
    """Every rule that check_config applies: id, severity, title, fix, source, and what it must see beside the file."""
    parts = []
    for letter, title in GROUPS.items():
        rules = sorted((rule for rule in RULES if rule.id.startswith(letter)), key=lambda rule: int(rule.id[1:]))
        rows = [_row(rule) for rule in rules]
        head = ["| id | severity | what is wrong | fix | needs | source |", "| --- | --- | --- | --- | --- | --- |"]
        parts.append("\n".join([f"## {letter}: {title}", "", *head, *rows]))
    return "\n\n".join(parts)


def _row(rule: Rule) -> str:
    cells = (rule.id, rule.severity, rule.title, rule.fix, ", ".join(rule.needs), rule.source)
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    # Angle brackets would be taken for HTML.
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
