"""Rules about what composition makes of the file: interpolations, and the order of the defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .. import choices, paths
from .rule import Hit, Rule, Subject

HYDRA = "Hydra 1.3 and OmegaConf 2.3, as NEL 0.2.6 composes with them"
NEL_EXPORT = "NeMo Evaluator Launcher 0.2.6 executors/local/executor.py, executors/slurm/executor.py"
BREAKS_COMPOSITION = frozenset({"C20", "C25"})
"""Rules whose findings say why a config does not compose."""

_TOKEN = re.compile(r"(?<!\\)\$\{(?P<inner>[^{}]*(?:\{[^{}]*\}[^{}]*)*)\}?")
_NODE = re.compile(r"\.*[A-Za-z_][\w\-]*(?:\.[\w\-]+|\[[\w\-]+\])*")
_RESOLVER = re.compile(r"(?P<name>[A-Za-z_][\w.]*):")
_RESOLVERS = frozenset(
    {
        "oc.env",
        "oc.decode",
        "oc.create",
        "oc.deprecated",
        "oc.select",
        "oc.dict.keys",
        "oc.dict.values",
        "select_not_null",
        "hydra",
        "now",
        "python_version",
    }
)
_SHELL_NAME = re.compile(r"[A-Z_][A-Z0-9_]*|\d")
_OUTSIDE = re.compile(
    r"(?<!\\)\$\{(?:(?:select_not_null|oc\.select):)?\s*(?P<section>[A-Za-z_]\w*)[.\[}](?!env:|decode:)"
)
_SHOWN = 5
_TYPES = {("execution", name): name for name in ("local", "slurm", "lepton")} | {
    ("deployment", name): name for name in ("none", "vllm", "sglang", "nim", "trtllm", "generic")
}
_TYPES["deployment", "vllm_ray"] = "vllm"


def foreign_interpolation(subject: Subject) -> Iterable[Hit]:
    """`${...}` that is a shell's or nobody's: composition stops at it."""
    known = set(map(str, subject.written))
    for at, text in paths.texts(subject.written):
        if "${" not in text:
            continue
        for match in _TOKEN.finditer(text):
            inner = match["inner"].strip()
            if _is_omegaconf(inner, known):
                continue
            path, shown = paths.join(at), inner[:60]
            fix = f"write ${shown} without braces, or \\${{{shown}}}" if _SHELL_NAME.fullmatch(inner) else ""
            yield Hit(path, f"{path} holds ${{{shown}}}, which OmegaConf cannot resolve", fix)
            break


def _is_omegaconf(inner: str, known: set[str]) -> bool:
    if "${" in inner:
        return True  # a name that is itself composed: only composition can tell
    resolver = _RESOLVER.match(inner)
    if resolver:
        return resolver["name"] in _RESOLVERS
    return bool(_NODE.fullmatch(inner)) and (inner in known or not _SHELL_NAME.fullmatch(inner))


def export_beyond_itself(subject: Subject) -> Iterable[Hit]:
    """`${...}` in `export` that refers to another section: NEL resolves the export section alone."""
    destinations = paths.dig(subject.config, "execution", "auto_export", "destinations")
    executor = subject.composed.executor
    # The local executor resolves it for every run, the others for one that exports.
    if executor == "process" or (executor != "local" and not destinations):
        return
    for at, text in paths.texts(subject.written.get("export")):
        match = _OUTSIDE.search(text)
        if match and match["section"] not in ("export", "oc", "hydra"):
            path = paths.join(("export", *at))
            yield Hit(path, f"{path} refers to ${{{match['section']}.…}}, which NEL cannot resolve when it exports")


def overwritten_by_defaults(subject: Subject) -> Iterable[Hit]:
    """`_self_` before other entries of the defaults list: NEL's defaults overwrite what the file says."""
    defaults = subject.written.get("defaults")
    if not isinstance(defaults, list) or "_self_" not in defaults or defaults[-1] == "_self_":
        return
    lost = []
    for at, value in paths.walk({k: v for k, v in subject.written.items() if k not in ("defaults", "quantgate")}):
        composed = paths.dig(subject.config, *at)
        if not (isinstance(value, str) and "${" in value) and composed != value and composed is not None:
            lost.append(paths.join(at))
    if lost:
        named = ", ".join(lost[:_SHOWN]) + (" and more" if len(lost) > _SHOWN else "")
        yield Hit("defaults", f"NEL's packaged defaults overwrite {named}: `_self_` stands before them")


def contradicting_type(subject: Subject) -> Iterable[Hit]:
    """A `type` that is not that of the defaults' group, or no group at all."""
    for section, example in (("execution", "local"), ("deployment", "none")):
        found = subject.at(section)
        if not isinstance(found, dict) or found.get("type") is None:
            if section == "deployment" or found is None:
                message = f"The config has no {section} group: without its defaults NEL does not know what to do"
                yield Hit(section, message, f"add `- {section}: {example}` (or another group) to `defaults`")
            continue
        chosen, kind = group(subject, section), str(found["type"])
        expected = _TYPES.get((section, chosen), "")
        unknown = section == "execution" and kind not in ("local", "slurm", "lepton", "process")  # P03 says so
        if (
            not expected
            or unknown
            or kind in (expected, "???")
            or (section, kind, expected) == ("execution", "process", "local")
        ):
            continue
        message = f"{section}.type is {kind[:40]!r}, and the defaults are those of {chosen!r}"
        fix = f"remove {section}.type, or change `- {section}:` in `defaults`"
        harmless = section == "deployment" and "none" not in (kind, expected)
        yield Hit(f"{section}.type", message, fix, "warning" if harmless else None)


def group(subject: Subject, section: str) -> str:
    """The group that the file's own defaults choose for a section ("slurm/default": "slurm"); empty when they choose none."""
    return next((g.partition("/")[0] for _, named, g in choices.groups(subject.document) if named == section), "")


RULES = (
    Rule(
        "C20",
        "error",
        "Interpolation that is not OmegaConf's",
        "write a shell variable as $NAME, or escape it as \\${NAME}",
        HYDRA,
        foreign_interpolation,
        of_text=True,
    ),
    Rule(
        "C25",
        "error",
        "Export that refers to other sections",
        "write the value out",
        NEL_EXPORT,
        export_beyond_itself,
        of_text=True,
    ),
    Rule(
        "P13",
        "error",
        "Defaults that overwrite the file",
        "move `_self_` to the end of `defaults`",
        HYDRA,
        overwritten_by_defaults,
    ),
    Rule(
        "P14",
        "error",
        "Type that contradicts the defaults",
        "choose executor and deployment in `defaults` only",
        "NeMo Evaluator Launcher 0.2.6 configs/",
        contradicting_type,
    ),
)
