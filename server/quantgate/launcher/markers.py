"""The marker files that a task's directory holds while it is evaluated on this machine.

Those in `logs/` are ours: whoever cancels a task writes one, and a runner that is to take a task up again the other. Those in
`artifacts/` are written by nemo-evaluator (0.2.8).
"""

from __future__ import annotations

CANCELLED = "stage.cancelled"
RESUMING = "stage.resuming"
INTERRUPTED_MARKER = ".nemo_evaluator_interrupted"
SERVER_ERROR_MARKER = ".nemo_evaluator_server_error"
"""Its adapter ends the run itself because of a fatal response."""
