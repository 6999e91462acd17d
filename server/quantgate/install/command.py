"""`quantgate install-skill`: look, say what would change, change it, and say what was left."""

from __future__ import annotations

import argparse
import difflib
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from .. import __version__
from ..errors import BadInput
from ..gates.permission.shown import in_full
from . import clients, planning, server_entry
from . import record as records
from .clients import Target
from .planning import File, State
from .server_entry import Entry
from .writing import Change, apply

MAX_DIFF_LINES = 120
MAX_DIFF_BYTES = 200_000
LEFT = 1
"""Exit code when something was not installed because the user had changed it."""


def main(args: argparse.Namespace, out: TextIO | None = None, ask: Callable[[str], bool] | None = None) -> int:
    """Install or uninstall.

    Args:
        args: As `add_arguments` names them.
        out: Where to print (default: standard output).
        ask: Asks the user a question; by default on the terminal, and a no without one.

    Returns:
        0, or 1 when something was left because the user had changed it.

    Raises:
        BadInput: A path or a file of the client is not what it must be; nothing was changed.
        StorageError: A file could not be written; what was written was taken back.
    """
    stream = out or sys.stdout
    try:
        target = clients.target(args.client, args.scope)
        record = records.read(target.skills)
        if args.uninstall:
            return _uninstall(target, record, dry_run=args.dry_run, server=not args.no_server, out=stream)
        return _install(target, record, args, stream, ask or _asked)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BadInput(
            f"A place could not be looked at ({error.strerror or error}); nothing was changed",
            where=str(error.filename or args.client),
            fix="give yourself the right to read it, or name another folder with --client DIR",
        ) from None


def _install(
    target: Target, record: records.Record, args: argparse.Namespace, out: TextIO, ask: Callable[[str], bool]
) -> int:
    files = planning.to_install(target, record)
    words = _words(args.start) if args.start else server_entry.command()
    entry = None if args.no_server else server_entry.to_install(target, words, record.server)
    print(f"Skills in {target.skills}", file=out)
    _print_files(files, out)
    changed = [f for f in files if f.state is State.CHANGED and f.content is not None]
    for file in (f for f in files if f.state is State.CHANGED and f.content is None):
        print(f"  kept      {file.name}: you changed it, and this version has none", file=out)
    stale_entry = entry is not None and entry.state is State.CHANGED
    for file in changed:
        _print_diff(file.name, file.current or b"", file.content or b"", out)
    if entry is not None:
        _print_entry(entry, out)
    overwrite = args.yes
    if (changed or stale_entry) and not (args.yes or args.dry_run):
        overwrite = ask(f"Overwrite {_what(changed, stale_entry)}? [y/N] ")
    changes = _changes(target, files, entry, overwrite=overwrite)
    left = (bool(changed) or stale_entry) and not overwrite
    after = _record_after(target, record, files, entry, overwrite=overwrite)
    if after != record:
        changes.append(Change(target.skills / records.NAME, after.text(), target.skills))
    if args.dry_run:
        print("Dry run: nothing was changed." if changes or left else "Nothing to do.", file=out)
    elif changes:
        apply(changes)
        print("Done. Start the client anew to have it read them.", file=out)
    elif not left:
        print("Nothing to do: all of it is installed.", file=out)
    if left:
        print(f"Left as you have it: {_what(changed, stale_entry)}. --yes overwrites it.", file=out)
    if not args.no_server and target.server is None:
        _print_by_hand(target, words, out)
    return LEFT if left else 0


def _changes(target: Target, files: Sequence[File], entry: Entry | None, *, overwrite: bool) -> list[Change]:
    write = {State.NEW, State.OUTDATED} | ({State.CHANGED} if overwrite else set())
    changes = [
        Change(f.path, f.content, target.skills, f.current)
        for f in files
        if (f.content is not None and f.state in write) or f.state is State.LEFTOVER
    ]
    if entry is not None and entry.state in write and entry.text is not None:
        # Through the user's own link to the file that it names, which stays where it is.
        path = entry.file.path.resolve()
        changes.append(Change(path, entry.text.encode(), path.parent, entry.current))
    return changes


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"--command is no command line ({error})", where=text, fix="close the quotes") from None
    if not words:
        raise BadInput("--command is empty", fix='give words such as --command "uvx quantgate serve", or leave it out')
    return words


def _record_after(
    target: Target, record: records.Record, files: Sequence[File], entry: Entry | None, *, overwrite: bool
) -> records.Record:
    hashes = {}
    for file in files:
        if file.state is State.LEFTOVER:
            continue
        if file.content is not None and (file.state is not State.CHANGED or overwrite):
            hashes[file.name] = records.digest(file.content)
        elif file.name in record.files:
            hashes[file.name] = record.files[file.name]
    server = record.server
    written = {State.NEW, State.OUTDATED} | ({State.CHANGED} if overwrite else set())
    if entry is not None and entry.state in written:
        name, made, folders = str(entry.file.path), entry.made, entry.folders_made
        if server is not None and server.file == name:
            # What an earlier run made for the entry goes with it too.
            made, folders = made or server.made, max(folders, server.folders_made)
        server = records.ServerEntry(name, entry.file.table, entry.ours, made, folders)
    same = hashes == record.files and server == record.server
    if same:
        return record
    above = record.folders_made or sum(not path.exists() for path in (target.skills, *target.skills.parents))
    return records.Record(__version__, hashes, server, above)


def _uninstall(target: Target, record: records.Record, *, dry_run: bool, server: bool, out: TextIO) -> int:
    files = planning.to_remove(target, record)
    entry = server_entry.to_remove(target, record.server) if server else None
    kept = [f for f in files if f.state is State.CHANGED]
    keep = _highest(target.skills, record.folders_made)
    changes = [Change(f.path, None, keep, f.current) for f in files if f.state is State.LEFTOVER]
    if entry is not None and entry.state is State.LEFTOVER:
        path = entry.file.path.resolve()
        content = None if entry.text is None else entry.text.encode()
        made = record.server.folders_made if record.server else 0
        changes.append(Change(path, content, _highest(path.parent, made), entry.current))
    elsewhere = record.server is not None and (target.server is None or record.server.file != str(target.server.path))
    if record.server is not None and (elsewhere or not server):
        # The entry stays for a later --uninstall to take out.
        rest = records.Record(record.version, {}, record.server, record.folders_made)
        if rest != record:
            changes.append(Change(target.skills / records.NAME, rest.text(), keep))
    elif record.files or record.server:
        changes.append(Change(target.skills / records.NAME, None, keep))
    print(f"Skills in {target.skills}", file=out)
    _print_files([f for f in files if f.state is State.LEFTOVER], out)
    for file in kept:
        print(f"  kept      {file.name}: you changed it", file=out)
    if entry is not None:
        word = "remove" if entry.state is State.LEFTOVER else "kept, you changed it:"
        print(f"Server entry {server_entry.NAME} in {entry.file.path}: {word}", file=out)
    elif record.server is not None and server and elsewhere:
        told = "which is not the client's list of servers now; its entry quantgate stays, and stays recorded"
        print(f"Not touched: {record.server.file}, {told}", file=out)
    if not changes:
        print("Nothing to do: nothing that can be removed is recorded there.", file=out)
    elif dry_run:
        print("Dry run: nothing was changed.", file=out)
    else:
        apply(changes)
        print("Done.", file=out)
    if target.server is None and target.by_hand and server:
        print("If you registered the server: claude mcp remove --scope user quantgate", file=out)
    return 0


def _highest(folder: Path, made: int) -> Path:
    """The folder above those that an installation made: it stays."""
    places = (folder, *folder.parents)
    return places[min(max(made, 0), len(places) - 1)]


def _print_files(files: Sequence[File], out: TextIO) -> None:
    counts = Counter((f.name.split("/")[0], f.state) for f in files if f.state is not State.CHANGED or f.content)
    for (skill, state), number in sorted(counts.items()):
        print(f"  {state.value:<9} {skill}: {number} file{'s' if number != 1 else ''}", file=out)


def _print_diff(name: str, old: bytes, new: bytes, out: TextIO) -> None:
    if max(len(old), len(new)) > MAX_DIFF_BYTES:
        print(f"{name}: yours has {len(old)} bytes, too many to be compared line by line", file=out)
        return
    before, after = (in_full(text.decode("utf-8", "replace")).splitlines() for text in (old, new))
    lines = list(
        difflib.unified_diff(before, after, f"{name} (yours)", f"{name} (quantgate {__version__})", lineterm="", n=1)
    )
    print("\n".join(lines[:MAX_DIFF_LINES]) or f"{name}: line ends or characters without a glyph differ", file=out)
    if len(lines) > MAX_DIFF_LINES:
        print(f"… {len(lines) - MAX_DIFF_LINES} more lines of difference", file=out)


def _print_entry(entry: Entry, out: TextIO) -> None:
    words = {
        State.NEW: "add",
        State.SAME: "is there",
        State.OUTDATED: "update",
        State.CHANGED: "another one is there",
    }
    print(f"Server entry {server_entry.NAME} in {entry.file.path}: {words[entry.state]}", file=out)
    if entry.state in {State.OUTDATED, State.CHANGED}:
        old, new = (server_entry.printed(entry.file, value) for value in (entry.old, entry.new))
        _print_diff(entry.file.path.name, old.encode(), new.encode(), out)
    elif entry.state is State.NEW:
        print(server_entry.printed(entry.file, entry.new), end="", file=out)


def _print_by_hand(target: Target, words: Sequence[str], out: TextIO) -> None:
    if target.by_hand:
        command = target.by_hand.format(command=shlex.join(words))
        print(f"To register the server with {target.client}, once:\n  {command}", file=out)
        return
    print(f"The server is started by:\n  {shlex.join(words)}", file=out)


def _what(changed: Sequence[File], entry: bool) -> str:
    names = [f.name for f in changed[:5]] + ([f"{len(changed) - 5} more files"] if len(changed) > 5 else [])
    return ", ".join([*names, *(["the server entry"] if entry else [])])


def _asked(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        return False
