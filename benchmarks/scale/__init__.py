"""What breaks first beyond one machine: ledgers, clusters, servers and logs made large, measured, and written to docs/scale.md.

figures        one measured figure, and how figures are kept
made           synthetic runs: in the ledger, in NEL's record, as directories of a cluster
replay         a login node whose squeue and sacct replay answers, and count how often they are called
ledgers        many runs in one ledger
sweeps         many jobs of one user on a cluster
servers        many servers on one login node
waits          how often a server that waits asks the scheduler that all share, and what that costs it
logs           many and large logs
extrapolation  the rule for sizes that no measurement reached
limits         the table of limits, and of what was mended
page           the page, from the figures that are kept

`python -m benchmarks.scale [AXIS…]` measures all axes, or some, and writes the page. `--before` keeps what it measures as the
figures of the code before a mend. Nothing is asserted: a limit that is reached is a figure.
"""
