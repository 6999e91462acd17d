"""Rules about the config's sections and keys, and about values that are still to be given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from ...errors import BadInput
from .. import missing, paths
from ..compose import MISSING
from ..keys import known, other_places
from .rule import Hit, Rule, Subject, as_mapping, params_places
from .used_parameters import is_unused

FACTS = "NeMo Evaluator Launcher 0.2.6"


def unknown_section(subject: Subject) -> Iterable[Hit]:
    """Top-level keys that NEL ignores; one that an interpolation refers to is the user's own variable."""
    table = known()
    for key in map(str, subject.config):
        if key in table.sections or key == "tasks" or key.startswith(("x-", "_")):
            continue
        if refers_to(subject, key):
            continue
        belongs = table.misplaced.get(key, "") or other_places(key)
        near = difflib.get_close_matches(key, table.sections, n=1, cutoff=0.7)
        message = f"NEL has no top-level section {key!r} and ignores it"
        if not near and shared_by_anchor(subject, paths.join([key])):
            yield Hit(paths.join([key]), f"{message}; an alias uses its anchor", BY_HAND.format("C01"), "note")
            continue
        fix = "remove it, or move it into the section it belongs to; " + BY_HAND.format("C01")
        if belongs:
            fix = f"move it to `{belongs}`"
        elif near:
            fix = f"did you mean `{near[0]}`?"
        # What the section it stands for then lacks is no second fault.
        meant = near[0] if near and near[0] not in subject.written else ""
        yield Hit(paths.join([key]), message, fix, explains=_OF_SECTION.get(meant, (meant,)) if meant else ())
    for key in map(str, as_mapping(subject.config.get("quantgate"))):
        if key not in table.quantgate:
            message = f"The `quantgate` section has no key {key!r}"
            yield Hit(paths.join(["quantgate", key]), message, "its keys are " + ", ".join(table.quantgate))


_OF_SECTION = {
    "defaults": ("defaults", "execution", "deployment", "target"),
    "evaluation": ("evaluation", "target"),
    "target": ("target", "evaluation"),
}
"""Sections by where rules find fault when they are not there; every other one only in its own place."""


def refers_to(subject: Subject, dotted: str) -> bool:
    """Whether an interpolation in the file takes its value from this key: then it is the user's own."""
    return (
        re.search(r"\$\{[^{}\n]{0,80}(?<![\w.])" + re.escape(dotted) + r"(?![\w\-])", subject.document.text) is not None
    )


BY_HAND = "where it is meant, list {} under `quantgate: silence`"
"""The way out for a key that only its author reads."""


def shared_by_anchor(subject: Subject, dotted: str) -> bool:
    """Whether a key of the file holds a YAML anchor that an alias uses: it is there to be shared, not to be read."""
    try:
        first = subject.document.line_of(dotted) - 1
        if not paths.has(paths.dig(subject.written, *paths.parse(dotted)[:-1]), paths.parse(dotted)[-1]):
            return False  # of an included file
    except BadInput:
        return False
    lines = subject.document.text.splitlines()
    depth = len(lines[first]) - len(lines[first].lstrip())
    block = [lines[first]]
    for line in lines[first + 1 :]:
        if line.strip() and len(line) - len(line.lstrip()) <= depth:
            break
        block.append(line)
    anchors = re.findall(r"[:\-\[{,][ \t]+&([\w.\-]+)", "\n".join(block))
    aliases = set(re.findall(r"[:\-\[{,][ \t]*\*([\w.\-]+)", subject.document.text))
    return bool(aliases.intersection(anchors))


def missing_value(subject: Subject) -> Iterable[Hit]:
    """Every `???` that is left, with its meaning."""
    for at, written in paths.walk(subject.written):
        value = paths.dig(subject.config, *at)
        if written == MISSING and value not in (None, MISSING):
            path = paths.join(at)
            message = f"{path} is left open, and NEL silently takes its default {str(value)[:60]!r}"
            yield Hit(path, message, f"edit_config(set=['{path}=…'])")
    for gap in subject.gaps:
        if not gap.placeholder:
            if is_unused(subject, paths.parse(gap.path)):
                message = f"{gap.path} is left open, and no task of this config uses it"
                beside = _beside(subject, gap.path)
                unset = ", ".join(f"'{path}'" for path in (gap.path, *beside))
                yield Hit(gap.path, message, f"edit_config(unset=[{unset}])", explains=beside)
            else:
                yield Hit(gap.path, f"{gap.path} is not given: {gap.meaning}", _who(gap))


def _beside(subject: Subject, path: str) -> tuple[str, ...]:
    """What means nothing without a tokenizer that no task uses: NEL's templates write the two together."""
    backend = path.removesuffix("tokenizer") + "tokenizer_backend"
    written = paths.dig(subject.written, *paths.parse(backend)) if path.endswith(".tokenizer") else None
    return (backend,) if written is not None and is_unused(subject, paths.parse(backend)) else ()


def placeholder(subject: Subject) -> Iterable[Hit]:
    """Every `<UPPER_CASE>` or CHANGEME that is left in a value, and other words that stand for a value to come."""
    for gap in subject.gaps:
        if gap.placeholder:
            yield Hit(gap.path, f"{gap.path} still has the placeholder {gap.placeholder}: {gap.meaning}", _who(gap))
    for at, text in paths.walk(subject.config):
        if not isinstance(text, str) or _TEXT_KEYS.intersection(map(str, at)):
            continue
        left = _LEFT_TEXT.fullmatch(text) if at[0] in _PLAIN_SECTIONS else None
        if left:
            path = paths.join(at)
            yield Hit(path, f"{path} still has the placeholder {left[0][:60]}", f"edit_config(set=['{path}=…'])")


_TEXT_KEYS = frozenset({"custom_system_prompt", "system_prompt", "system_message", "stop", "description", "tags"})
_PLAIN_SECTIONS = frozenset({"execution", "deployment", "target", "export", "env_vars"})
_LEFT_TEXT = re.compile(
    r"<[^<>\n]{1,60}>|\.\.\.|x{3,}|XXX+|\{\{[^{}\n]{1,60}\}\}|[@%][A-Z][A-Z_]{1,60}[@%]|\[[A-Z][A-Z_ ]{1,60}\]"
)


def _who(gap: missing.Missing) -> str:
    how = {
        "user": "ask the user, then",
        "card": "read the model card, then",
        "checkpoint": "take it from the checkpoint, then",
        "cluster": "look it up for the cluster, then",
        "agent": "choose one and",
    }[gap.who]
    return f"{how} edit_config(set=['{gap.path}=…'])"


def target_in_config(subject: Subject) -> Iterable[Hit]:
    """`nemo_evaluator_config.config.target`, which the container refuses."""
    for path, _ in params_places(subject, "config", "target"):
        yield Hit(
            path,
            f"{path} passes NEL's dry run and is refused in the container",
            "move `target` up: it is a sibling of `config`",
        )


_REQUEST_FIELDS = frozenset(
    {"top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "seed", "stop", "logprobs"}
)
"""Fields of a completion request that a model card may name, and nemo-evaluator's parameters do not have."""


def unknown_params(subject: Subject) -> Iterable[Hit]:
    """Keys of `params` that the harness's container refuses."""
    allowed = known().params
    for path, params in params_places(subject, "config", "params"):
        for key in map(str, params) if isinstance(params, dict) else ():
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.7)
                hint = (
                    f"it is a field of the request: put {key} into the adapter's params_to_add"
                    if key in _REQUEST_FIELDS
                    else f"did you mean `{near[0]}`?"
                    if near
                    else "put harness options under `extra`, request fields in params_to_add"
                )
                yield Hit(f"{path}.{key}", f"{key!r} is not a parameter that nemo-evaluator accepts", hint)


def execution_env_vars(subject: Subject) -> Iterable[Hit]:
    """`execution.env_vars`, which NEL no longer reads."""
    if subject.at("execution", "env_vars") is not None:
        yield Hit("execution.env_vars", "NEL refuses `execution.env_vars`")


def endpoint_beside_deployment(subject: Subject) -> Iterable[Hit]:
    """A target URL or model id although the config deploys the model itself."""
    if subject.composed.deployment == "none":
        return
    for place, value in params_places(subject, "target", "api_endpoint", "url"):
        own = isinstance(value, str) and re.match(r"https?://(?:127\.0\.0\.1|localhost)\b", value)
        if not own and value != "???":
            message = f"{place} sends the requests elsewhere, and the deployed model is not the one evaluated"
            yield Hit(place, message, f"edit_config(unset=['{place}']), or use `deployment: none`")
    for key in ("url", "model_id"):
        endpoint = subject.at("target", "api_endpoint")
        if isinstance(endpoint, dict) and key in endpoint:
            path = f"target.api_endpoint.{key}"
            message = f"NEL refuses {path} when it deploys the model itself (deployment {subject.composed.deployment})"
            yield Hit(path, message, f"edit_config(unset=['{path}']), or use `deployment: none`")


def evaluation_overrides(subject: Subject) -> Iterable[Hit]:
    """The removed `overrides` field."""
    places = [("evaluation", "overrides")] + [("evaluation", "tasks", t.index, "overrides") for t in subject.tasks]
    for place in places:
        if subject.at(*place):
            yield Hit(paths.join(place), "NEL no longer accepts `overrides`")


def no_tasks(subject: Subject) -> Iterable[Hit]:
    """No task, or tasks outside `evaluation`."""
    if "tasks" in subject.written:
        yield Hit("tasks", "NEL ignores a top-level `tasks`", "move it to `evaluation.tasks`")
    elif not subject.tasks and subject.at("evaluation", "tasks") != "???":
        yield Hit(
            "evaluation.tasks",
            "The config has no tasks: NEL's dry run passes and nothing runs",
            "edit_config(add_tasks=[…])",
        )


SECTION_RULES = (
    Rule(
        "C01",
        "error",
        "Unknown top-level section",
        "move it into a section that NEL reads",
        FACTS,
        unknown_section,
        of_text=True,
    ),
)
RULES = (
    Rule("C34", "error", "No tasks", "add tasks under `evaluation.tasks`", FACTS, no_tasks),
    Rule(
        "C08",
        "error",
        "execution.env_vars",
        "use deployment.env_vars, evaluation.env_vars or export.env_vars",
        FACTS,
        execution_env_vars,
    ),
    Rule("C03", "error", "Missing value (???)", "give the value", FACTS, missing_value),
    Rule(
        "C07",
        "error",
        "target inside nemo_evaluator_config.config",
        "make `target` a sibling of `config`",
        FACTS,
        target_in_config,
    ),
    Rule("C05", "error", "Unknown parameter", "use one of nemo-evaluator's parameters", FACTS, unknown_params),
    Rule(
        "C13",
        "error",
        "Endpoint given beside a deployment",
        "remove url and model_id",
        FACTS,
        endpoint_beside_deployment,
    ),
    Rule(
        "C16",
        "error",
        "evaluation.overrides",
        "use `nemo_evaluator_config` with nested keys",
        FACTS,
        evaluation_overrides,
    ),
    Rule("C04", "error", "Placeholder left in a value", "give the value", FACTS, placeholder),
)
