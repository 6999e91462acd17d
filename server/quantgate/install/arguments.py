"""The words of `quantgate install-skill`; apart from the rest, so that the other commands load nothing of it."""

from __future__ import annotations

import argparse

CLIENTS = ("claude", "codex", "cursor", "vscode")
USER, PROJECT = "user", "project"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "--client", required=True, metavar="CLIENT", help=f"{', '.join(CLIENTS)}, or a folder of skills"
    )
    parser.add_argument(
        "--scope",
        choices=[USER, PROJECT],
        default=USER,
        help="for you everywhere, or for the project in the working directory (default %(default)s)",
    )
    parser.add_argument("--no-server", action="store_true", help="copy the skills and leave the list of servers alone")
    parser.add_argument(
        "--command", dest="start", default="", help="what the client starts as the server (default: this installation)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    parser.add_argument("--yes", action="store_true", help="overwrite what you changed, without asking")
    parser.add_argument("--uninstall", action="store_true", help="remove what was installed and is unchanged")
