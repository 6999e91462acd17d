"""What stands behind the endpoint of a config, asked once before a launch: a dead one must not cost a night of retries."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ... import redact
from ...errors import BadInput, ConfigError, EndpointError, EndpointSilent, Refused
from .. import ledger

PROBE_SECONDS = 8.0
MAX_ANSWER = 1 << 20
_API_PATHS = ("/chat/completions", "/completions", "/embeddings")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer, not a way: following it would carry the key to another host."""

    def redirect_request(self, *_args: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True)
class Served:
    """What an endpoint says it serves.

    Attributes:
        url: The address that was asked (`…/v1/models`), as it is shown: without its query, which may hold a key.
        models: Ids of the models; empty when the endpoint does not tell.
        note: Why nothing is known, when nothing is.
    """

    url: str
    models: tuple[str, ...] = ()
    note: str = ""


def seen_at(attempt: ledger.Attempt) -> Served | None:
    """What the endpoint said at a launch; None when it was not asked, or the ledger's row is damaged."""
    try:
        said = json.loads(attempt.endpoint)
        return Served(str(said.get("url", "")), tuple(map(str, said.get("models", ()))), str(said.get("note", "")))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def require_same_models(before: Served | None, now: Served | None, since: str, then: str, fix: str) -> None:
    """Refuse when an endpoint serves other models than at an earlier launch, where both are known.

    Args:
        before: What it said at that launch.
        now: What it says.
        since: That launch, as in "at the canary".
        then: The words before what was listed, as in "the canary saw".
        fix: What to do.

    Raises:
        Refused: It does.
    """
    if before and now and before.models and now.models and sorted(before.models) != sorted(now.models):
        raise Refused(
            f"The endpoint serves other models than {since}",
            where=f"{now.url} lists {', '.join(now.models[:5])}; {then} {', '.join(before.models[:5])}",
            fix=fix,
        )


def models_url(endpoint: str) -> str:
    """`…/v1/models` beside the path that a config gives for chat or completions."""
    parts = urllib.parse.urlsplit(endpoint)
    base = parts.path.rstrip("/")
    for path in _API_PATHS:
        base = base.removesuffix(path)
    return urllib.parse.urlunsplit(parts._replace(path=base + "/models"))


def probe(config: Mapping[str, Any], env: Mapping[str, str]) -> Served | None:
    """Ask the endpoint of a config for its models.

    Args:
        config: The composed config; with a deployment of its own there is nothing to ask yet.
        env: Where the API key is looked up, by the name that the config gives.

    Returns:
        What it serves, or None when the config deploys the model itself.

    Raises:
        EndpointError: Nobody answers there, the key is refused, or the model is not served.
        BadInput: The url is not one.
        ConfigError: A section of the config is none.
    """
    deployment = config.get("deployment") or {}
    if _section(deployment, "deployment").get("type", "none") != "none":
        return None
    given = _section(config.get("target") or {}, "target").get("api_endpoint") or {}
    target = _section(given, "target.api_endpoint")
    url, model = str(target.get("url") or ""), str(target.get("model_id") or "")
    key_name = str(target.get("api_key_name") or "")
    if not _is_http(url):
        raise BadInput(
            f"{redact.register_url(url)!r} is not an http url",
            where="target.api_endpoint.url",
            fix="give http://HOST:PORT/v1/chat/completions",
        )
    served = _ask(models_url(url), env.get(key_name, "").strip(), key_name)
    if served.models and model not in served.models:
        raise EndpointError(
            f"The endpoint does not serve a model named {model!r}",
            where=f"target.api_endpoint.model_id; {served.url} lists {', '.join(served.models[:5])}",
            fix="set target.api_endpoint.model_id to a served name (edit_config)",
        )
    return served


def _section(value: Any, where: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise ConfigError(f"{where} must be a section with keys", where=where, fix="correct its indentation or its value")


def probe_for_elsewhere(config: Mapping[str, Any], env: Mapping[str, str]) -> Served | None:
    """As `probe`, for a run on another machine: an endpoint that does not answer this one may answer that one."""
    try:
        return probe(config, env)
    except EndpointSilent as error:
        return Served(error.url, (), error.what)


def _ask(url: str, key: str, key_name: str) -> Served:
    shown = redact.register_url(url)
    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was checked
    try:
        with _opener.open(request, timeout=PROBE_SECONDS) as answer:
            body = answer.read(MAX_ANSWER)
    except urllib.error.HTTPError as error:
        error.close()
        return _refused(error, shown, key_name)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise EndpointSilent(
            redact.redact(f"The endpoint does not answer: {reason}"),
            url=shown,
            fix="start the model server or correct the url, then call this again; nothing was launched",
        ) from None
    try:
        rows = json.loads(body)["data"]
        return Served(shown, tuple(str(row["id"]) for row in rows))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Served(shown, (), "the answer of /models is not a list of models")


def _is_http(url: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(url)
        return (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", url) and parts.port != 0
        )
    except ValueError:
        return False


def _refused(error: urllib.error.HTTPError, url: str, key_name: str) -> Served:
    if error.code in {401, 403}:
        raise EndpointError(
            f"The endpoint refuses the key (HTTP {error.code})",
            where=f"{url}; the key is taken from the variable {key_name or '(none named)'}",
            fix="set that variable to a valid key in the server's environment or .env; do not try more than once more",
        )
    if error.code in {404, 405} or 300 <= error.code < 400:
        return Served(url, (), f"the endpoint has no list of models (HTTP {error.code})")
    raise EndpointError(
        f"The endpoint answers HTTP {error.code}",
        where=url,
        fix="wait until the model server is up, then call this again",
    )
