"""Rules about endpoints: their URLs, their types, and the key that a client wants."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .. import paths
from . import auxiliary
from .report import Severity
from .rule import EVALUATOR, Hit, Rule, Subject, as_mapping
from .structure import FACTS

RESERVED = "RFC 2606, RFC 6761 and RFC 5737 (names and addresses that are reserved for documentation)"
URLS = "nemo_evaluator 0.2.8 adapters/ (requests are sent to the URL as it stands)"
ENDPOINT_TYPES = (
    "NeMo Evaluator Launcher 0.2.6 common/helpers.py (get_endpoint_url); nemo_evaluator 0.2.8 core/input.py"
)
WRONG_ENDPOINT = "wrong_endpoint_type"
"""Nemotron's name for an endpoint of another family than the tasks ask for."""
TYPES = ("chat", "completions", "vlm", "embedding", "completions_logprob", "undefined")
SUFFIXES = {
    "chat": "/chat/completions",
    "vlm": "/chat/completions",
    "completions": "/completions",
    "embedding": "/embeddings",
}
_RESERVED = re.compile(
    r"(?:.*\.)?(?:example(?:\.(?:com|org|net))?|invalid|test)"
    r"|(?:your|placeholder|changeme|replace)[\w\-]*(?:\..*)?"
)
_DOCUMENTATION = tuple(ipaddress.ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
_HOST_NETWORK = re.compile(r"--net(?:work)?[= ]host\b")


def _urls(subject: Subject) -> Iterator[tuple[str, str]]:
    """Each URL that a run asks, with its path: the model's, the judges', where results go."""
    evaluator = [("evaluation", EVALUATOR)] + [("evaluation", "tasks", t.index, EVALUATOR) for t in subject.tasks]
    places: list[tuple[Any, ...]] = [("target", "api_endpoint", "url")] if subject.composed.deployment == "none" else []
    for place in evaluator:
        places.append((*place, "target", "api_endpoint", "url"))
        places += [(*place, "config", "params", "extra", who, "url") for who in ("judge", "user")]
        places.append((*place, "target", "api_endpoint", "adapter_config", "progress_tracking_url"))
    for place in places:
        value = subject.at(*place)
        if (
            isinstance(value, str)
            and value
            and "???" not in value
            and "<" not in value
            and "auxiliary_deployments." not in value
            and value not in auxiliary.endpoints(subject)
        ):
            yield paths.join(place), value


def split(url: str) -> SplitResult | None:
    """The parts of an http URL with a host and a possible port; None when it is none."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, or an open bracket
        return None
    return parts if valid and not re.search(r"\s", url) else None


def path_of(url: object) -> str:
    """The path of a URL without a slash at its end; empty for what is no URL."""
    parts = split(url) if isinstance(url, str) else None
    return parts.path.rstrip("/") if parts is not None else ""


def no_url(subject: Subject) -> Iterable[Hit]:
    """A URL without scheme or host, or with a port that is none."""
    for path, url in _urls(subject):
        if split(url) is None:
            hint = (
                f"write http://{url[:80]}{_rest(subject, path, url)}"
                if re.match(r"[\w.\-]+(?::\d{1,5})?(?:/|$)", url)
                else "write http(s)://host:port/path"
            )
            yield Hit(path, f"{path} is {url[:100]!r}, which is no http URL with a host and a valid port", hint)
    tracking = subject.at("export", "mlflow", "tracking_uri")
    if isinstance(tracking, str) and re.fullmatch(r"[\w.\-]+:\d+/?", tracking):
        path = "export.mlflow.tracking_uri"
        yield Hit(path, f"{path} is {tracking[:80]!r}, without http:// or https://", f"write http://{tracking[:80]}")


def _rest(subject: Subject, path: str, url: str) -> str:
    """What a bare host of the model's own endpoint still lacks, so that C36 has nothing to add."""
    host, slash, rest = url.partition("/")
    suffixes = _suffixes(subject)
    if path != "target.api_endpoint.url" or rest.strip("/") or len(suffixes) != 1 or not host:
        return ""
    return f"/v1{suffixes[0]}" if not slash else f"v1{suffixes[0]}"


def _suffixes(subject: Subject) -> list[str]:
    kinds = {entry.endpoint_type for entry in subject.catalogue_tasks.values()} or {"chat"}
    return sorted({SUFFIXES[kind] for kind in kinds if kind in SUFFIXES})


def reserved_host(subject: Subject) -> Iterable[Hit]:
    """A host that never resolves, or this machine's own name inside a container."""
    for path, url in _urls(subject):
        parts = split(url)
        host = (parts.hostname or "").lower().rstrip(".") if parts else ""
        if not host:
            continue
        if _RESERVED.fullmatch(host) or _is_documentation(host):
            yield Hit(path, f"{path} leads to {host[:80]!r}, a name or address that is reserved and leads nowhere")
        elif _is_this_machine(host) and not _shares_network(subject, path):
            where = "the job's node" if subject.composed.executor == "slurm" else "the harness's container"
            yield Hit(path, f"{path} leads to {host}, which inside {where} is not this machine", _reach(subject))


def _is_documentation(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _DOCUMENTATION)


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "0.0.0.0", "::1") or host.startswith("127.") or host.endswith(".localhost")  # noqa: S104


def _shares_network(subject: Subject, path: str) -> bool:
    executor = subject.composed.executor
    if executor == "process" or executor not in ("local", "slurm"):
        return True
    if subject.composed.deployment != "none":
        # The evaluation shares the network of the server that NEL starts; a judge is not in there.
        return "api_endpoint" in path
    return executor == "local" and bool(_HOST_NETWORK.search(str(subject.at("execution", "extra_docker_args") or "")))


def _reach(subject: Subject) -> str:
    if subject.composed.executor == "slurm":
        return "give a host name that the compute nodes resolve"
    return "set execution.extra_docker_args='--network host', or give the machine's address"


def endpoint_type(subject: Subject) -> Iterable[Hit]:
    """Endpoint types and URLs that contradict the tasks."""
    yield from _types(subject)
    if subject.composed.deployment == "none":
        yield from _target_url(subject)
    else:
        yield from _deployed(subject)


def _types(subject: Subject) -> Iterable[Hit]:
    wanted = {entry.endpoint_type for entry in subject.catalogue_tasks.values()}
    given = subject.at("target", "api_endpoint", "type")
    if isinstance(given, str) and wanted and given not in wanted:
        asked_for = ", ".join(sorted(wanted))
        message = f"target.api_endpoint.type is {given[:40]!r}, NEL never reads it, and the tasks ask for {asked_for}"
        fix = "edit_config(unset=['target.api_endpoint.type'])"
        yield Hit("target.api_endpoint.type", message, fix, named=WRONG_ENDPOINT)
    for task in subject.tasks:
        entry = subject.catalogue_tasks.get(task.index)
        own = task.raw.get("endpoint_type")
        path = f"evaluation.tasks[{task.index}].endpoint_type"
        if isinstance(own, str) and own not in TYPES and own != "???":
            yield Hit(path, f"There is no endpoint type {own[:40]!r}", f"use one of {', '.join(TYPES[:4])}")
        elif isinstance(own, str) and entry and own not in entry.endpoint_types and entry.endpoint_types != ("vlm",):
            message = f"{entry.id} takes {', '.join(entry.endpoint_types)}, and endpoint_type asks for {own[:40]}"
            yield Hit(path, message, "remove endpoint_type, or take another task", named=WRONG_ENDPOINT)
        where, asked = subject.given(task, "target", "api_endpoint", "type")
        if (
            isinstance(asked, str)
            and entry
            and asked not in (*entry.endpoint_types, "chat" if entry.endpoint_type == "vlm" else "")
        ):
            message = f"{entry.id} takes {', '.join(entry.endpoint_types)}, and {where} asks for {asked[:40]}"
            yield Hit(where, message, f"edit_config(unset=['{where}'])", named=WRONG_ENDPOINT)


def _target_url(subject: Subject) -> Iterable[Hit]:
    path, url = "target.api_endpoint.url", subject.at("target", "api_endpoint", "url")
    parts = split(url) if isinstance(url, str) and "???" not in url else None
    if parts is None:
        return
    at = parts.path.rstrip("/")
    wanted = " or ".join(f"/v1{suffix}" for suffix in _suffixes(subject))
    if not at.endswith(tuple(SUFFIXES.values())):
        # A gateway may have paths of its own; a bare host or /v1 is only half a URL.
        severity: Severity | None = None if at in ("", "/v1", "/v1/chat") else "warning"
        yield Hit(
            path,
            f"{path} does not end in {wanted}: requests are sent to it as it stands",
            f"end it in {wanted}",
            severity,
        )
        return
    actual = "/chat/completions" if at.endswith("/chat/completions") else "/" + at.rpartition("/")[2]
    unserved = [e.id for e in subject.catalogue_tasks.values() if SUFFIXES.get(e.endpoint_type, actual) != actual]
    # T34 has log-probability tasks on a chat endpoint.
    if unserved:
        message = f"The URL is for {actual}, and these tasks ask for another endpoint: {', '.join(unserved[:5])}"
        # NEL's template for an endpoint has the chat URL, also for base models.
        yield Hit(path, message, f"end it in {wanted}, or take other tasks", subject.soft, named=WRONG_ENDPOINT)
    elif parts.path.endswith("/"):
        message = f"{path} ends in a slash: requests are sent to it as it stands, and servers have no such path"
        yield Hit(path, message, "write it without the last slash", "warning", cause="C36.slash")


def _deployed(subject: Subject) -> Iterable[Hit]:
    endpoints = as_mapping(subject.at("deployment", "endpoints"))
    for task in subject.tasks:
        entry = subject.catalogue_tasks.get(task.index)
        asked = task.raw.get("endpoint_type") or (entry.endpoint_type if entry else "chat")
        if endpoints and isinstance(asked, str) and asked in TYPES and asked not in endpoints:
            message = f"{task.name[:80]} asks for the endpoint type {asked}, and deployment.endpoints has none of it"
            fix = f"edit_config(set=['deployment.endpoints.{asked}=/v1{SUFFIXES.get(asked, '/…')}'])"
            yield Hit(f"evaluation.tasks[{task.index}].name", message, fix, cause="C36", named=WRONG_ENDPOINT)


def key_for_own_server(subject: Subject) -> Iterable[Hit]:
    """nemo_skills with a model that NEL deploys: its client refuses to start without the name of a key."""
    if subject.composed.deployment == "none" or subject.at("target", "api_endpoint", "api_key_name"):
        return
    asking = []
    for task in subject.tasks:
        if (
            subject.harness(task) == "nemo_skills"
            and not subject.given(task, "target", "api_endpoint", "api_key_name")[1]
        ):
            asking.append(task)
    if asking:
        named = ", ".join(task.name for task in asking[:4])
        message = f"{named}: the client of nemo_skills refuses to start without the name of a key variable"
        endpoint = isinstance(paths.dig(subject.written, "target", "api_endpoint"), dict)
        where = "target.api_endpoint" if endpoint else f"evaluation.tasks[{asking[0].index}].name"
        # NEL's templates leave it out; the config is not ready anyway while it has gaps.
        yield Hit(where, message, severity=subject.soft, cause="C37")


RULES = (
    Rule("P09", "error", "URL that is none", "write http(s)://host:port/path", URLS, no_url),
    Rule("T39", "error", "Host that leads nowhere", "give the real URL", RESERVED, reserved_host),
    Rule("C36", "error", "Endpoint that the tasks do not speak to", "match the tasks", ENDPOINT_TYPES, endpoint_type),
    Rule(
        "C37",
        "error",
        "nemo_skills without a key's name",
        "edit_config(set=['target.api_endpoint.api_key_name=DUMMY_API_KEY', 'evaluation.env_vars.DUMMY_API_KEY=lit:dummy'])",
        FACTS,
        key_for_own_server,
    ),
)
