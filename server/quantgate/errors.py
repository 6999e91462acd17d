"""Every error a caller can meet, in one tree.

QuantgateError            what is wrong, where, and how to fix it
├── BadInput              an argument or a file that the caller can mend
│   ├── ConfigError       an evaluation config (file, line, key)
│   ├── CheckpointError   a checkpoint on disk (file, line, field)
│   └── UnknownName       no such task, run or tool; names the nearest ones
├── Refused               a gate or a policy says no
│   └── ConsentNeeded     (gates.permission.consent) a person's yes is missing; it carries what to ask
├── LauncherError         NEL could not do what it was asked
│   └── NoAnswer          it gave no answer: what it did must be looked up
├── HarnessError          a harness could not be installed or has no wheel
├── EndpointError         the model's endpoint does not answer as it must
│   └── EndpointSilent    nobody answers there, as seen from this machine
├── ClusterError          a cluster does not let us in, or its scheduler refuses
│   └── Unreachable       nothing is known: the link is down or too slow
├── TrackingError         a tracking server does not let us in, or holds a run where it cannot be read
│   └── TrackingUnreachable  it does not answer: nothing is known of the run
└── StorageError          the disk, a lock or the ledger

A message is one paragraph that an agent can act on: `what`, then `Where:`, then `Fix:`.
"""

from __future__ import annotations

from collections.abc import Sequence


def _stopped(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else sentence + "."


class QuantgateError(Exception):
    """A failure that was foreseen: its text is meant for the caller.

    Args:
        what: What is wrong, as one sentence without the final stop.
        where: File, line, key or name that it concerns; empty when `what` says it.
        fix: What to do next; empty only when nothing can be done.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what = what
        self.where = where
        self.fix = fix
        parts = [_stopped(what)]
        if where:
            parts.append(_stopped(f"Where: {where}"))
        if fix:
            parts.append(_stopped(f"Fix: {fix}"))
        super().__init__(" ".join(parts))


class BadInput(QuantgateError):
    """An argument or a file that the caller can mend."""


class ConfigError(BadInput):
    """An evaluation config that cannot be read, composed or edited."""


class CheckpointError(BadInput):
    """A checkpoint that cannot be read."""


class UnknownName(BadInput):
    """A name that does not exist.

    Args:
        kind: What was looked for ("task", "run", "tool").
        name: The name as given.
        nearest: The closest names that do exist, best first.
        fix: Replaces the default advice.
    """

    def __init__(self, kind: str, name: str, nearest: Sequence[str] = (), *, where: str = "", fix: str = "") -> None:
        self.nearest = list(nearest)
        if not fix:
            fix = (
                "did you mean " + ", ".join(self.nearest) + "?" if self.nearest else f"check the spelling of the {kind}"
            )
        super().__init__(f"Unknown {kind} {name!r}", where=where, fix=fix)


class Refused(QuantgateError):
    """A gate or a policy says no; `fix` names the call that opens it."""


class LauncherError(QuantgateError):
    """NEL could not do what it was asked."""


class NoAnswer(LauncherError):
    """NEL gave no answer: what it did must be looked up."""


class HarnessError(QuantgateError):
    """A harness could not be installed, or has no wheel for the process executor."""


class EndpointError(QuantgateError):
    """The model's endpoint does not answer as it must."""


class EndpointSilent(EndpointError):
    """Nobody answers at the endpoint, as seen from this machine; `url` was asked."""

    def __init__(self, what: str, *, url: str, fix: str) -> None:
        self.url = url
        super().__init__(what, where=f"target.api_endpoint.url ({url})", fix=fix)


class ClusterError(QuantgateError):
    """A cluster does not let us in, or its scheduler refuses."""


class Unreachable(ClusterError):
    """A cluster does not answer: nothing is known of what runs there."""


class TrackingError(QuantgateError):
    """A tracking server does not let us in, or holds a run where it cannot be read."""


class TrackingUnreachable(TrackingError):
    """A tracking server does not answer: nothing is known of the run."""


class StorageError(QuantgateError):
    """The disk is full, a lock is held, or the ledger cannot be written."""
