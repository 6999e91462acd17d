"""What an exporter sees of the environment: whose credentials go to which server, and on which way."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import execdb, harness_env

_PASSED = {
    "mlflow": ("MLFLOW_", "AWS_", "GOOGLE_", "AZURE_"),
    "wandb": ("WANDB_",),
    "gsheets": ("GOOGLE_",),
    "local": (),
}
_SERVER = {"mlflow": "MLFLOW_TRACKING_URI", "wandb": "WANDB_BASE_URL"}
_USUAL = {"wandb": "https://api.wandb.ai"}
_CREDENTIALS = {"mlflow": ("MLFLOW_TRACKING_", "AWS_", "GOOGLE_", "AZURE_"), "wandb": ("WANDB_",)}
_STEERS_TRAFFIC = re.compile(
    r".*(?:PROXY|INSECURE|TLS|SSL|CERT|CA_BUNDLE|ENDPOINT|METADATA|AUTHORITY|EMULATOR|BASE_URL|PROFILE).*|NETRC|XDG_.*"
    r"|AWS_(?:CONFIG_FILE|SHARED_CREDENTIALS_FILE|ROLE_ARN)|MLFLOW_TRACKING_(?:AUTH|SERVER|AWS).*",
    re.IGNORECASE,
)
_USUAL_WORDS = {
    # mlflow 3 reports its use to its makers unless it is told not to.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "NEMO_EVALUATOR_LOG_LEVEL": "INFO",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
}


def steers_traffic(name: str) -> bool:
    """Whether a variable of this name decides over which way, to which host or with which trust an exporter sends (a proxy,
    a bundle of certificates, a store's address …)."""
    return name not in _SERVER.values() and bool(_STEERS_TRAFFIC.fullmatch(name))


def environment(
    destination: str, settings: Mapping[str, Any], declared: Mapping[str, str], home: Path | None = None
) -> dict[str, str]:
    """What an exporter sees: the base environment, the variables of its destination, and what the config declares.

    A config can name any server. The credentials of this environment, and the files with credentials in the user's home, go to
    the server of this environment on the way of this environment; another one gets what the config declares for it.

    Args:
        destination: NEL's name of it.
        settings: Its section of the config.
        declared: The config's variables for exports, with their values.
        home: An empty directory, the home of an exporter that gets no credentials of this environment.
    """
    own = {n: v for n, v in os.environ.items() if n.startswith(_PASSED.get(destination, ()) or ("\0",))}
    base = harness_env.base_environment()
    elsewhere = _origin(destination, settings, {**own, **declared}) != _origin(destination, {}, own)
    if elsewhere or any(steers_traffic(name) for name in declared):
        own = {n: v for n, v in own.items() if not n.startswith(_CREDENTIALS.get(destination, ()))}
        # ~/.mlflow/credentials, ~/.netrc, ~/.aws and ~/.azure are read for any host.
        base = {n: v for n, v in base.items() if not n.startswith(("XDG_", "NETRC"))}
        base |= {"HOME": str(home)} if home is not None else {"HOME": os.devnull}
    # By its path: where the exporter gets another home, NEL would look for it there.
    record = {execdb.VARIABLE: str(execdb.path())}
    return {**_USUAL_WORDS, **base, **record, **own, **declared}


def _origin(destination: str, settings: Mapping[str, Any], variables: Mapping[str, str]) -> tuple[str, str]:
    """Scheme and host of the server that an exporter would take (NEL 0.2.6: a setting without :// is a variable's name)."""
    variable = _SERVER.get(destination, "")
    given = str(settings.get("tracking_uri") or "") if destination == "mlflow" else ""
    if given and "://" not in given:
        given = variables.get(given, given)
    address = given or variables.get(variable, "") or _USUAL.get(destination, "")
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        return ("", address)
    return (parts.scheme.lower(), parts.netloc.rpartition("@")[2].lower())
