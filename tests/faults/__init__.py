"""The fault campaign: the main job, again and again, while what it stands on is killed, frozen, filled up and cut off.

`python -m tests.faults --runs 200` plays it; docs/faults.md has what came of it.
"""
