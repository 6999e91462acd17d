"""What is claimed to be fast, measured: `python -m benchmarks` runs every benchmark and writes docs/performance.md.

A benchmark is a module with a function `measure(effort) -> Result`. The ratio to what a user would do instead is what counts; both
sides take turns in one run.
"""

NAMES = (
    "server_start",
    "memory",
    "warm_tools",
    "local_status",
    "slurm_status",
    "log_scan",
    "comparison",
    "sample_tables",
    "detect_quantization",
    "remote_run",
    "run_overhead",
    "false_accept",
)
"""The modules, in the order of the page."""
