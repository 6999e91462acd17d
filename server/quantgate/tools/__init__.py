"""The table of tools, in the order of the skill's steps. It feeds the MCP server, `quantgate call` and the generated docs.

Each row names a function in the module of its name, which is loaded when it is first needed.
"""

from __future__ import annotations

from .spec import ToolSpec

TOOLS: tuple[ToolSpec, ...] = (
    ToolSpec("check_environment", "0, 1", "Check the environment", open_world=True),
    ToolSpec("list_tasks", "1, 5", "List benchmarks"),
    ToolSpec("read_model_config", "3", "Read model config", open_world=True),
    ToolSpec("detect_quantization", "3", "Detect quantization", open_world=True),
    ToolSpec("build_config", "2", "Build the base config", read_only=False, form="build_questions"),
    ToolSpec("edit_config", "3-7", "Edit a config", read_only=False),
    ToolSpec("check_config", "5, 7.5", "Check a config", open_world=True),
    ToolSpec("dry_run", "8.1", "Dry run", read_only=False),
    ToolSpec("canary", "8.2", "Canary", read_only=False, open_world=True),
    ToolSpec("run", "8.3", "Full run", read_only=False, open_world=True),
    ToolSpec("status", "-", "Status of runs", open_world=True),
    ToolSpec("logs", "-", "Read logs", open_world=True),
    ToolSpec("grep_slurm_logs", "-", "Search logs for failures", open_world=True),
    ToolSpec("resume", "-", "Resume a run", read_only=False, open_world=True),
    ToolSpec("cancel", "-", "Cancel a run", read_only=False, destructive=True, open_world=True),
    ToolSpec("verify_run", "9", "Validate a run"),
    ToolSpec("compare_runs", "9", "Compare two runs", read_only=False, read_only_without=("report",)),
    ToolSpec("compile_config", "-", "Compile a Nemotron config", read_only=False, open_world=True),
)


def load() -> None:
    """Load the modules of all tools; safe in several threads at once."""
    for spec in TOOLS:
        spec.load()


__all__ = ["TOOLS", "ToolSpec", "load"]
