"""Rules about names by which the model and its endpoints are found: the hub handle, the model id, the paths of the server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .endpoints import SUFFIXES
from .rule import Hit, Rule, Subject, as_mapping
from .serving_command import mounted

HUB = "huggingface_hub 2.4.0 utils/_validators.py (validate_repo_id)"
NEL_URL = (
    "NeMo Evaluator Launcher 0.2.6 common/helpers.py (get_endpoint_url, get_health_url: port and path are put together)"
)
_HANDLE = re.compile(r"(?:[\w\-.]{1,96}/)?[\w\-.]{1,96}", re.ASCII)
_OPEN = ("???", "<", "${")
_HUB_URL = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<handle>[\w\-.]+/[\w\-.]+)", re.ASCII)


def no_handle(subject: Subject) -> Iterable[Hit]:
    """A hub handle that is a URL, a path, or has a revision in it."""
    place = "deployment.hf_model_handle"
    handle = subject.at("deployment", "hf_model_handle")
    if not isinstance(handle, str) or not handle.strip() or any(sign in handle for sign in _OPEN):
        return
    shown = repr(handle[:100])
    url = _HUB_URL.match(handle)
    if url:
        yield Hit(place, f"{place} is a URL: {shown}", f"edit_config(model='{url['handle']}')")
    elif handle.startswith(("/", "~", "./")):
        if not mounted(subject, handle):
            message = f"{place} is a path, {shown}, and nothing mounts it into the server's container"
            yield Hit(place, message, f"edit_config(model='{handle[:200]}'): NEL mounts checkpoint_path")
    elif "@" in handle:
        name, _, revision = handle.partition("@")
        message = f"{place} is {shown}: a handle has no revision in it"
        yield Hit(place, message, f"write {name[:100]}, and --revision {revision[:60]} in the command")
    elif not _HANDLE.fullmatch(handle) or ".." in handle or "--" in handle:
        yield Hit(place, f"{place} is {shown}, which is no handle of the hub", "write it as org/name")
    elif "/" not in handle and any(character.isupper() for character in handle):
        # Only a few old models, in small letters, have a name without an organisation.
        yield Hit(place, f"{place} is {shown}, without its organisation", "write it as org/name", "warning")


def model_id_is_a_url(subject: Subject) -> Iterable[Hit]:
    """A URL where the model's name belongs."""
    model = subject.at("target", "api_endpoint", "model_id")
    if isinstance(model, str) and re.match(r"https?://", model):
        message = f"target.api_endpoint.model_id is a URL, {model[:80]!r}, and the name of a model belongs there"
        yield Hit("target.api_endpoint.model_id", message, "write the name that the endpoint's /v1/models lists")


def url_twice(subject: Subject) -> Iterable[Hit]:
    """A part of the path that stands twice in the model's URL."""
    url = subject.at("target", "api_endpoint", "url")
    if subject.composed.deployment != "none" or not isinstance(url, str):
        return
    try:
        path = urlsplit(url).path
    except ValueError:  # P09 has it
        return
    for part in ("/v1", *dict.fromkeys(SUFFIXES.values())):
        if f"{part}{part}" in path:
            message = f"target.api_endpoint.url has {part} twice: requests are sent to it as it stands"
            yield Hit(
                "target.api_endpoint.url", message, f"write {url.replace(part + part, part)[:200]}", cause="twice"
            )
            return


def paths_of_the_server(subject: Subject) -> Iterable[Hit]:
    """A path of the deployment's endpoints that is none, or no path to ask whether the server is up."""
    deployment = subject.composed.deployment
    endpoints = subject.at("deployment", "endpoints")
    if deployment == "none" or not isinstance(endpoints, dict):
        return
    for name, path in as_mapping(endpoints).items():
        where = f"deployment.endpoints.{name}"
        if isinstance(path, str) and path and not path.startswith("/") and not any(sign in path for sign in _OPEN):
            fix = f"edit_config(set=['{where}=/{path[:100].partition('://')[2].partition('/')[2] or path[:100]}'])"
            yield Hit(where, f"{where} is {path[:80]!r}, and NEL puts it right behind the port", fix)
    # On Slurm NEL asks /health when the key is left out.
    if not endpoints.get("health") and (subject.composed.executor != "slurm" or "health" in endpoints):
        message = "deployment.endpoints has no health: NEL cannot tell when the server is up"
        yield Hit("deployment.endpoints.health", message, "edit_config(set=['deployment.endpoints.health=/health'])")


RULES = (
    Rule("P36", "error", "Hub handle that is none", "write it as org/name", HUB, no_handle),
    Rule(
        "P37",
        "error",
        "Model's name or URL put together wrongly",
        "correct it",
        "nemo_evaluator 0.2.8 adapters/ (name and URL are sent as they stand)",
        lambda subject: (*model_id_is_a_url(subject), *url_twice(subject)),
    ),
    Rule(
        "P38", "error", "Paths of the server", "begin each with a slash, and give health", NEL_URL, paths_of_the_server
    ),
)
