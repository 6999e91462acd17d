"""The paths that untrusted input takes, one module each: what an input means there, what may happen, and where to begin."""

from __future__ import annotations

from .target import TARGETS, Target, target

__all__ = ["TARGETS", "Target", "target"]
