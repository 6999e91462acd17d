"""Ending a run, or some of its tasks."""
