"""What a secret is, and how it is kept out of every answer, log line and exception.

Two rules: a value that this process holds under a secret's name, and text that has the shape of a credential. Values are
taken from the environment at the time of the call and from every `.env` file that was read (`register`).
"""

from __future__ import annotations

import logging
import os
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

from . import visible

MASK = "[redacted]"
SHORTEST_SECRET = 8
"""Values below this length are not masked: they would blank ordinary words, and `dummy` is not a secret."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRETS?|PASSWORD|PASSWD|PASSPHRASE|CREDS?|CREDENTIALS?|AUTH|WEBHOOK)(?:$|_)"
    r"|_(?:PASS|PWD|PAT)$|^SSHPASS$|PASSWORDS?$|(?:API|ACCESS)KEY"
    r"|(?:API|ACCESS|AUTH|SECRET|PRIVATE)_?KEYS$|(?:API|ACCESS|AUTH|REFRESH|SECRET|BEARER|HF|GH|GITHUB|GITLAB)_?TOKENS$",
    re.IGNORECASE,
)
# Case tells the words apart here. Only at the end, and not of a class: what follows `KeyError: ` or `InvalidToken: ` is to be read.
_CAMEL_SECRET_NAME = re.compile(
    r"[a-z][A-Za-z0-9]*(?:Token|Secret|Passphrase|Credentials?)|(?:[a-z][A-Za-z0-9]*)??(?:[sS]ecret|[pP]rivate|[aA]uth)Key"
)
_NOT_SECRET_NAME = re.compile(
    r"KEY_?NAME$|KEY_ID_NAME$|^TOKENIZER$|^MAX_(?:\w+_)?TOKENS?$|^SSH_AUTH_SOCK$", re.IGNORECASE
)
_BARE_WORDS = frozenset({"key", "token", "auth", "secret"})
"""As names of an assignment in a text these mean many things: only a value that looks like a credential is masked then."""

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}"), MASK),
    (re.compile(r"\bnvapi-[A-Za-z0-9_\-]{16,}"), MASK),
    (re.compile(r"\bsk-[A-Za-z0-9_\-]{16,}"), MASK),
    (re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"), MASK),
    (re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}"), MASK),
    (re.compile(r"\bglpat-[A-Za-z0-9_\-]{16,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\bxox[abprs]-[A-Za-z0-9\-]{10,}"), MASK),
    (re.compile(r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{5,}"), MASK),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~\-]{8,}"), r"\1 " + MASK),
    (re.compile(r"(?i)((?<![a-z0-9+.\-])[a-z0-9+.\-]++://)(?:[^/\s:@]+:[^/\s@]+|[^/\s:@]{12,})@"), r"\1" + MASK + "@"),
)
_ASSIGNED = re.compile(
    r"""(?ix)
    (?P<name>(?<![A-Za-z0-9_\-])[A-Za-z0-9_\-]++)  # a whole name: begun anywhere else, a long line would cost its square …
    (?P<mid>["']?\s*[:=]\s*["']?)                  # … an assignment …
    (?P<value>(?!host:|runtime:|lit:|\[redacted\]|\$|null\b|None\b|none\b)[^\s"'&,;}]{8,})
    """
)

_FLAG = re.compile(
    r"""(?ix)
    (?P<name>(?<![A-Za-z0-9_\-])--[A-Za-z0-9_\-]++)
    (?P<mid>[ \t]+["']?)
    (?P<value>(?!--|host:|runtime:|lit:|\[redacted\]|\$|null\b|none\b)[^\s"'&,;}]{8,})
    """
)
"""The value of a command's flag, written after a space."""

_VARIABLE = re.compile(r"[A-Z][A-Z_]*[A-Z]")
_LOOKS_RANDOM = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])\S{16,}")

_REFERENCE = re.compile(r"host:|runtime:|\$|(?:null|none|dummy|empty)\Z", re.IGNORECASE)

_registered: set[str] = set()


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret (`HF_TOKEN` yes, `TOKENIZER` and `api_key_name` no)."""
    flat = name.replace("-", "_")
    found = _SECRET_NAME.search(flat) or _CAMEL_SECRET_NAME.fullmatch(flat)
    return bool(found) and not _NOT_SECRET_NAME.search(flat)


def register(values: Mapping[str, str], *, whatever_the_name: bool = False, shortest: int = SHORTEST_SECRET) -> None:
    """Remember secret values, so that `redact` masks them from now on.

    Args:
        values: Variables with their values; those with a secret's name are remembered.
        whatever_the_name: Remember all of them: a config takes them from the environment, so they are not for the eye.
        shortest: Characters that a value must have at least.
    """
    for name, value in values.items():
        if value and len(value) >= shortest and (whatever_the_name or is_secret_name(name)):
            _registered.add(value)


def register_url(url: str) -> str:
    """Remember the secrets that stand in an address, and say how it is shown: without user, password and query.

    Of the query these are the values with a secret's name and those that look random (`?sig=…`).
    """
    try:
        parts = urllib.parse.urlsplit(url)
        query = urllib.parse.parse_qsl(parts.query)
        password = parts.password or ""
    except ValueError:
        return redact(url.partition("?")[0])
    written = [row.partition("=")[::2] for row in parts.query.split("&")]
    for name, value in [*query, *written]:
        register({name: value}, whatever_the_name=bool(_LOOKS_RANDOM.fullmatch(value)))
    register({"password": password})
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    return redact(urllib.parse.urlunsplit(shown))


def known_values() -> list[str]:
    """The secrets that this process knows by their value, the longest first."""
    held = {v for n, v in os.environ.items() if len(v) >= SHORTEST_SECRET and is_secret_name(n)}
    return sorted(held | _registered, key=len, reverse=True)


def _mask_assignment(match: re.Match[str]) -> str:
    if not is_secret_name(match["name"]):
        return match[0]
    if _VARIABLE.fullmatch(match["value"]) and is_secret_name(match["value"]):
        return match[0]  # the name of a variable, which is where a key is to be found, not the key
    if match["name"].strip("-").lower() in _BARE_WORDS and not _LOOKS_RANDOM.fullmatch(match["value"]):
        return match[0]
    return f"{match['name']}{match['mid']}{MASK}"


def redact(text: str) -> str:
    """The text with every known or credential-shaped secret replaced by `[redacted]`."""
    for value in known_values():
        if value in text:
            text = text.replace(value, MASK)
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return _FLAG.sub(_mask_assignment, _ASSIGNED.sub(_mask_assignment, text))


def shown(text: str) -> str:
    """`redact`, and without what steers a terminal or hides from the eye: for a text that is printed as it is."""
    return visible.text(redact(text))


def redact_value(value: Any) -> Any:
    """`redact` on every string inside a JSON-like value, names of keys too; containers are rebuilt, other values pass."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {_key(k): redact_value(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redact_value(v) for v in value]
    return value


def _key(key: Any) -> Any:
    return redact(key) if isinstance(key, str) and len(key) >= SHORTEST_SECRET else key


def redact_config(value: Any) -> Any:
    """`redact_value`, and what stands under a secret's name: for settings that leave this machine as a whole.

    References (`host:NAME`, `$NAME`, the name of a variable) stay; a value that is written out (`lit:…`) does not.
    """
    if isinstance(value, dict):
        return {_key(k): _under(k, v) if isinstance(v, str) else redact_config(v) for k, v in value.items()}
    if isinstance(value, list):
        return [redact_config(v) for v in value]
    return redact_value(value)


def _under(name: Any, text: str) -> str:
    literal = text.startswith("lit:")
    value = text.removeprefix("lit:")
    named = not literal and bool(_REFERENCE.match(value) or (_VARIABLE.fullmatch(value) and is_secret_name(value)))
    if not is_secret_name(str(name)) or not value or named:
        return redact(text)
    if str(name).lower() in _BARE_WORDS and not literal and not _LOOKS_RANDOM.fullmatch(value):
        return redact(text)
    return f"lit:{MASK}" if literal else MASK


def register_literals(value: Any) -> None:
    """Remember the secrets that a config writes out (`JUDGE_API_KEY: lit:…`), wherever they stand in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and inner.startswith("lit:"):
                register({str(name): inner.removeprefix("lit:")})
            else:
                register_literals(inner)
    elif isinstance(value, list):
        for inner in value:
            register_literals(inner)


class RedactingFilter(logging.Filter):
    """Masks secrets in a record's message, arguments, traceback and stack before a handler formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a library's wrong call of logging, which must not fail for it
            message = str(record.msg)
        record.msg, record.args = redact(message), None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        if record.exc_info:
            # Formatted here, once: a handler would otherwise print the exception's own text.
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True
