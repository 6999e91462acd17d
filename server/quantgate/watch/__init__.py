"""Watching runs in a shell, for people: `quantgate watch` and `quantgate runs`.

said      what is said of a run and of its tasks, fit for a terminal
live      a table that is drawn again and again
plain     a line for each change, where there is no terminal
session   which run is watched, until when, and the exit code
listing   what was launched, when, by which config, and how it ended
"""
