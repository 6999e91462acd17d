"""What the environment says about the hub: its address, the token, and whether it may be asked at all.

The variables are those of the hub's own client (huggingface_hub 2.4.0, constants.py and utils/_auth.py). That library is not
used for reading: it takes whole answers into memory, freezes these variables on import, and does not check that a range of
bytes was honoured.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from ... import credentials, redact
from ...errors import BadInput, CheckpointError
from ..config_json import read_bytes

DEFAULT_ENDPOINT = "https://huggingface.co"
MAX_TOKEN_BYTES = 4096
_TRUE = {"1", "ON", "YES", "TRUE"}


def is_offline() -> bool:
    """Whether the environment forbids requests to the hub."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in _TRUE


def endpoint() -> str:
    """The hub's address: HF_ENDPOINT, else the public one.

    Raises:
        CheckpointError: HF_ENDPOINT is not an http or https address.
    """
    address = (os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    try:
        parts = urlsplit(address)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise CheckpointError(
            "HF_ENDPOINT is not the address of a hub", where="HF_ENDPOINT", fix=f"set it to one like {DEFAULT_ENDPOINT}"
        )
    return address


def shown(address: str) -> str:
    """An address for messages: scheme, host and port, without a user or a password that may stand in it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def token() -> str:
    """The hub token of the environment, of the workspace's `.env`, or of the hub client's token file; else empty."""
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _TRUE:
        return ""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if found := _clean(os.environ.get(name, "")):
            return found
    for file in credentials.env_files(None):
        try:
            if found := _clean(credentials.read_env_file(file).get("HF_TOKEN", "")):
                return found
        except BadInput:
            continue  # A broken .env is reported where it is needed; public models need none.
    try:
        found = _clean(read_bytes(_token_file(), MAX_TOKEN_BYTES).decode("ascii"))
    except (CheckpointError, UnicodeDecodeError):
        return ""
    redact.register({"HF_TOKEN": found})
    return found


def _clean(value: str) -> str:
    value = value.strip()
    return value if value.isascii() and value.isprintable() and " " not in value else ""


def _token_file() -> Path:
    if given := os.environ.get("HF_TOKEN_PATH"):
        return Path(os.path.expandvars(given)).expanduser()
    return hub_home() / "token"


def hub_home() -> Path:
    """HF_HOME, else `huggingface` under the user's cache directory."""
    if home := os.environ.get("HF_HOME"):
        return Path(os.path.expandvars(home)).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path("~/.cache").expanduser()) / "huggingface"


def hub_cache() -> Path:
    """The local hub cache: HF_HUB_CACHE, else `hub` under HF_HOME, else under the user's cache directory."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(os.path.expandvars(cache)).expanduser()
    return hub_home() / "hub"


def may_carry_a_token(address: str) -> bool:
    """Whether a token may be sent there: not over an unencrypted line, unless it does not leave this machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or parts.hostname in {"localhost", "127.0.0.1", "::1"}
