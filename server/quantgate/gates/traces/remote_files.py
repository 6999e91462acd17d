"""The files of a run on a cluster, for what reads runs: only from a host that may be contacted."""

from __future__ import annotations

from dataclasses import replace

from ...runs.clusters import mirrored
from ...runs.clusters.mirrored import Mirror
from . import lookup, remote_views


def copied(run: lookup.Run) -> tuple[lookup.Run, Mirror]:
    """A run on a cluster with current copies of the files that are read, as its directory.

    Args:
        run: With a place on a cluster.

    Raises:
        ConsentNeeded: Nobody named the host, and a person's yes is missing.
        BadInput: The run is not there any more.
        ClusterError: The cluster does not answer or does not let us in.
        StorageError: The copies cannot be written.
    """
    there = run.remote
    assert there is not None
    remote_views.require(run)
    found = mirrored.mirror_of(there.host, there.directory)
    return replace(run, directory=found.run), found
