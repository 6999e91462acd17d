"""The validation of a run with all that is known of it: what each task should have done, and what was launched."""

from __future__ import annotations

from ...results import verify
from ..traces import lookup
from . import judging, record


def validate(run: lookup.Run) -> verify.Verification:
    """Validate a run whose files are at hand.

    Args:
        run: From `views.lookup`, with a directory: of a run on a cluster, that of its copies (`views.remote_files`).
    """
    assert run.directory is not None
    return verify.verify(run.directory, judging.expectations(run.directory, run.limit), record.of(run))
