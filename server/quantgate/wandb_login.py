"""The key that `wandb login` left in netrc: for whoever asks for it by name, and never written anywhere."""

from __future__ import annotations

import netrc
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import redact

KEY = "WANDB_API_KEY"
DEFAULT_HOST = "api.wandb.ai"
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Login:
    """Where a key was found.

    Attributes:
        found_in: "environment", the netrc file, or empty when there is no login.
        problem: Why the netrc file could not be read; empty otherwise.
        key: The key of netrc, registered for redaction; empty when it is none of netrc's.
    """

    found_in: str = ""
    problem: str = ""
    key: str = field(default="", repr=False)


def netrc_file(environment: Mapping[str, str]) -> Path | None:
    """The file in which `wandb login` leaves its key: `$NETRC`, else `~/.netrc` or `~/_netrc`."""
    if environment.get("NETRC"):
        return Path(environment["NETRC"]).expanduser()
    home = Path(environment.get("HOME") or Path.home())
    return next((home / name for name in (".netrc", "_netrc") if (home / name).is_file()), None)


def find(environment: Mapping[str, str]) -> Login:
    """Find the login; a key of netrc is redacted from now on.

    Args:
        environment: Says which file, and which host's entry: nothing of a `.env` file may be in it under these names.
    """
    if environment.get(KEY):
        return Login("environment")
    path = netrc_file(environment)
    if path is None or not path.is_file():
        return Login()
    base = environment.get("WANDB_BASE_URL", "")
    host = urllib.parse.urlsplit(base).hostname or DEFAULT_HOST
    try:
        if path.stat().st_size > MAX_BYTES:
            return Login(problem=f"{path} is over 1 MiB")
        entry = netrc.netrc(str(path)).hosts.get(host)
    except netrc.NetrcParseError as error:
        return Login(problem=f"{path} is no netrc file (line {error.lineno})")
    except (OSError, UnicodeDecodeError) as error:
        return Login(problem=f"{path} cannot be read ({type(error).__name__})")
    key = (entry[2] or "") if entry else ""
    if not key:
        return Login()
    redact.register({KEY: key})
    return Login(str(path), key=key)
