"""The installed launcher as files: its version, catalogue, templates and defaults, read without importing it.

Importing NEL replaces the root logging handlers and costs up to a second; only a child process of ours does that.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path

from ..errors import LauncherError

VALIDATED_VERSION = "0.2.6"
"""The version whose behaviour quantgate's workarounds and rules were checked against."""


@cache
def launcher_version() -> str:
    """The installed version of nemo-evaluator-launcher; empty when it is not installed."""
    try:
        return importlib.metadata.version("nemo-evaluator-launcher")
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def package_dir() -> Path:
    """The directory of the installed package `nemo_evaluator_launcher`.

    Raises:
        LauncherError: It is not installed beside quantgate.
    """
    spec = importlib.util.find_spec("nemo_evaluator_launcher")
    if spec is None or not spec.submodule_search_locations:
        raise LauncherError(
            "nemo-evaluator-launcher is not installed in quantgate's environment",
            fix=f"pip install 'nemo-evaluator-launcher=={VALIDATED_VERSION}' where quantgate is installed",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def resource(relative: str) -> Path:
    """A file or folder inside the installed launcher, such as `resources/all_tasks_irs.yaml`.

    Raises:
        LauncherError: This version of the launcher does not have it.
    """
    path = package_dir() / relative
    if not path.exists():
        raise LauncherError(
            f"The installed launcher {launcher_version()} has no {relative}",
            fix=f"install the validated version: nemo-evaluator-launcher=={VALIDATED_VERSION}",
        )
    return path
