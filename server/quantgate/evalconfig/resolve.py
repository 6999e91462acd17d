"""Resolution of `${...}` in a composed config: leaf by leaf, with NEL's resolvers and the environment of the launch."""

from __future__ import annotations

import contextvars
import os
from collections.abc import Mapping
from typing import Any

from .. import redact
from ..errors import ConfigError
from . import expansion, paths
from .document import ConfigDocument
from .paths import Segment

MAX_RESOLVED_DEPTH = 100

environment: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("environment", default=os.environ)
"""What `${oc.env:...}` reads: set it to the environment that the launch would have."""


class Resolver:
    """Resolves leaf by leaf, so that one `???` does not hide the rest of the config."""

    def __init__(self, document: ConfigDocument, derived: list[str], budget: expansion.Budget) -> None:
        self._document = document
        self._derived = derived
        self._budget = budget

    def mapping(self, node: Any, raw: Any, at: tuple[Segment, ...]) -> dict[str, Any]:
        return {str(key): self._value(node, key, child, (*at, str(key))) for key, child in raw.items()}

    def _value(self, node: Any, key: Any, raw: Any, at: tuple[Segment, ...]) -> Any:
        from omegaconf import DictConfig, ListConfig, OmegaConf

        self._budget.spend(raw)
        if isinstance(raw, str):
            if "${" not in raw:
                return raw
            value = self._interpolation(node, key, raw, at)
            if isinstance(value, DictConfig | ListConfig):
                if len(at) > MAX_RESOLVED_DEPTH:
                    raise self._error("it refers to a section that contains it", at)
                return self._container(value, OmegaConf.to_container(value, resolve=False), at)
            return value
        return self._container(node[key], raw, at) if isinstance(raw, dict | list) else raw

    def _container(self, node: Any, raw: Any, at: tuple[Segment, ...]) -> Any:
        if isinstance(raw, dict):
            return self.mapping(node, raw, at)
        if isinstance(raw, list):
            return [self._value(node, index, child, (*at, index)) for index, child in enumerate(raw)]
        return raw

    def _interpolation(self, node: Any, key: Any, raw: str, at: tuple[Segment, ...]) -> Any:
        from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

        try:
            return node[key]
        except InterpolationToMissingValueError:
            self._derived.append(paths.join(at))
            return raw
        except (OmegaConfBaseException, ValueError, TypeError, KeyError) as error:
            self._budget.check()
            raise self._error(first_line(error), at) from None
        except RecursionError:
            raise self._error("it refers to itself", at) from None

    def _error(self, why: str, at: tuple[Segment, ...]) -> ConfigError:
        dotted = paths.join(at)
        return ConfigError(
            f"The interpolation at {dotted} cannot be resolved: {why}",
            where=f"{self._document.path}:{self._document.line_of(dotted)}",
            fix="correct the ${...}, set the environment variable it names, or write the value out",
        )


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return redact.redact(lines[0][:200]) if lines else type(error).__name__


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf that NEL's packaged configs and its command line rely on."""
    from omegaconf import OmegaConf

    # NEL's package registers `select_not_null` when it is imported, which does not happen in this process.
    if not OmegaConf.has_resolver("select_not_null"):
        OmegaConf.register_new_resolver("select_not_null", _select_not_null, use_cache=False)
    # NEL's command line loads `.env` before it composes: `oc.env` sees the same variables here.
    OmegaConf.register_new_resolver("oc.env", _env, use_cache=False, replace=True)


def _select_not_null(key: str, default: str, *, _root_: Any) -> Any:
    from omegaconf import OmegaConf

    value = OmegaConf.select(_root_, key, default=None, throw_on_resolution_failure=False)
    return default if value is None else value


_NO_DEFAULT = object()


def _env(name: str, default: Any = _NO_DEFAULT) -> Any:
    value = environment.get().get(name)
    if value is not None:
        return value
    if default is _NO_DEFAULT:
        raise KeyError(f"the environment variable {name!r} is not set")
    return None if default is None else str(default)
