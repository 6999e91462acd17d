"""Lint: what NEL's own dry run lets through, found before anything runs. `check` is the way in."""

from .engine import check
from .rule import Finding, Report

__all__ = ["Finding", "Report", "check"]
