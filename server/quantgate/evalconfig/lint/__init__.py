"""Lint: what NEL's own dry run lets through, found before anything runs. `check` is the way in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .report import Finding, Report

if TYPE_CHECKING:
    from ...cluster.preflight import Sight

__all__ = ["Finding", "Report", "check"]


def check(path: Path, sight: Sight | None = None) -> Report:
    """Lint one config; see `engine.check`. The rules are loaded at the first call: a server that starts does not need them."""
    from . import engine

    return engine.check(path, sight)
