"""A run directory, read: states, progress and logs, of runs here, on clusters (`clusters/`, `slurm/`) and on tracking servers.

`scanning/` looks for known failures; `scanner/` does so where the logs are, also in a login node's python3, and keeps to the
syntax of Python 3.6.
"""
