"""Completion of names: tasks, recipes, documents, runs, reports and checkpoints, for the arguments of templates and prompts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp_types import Completion, PromptReference

from .. import redact
from ..errors import QuantgateError
from .resources import documents

MOST_VALUES = 100
"""The protocol's own limit."""
MOST_RUNS = 500


def register(server: MCPServer[Any]) -> None:
    """Answer completion/complete."""

    async def complete(ref: Any, argument: Any, context: Any) -> Completion | None:
        del context
        place = ref.name if isinstance(ref, PromptReference) else ref.uri
        # In a thread: the catalogue may have to be parsed, the ledger may be locked for a moment.
        return await anyio.to_thread.run_sync(completed, place, argument.name, argument.value)

    server.completion()(complete)  # type: ignore[no-untyped-call]  # mcp 2.2 gives it no return type


def completed(place: str, argument: str, begun: str) -> Completion | None:
    """What an argument may be.

    Args:
        place: The name of a prompt or the template of an address.
        argument: The argument's name.
        begun: What is written of it so far.

    Returns:
        At most `MOST_VALUES`: those that begin so first, then those that hold it; None where nothing is known of the argument.
    """
    names = _SOURCES.get((place, argument))
    if names is None:
        return None
    try:
        found = names(begun)
    except QuantgateError:
        # No completion is a smaller loss than an error in the middle of typing.
        return None
    shown = [redact.shown(value) for value in found[:MOST_VALUES]]
    return Completion(values=shown, total=len(found), has_more=len(found) > len(shown))


def _fitting(names: Sequence[str], begun: str) -> list[str]:
    wanted = begun.strip().lower()
    first = [name for name in names if name.lower().startswith(wanted)]
    return first + [name for name in names if wanted in name.lower() and not name.lower().startswith(wanted)]


def _documents(plural: str) -> Callable[[str], list[str]]:
    return lambda begun: _fitting(documents.names(plural), begun)


def _benchmarks(begun: str) -> list[str]:
    """Recipes, then the catalogue's tasks; of a list the last one is completed."""
    from ..benchmarks.catalogue import load_catalogue
    from ..benchmarks.recipes import load_recipes

    before, comma, last = begun.rpartition(",")
    fitting = _fitting([*load_recipes(), *load_catalogue().tasks], last)
    return [f"{before}{comma} {name}" if comma else name for name in fitting]


def _runs(begun: str) -> list[str]:
    """The newest first; only by its beginning, as an id is given."""
    from ..gates.views import entry

    return [run.invocation_id for run in entry.newest(MOST_RUNS, begun.strip()).runs]


def _reports(begun: str) -> list[str]:
    from ..compare.report import stored

    return _fitting([row.report_id for row in stored.listing().reports], begun)


def _checkpoints(begun: str) -> list[str]:
    from .. import workspaces

    return _fitting([str(path) for place in workspaces.find().workspaces for path in place.checkpoints], begun)


_SOURCES: Mapping[tuple[str, str], Callable[[str], list[str]]] = {
    ("quantgate://recipes/{name}", "name"): _documents("recipes"),
    ("quantgate://references/{name}", "name"): _documents("references"),
    ("quantgate://skills/{name}", "name"): _documents("skills"),
    ("quantgate://runs/{invocation_id}", "invocation_id"): _runs,
    ("quantgate://runs/{invocation_id}/config", "invocation_id"): _runs,
    ("quantgate://reports/{report_id}", "report_id"): _reports,
    ("quantgate://reports/{report_id}.md", "report_id"): _reports,
    ("evaluate_quantized_checkpoint", "model"): _checkpoints,
    ("evaluate_quantized_checkpoint", "benchmarks"): _benchmarks,
    ("compare_with_baseline", "candidate"): _runs,
    ("compare_with_baseline", "baseline"): _runs,
    ("why_did_my_run_fail", "run"): _runs,
}
