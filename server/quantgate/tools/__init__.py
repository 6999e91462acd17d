"""The table of tools, in the order of the skill's steps. It feeds the MCP server, `quantgate call` and the generated docs."""

from __future__ import annotations

from .build_config import TOOL as BUILD_CONFIG
from .canary import TOOL as CANARY
from .cancel import TOOL as CANCEL
from .check_config import TOOL as CHECK_CONFIG
from .check_environment import TOOL as CHECK_ENVIRONMENT
from .compare_runs import TOOL as COMPARE_RUNS
from .compile_config import TOOL as COMPILE_CONFIG
from .detect_quantization import TOOL as DETECT_QUANTIZATION
from .dry_run import TOOL as DRY_RUN
from .edit_config import TOOL as EDIT_CONFIG
from .grep_slurm_logs import TOOL as GREP_SLURM_LOGS
from .list_tasks import TOOL as LIST_TASKS
from .logs import TOOL as LOGS
from .read_model_config import TOOL as READ_MODEL_CONFIG
from .resume import TOOL as RESUME
from .run import TOOL as RUN
from .spec import ToolSpec
from .status import TOOL as STATUS
from .verify_run import TOOL as VERIFY_RUN

TOOLS: tuple[ToolSpec, ...] = (
    CHECK_ENVIRONMENT,
    LIST_TASKS,
    READ_MODEL_CONFIG,
    DETECT_QUANTIZATION,
    BUILD_CONFIG,
    EDIT_CONFIG,
    CHECK_CONFIG,
    DRY_RUN,
    CANARY,
    RUN,
    STATUS,
    LOGS,
    GREP_SLURM_LOGS,
    RESUME,
    CANCEL,
    VERIFY_RUN,
    COMPARE_RUNS,
    COMPILE_CONFIG,
)

__all__ = ["TOOLS", "ToolSpec"]
