"""Broken configs, each labelled with the rule that must find it: `cases()` makes them from the examples and NEL's templates."""

from .broken import cases
from .case import ENVIRONMENT, Case

__all__ = ["ENVIRONMENT", "Case", "cases"]
